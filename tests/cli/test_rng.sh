#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap rng: previews are what the libraries draw, states go through every form and back, distances
# are the draws that were made.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
early=$(snapshot "$run" 12)
late=$(snapshot "$run" 24)
cd "$work" || exit 99

# ---- draw ----

exits 0 "numbers after a seed" "$SNAP" rng draw --kind python_random --seed 42 --n 3
same "are Python's" "$("$PYTHON" -c 'import random
random.seed(42)
for _ in range(3):
    print(random.random())')" "$(cat out)"
exits 0 "eight, of the kind's first draw, when nothing is said" \
    "$SNAP" rng draw --kind random_r --seed 1
same "are random()'s" "1804289383 846930886 1681692777 1714636915 1957747793 424238335 719885386 \
1649760492" "$(tr '\n' ' ' <out | sed 's/ $//')"
exits 0 "none" "$SNAP" rng draw --kind random_r --seed 1 --n 0
same "are none" "" "$(cat out)"
exits 0 "signed numbers" "$SNAP" rng draw --kind drand48 --seed 0 --what i32 --n 4
like "can be negative" '^-[0-9]+$' "$(cat out)"

exits 0 "from an archive" "$SNAP" rng draw "$early" --stream numpy --n 2 --what u32
"$SNAP" cat "$early" rng/numpy >numpy.json
same "are NumPy's next" "$("$PYTHON" -c 'import json, numpy
value = json.load(open("numpy.json"))
state = numpy.random.RandomState()
state.set_state(("MT19937", value["state"]["key"], value["state"]["pos"]))
for x in state.randint(0, 2**32, 2, numpy.uint32):
    print(x)' 2>&1)" "$(cat out)"
cp out archive.txt
exits 0 "from a file with the member" "$SNAP" rng draw numpy.json --n 2 --what u32
same "the same" "$(cat archive.txt)" "$(cat out)"
exits 0 "from the latest snapshot of a run" "$SNAP" rng draw "$run" --stream numpy --n 2 --what u32
cp out run.txt
exits 0 "and from that snapshot" "$SNAP" rng draw "$late" --stream numpy --n 2 --what u32
same "the same too" "$(cat run.txt)" "$(cat out)"
exits 0 "the state behind the numbers is written" \
    "$SNAP" rng draw numpy.json --n 2 --what u32 --out after.json
exits 0 "and goes on" "$SNAP" rng draw after.json --n 1 --what u32
same "with the third number" "$("$SNAP" rng draw numpy.json --n 3 --what u32 | tail -n 1)" \
    "$(cat out)"
exits 0 "in another form" "$SNAP" rng draw numpy.json --n 0 --out same.npy --to npy
exits 0 "a seed for the state of an archive" \
    "$SNAP" rng draw "$early" --stream python --seed 42 --n 3
same "gives that seed's numbers" "$("$SNAP" rng draw --kind python_random --seed 42 --n 3)" \
    "$(cat out)"
exits 0 "as JSON" "$SNAP" rng draw --kind numpy_pcg64 --seed 42 --n 2 --json
json_is_valid "its document is valid" rng
same "floats by their bits" "$("$PYTHON" -c 'import numpy, struct
print([struct.pack(">d", x).hex() for x in numpy.random.default_rng(42).random(2)])')" \
    "$(json out 'd["result"]["numbers"]')"
exits 0 "large integers as JSON" "$SNAP" rng draw --kind torch_cpu --seed 42 --what i64 --json
json_is_valid "their document is valid" rng

# ---- seed, convert ----

wrong=
for kind in $("$SNAP" rng show --json | "$PYTHON" -c 'import json, sys
print(*json.load(sys.stdin)["result"]["kinds"])'); do
    test "$kind" = opaque && continue
    "$SNAP" rng seed "$kind" 7 --out seven || wrong="$wrong $kind"
    forms=$("$SNAP" rng show "$kind" --json | "$PYTHON" -c 'import json, sys
print(*[form["name"] for form in json.load(sys.stdin)["result"]["forms"]])')
    for form in $forms; do
        "$SNAP" rng convert seven --kind "$kind" --to "$form" --out "seven.$form" &&
            "$SNAP" rng convert "seven.$form" --kind "$kind" --form "$form" --out again &&
            cmp -s seven again &&
            "$SNAP" rng convert "seven.$form" --kind "$kind" --out again && cmp -s seven again ||
            wrong="$wrong $kind:$form"
        rm -f again
    done
    rm -f seven*
done
same "every form of every kind, and back" "" "$wrong"

"$SNAP" rng seed python_random 5 --to getstate >five.json
exits 0 "Python takes its form" "$PYTHON" -c 'import json, random
version, words, gauss = json.load(open("five.json"))
random.setstate((version, tuple(words), gauss))
x = random.getrandbits(64)
random.seed(5)
assert x == random.getrandbits(64)'
"$SNAP" rng seed numpy_random_state 5 --to npy --out five.npy
exits 0 "NumPy takes its form, without pickle" "$PYTHON" -c 'import numpy
record = numpy.load("five.npy", allow_pickle=False)
state = numpy.random.RandomState()
state.set_state(("MT19937", record["key"], int(record["pos"]), int(record["has_gauss"]),
                 float(record["gauss"])))
assert state.randint(0, 2**32) == numpy.random.RandomState(5).randint(0, 2**32)'
exits 0 "and writes it" "$PYTHON" -c 'import numpy
name, key, pos, has_gauss, gauss = numpy.random.RandomState(5).get_state()
numpy.save("theirs.npy", numpy.array((key, pos, has_gauss, gauss), dtype=[
    ("key", "<u4", (624,)), ("pos", "<i4"), ("has_gauss", "<i4"), ("gauss", "<f8")]))'
try "the same bytes" cmp five.npy theirs.npy

"$SNAP" rng seed torch_cuda 7 --to legacy --out old.bin
same "816 bytes of torch.cuda" 816 "$(wc -c <old.bin)"
exits 0 "become 16" "$SNAP" rng convert old.bin --out new.bin
same "they do" 16 "$(wc -c <new.bin)"
exits 0 "and 816 again" "$SNAP" rng convert new.bin --to legacy --out old2.bin
try "the same ones" cmp old.bin old2.bin
"$SNAP" rng seed torch_cpu 7 --to legacy --out old.bin
same "5048 bytes of torch" 5048 "$(wc -c <old.bin)"
exits 0 "become 5056" "$SNAP" rng convert old.bin --out new.bin
same "so they do" 5056 "$(wc -c <new.bin)"
exits 0 "a file is replaced" "$SNAP" rng seed torch_cpu 8 --out new.bin
try "as a whole" test "$(echo new.bin*)" = new.bin
exits 0 "to stdout" "$SNAP" rng seed torch_cpu 8
try "the same bytes again" cmp out new.bin
exits 0 "text as JSON" "$SNAP" rng seed drand48 8 --json
json_is_valid "its document is valid" rng
exits 0 "bytes as JSON" "$SNAP" rng seed torch_cuda 8 --json
json_is_valid "its document is valid" rng
same "are hex" "08000000000000000000000000000000" "$(json out 'd["result"]["content"]')"
exits 0 "into a file, as JSON" "$SNAP" rng seed torch_cuda 8 --out eight.bin --json
json_is_valid "its document is valid" rng
exits 0 "from a pipe" sh -c "'$SNAP' rng seed torch_cuda 8 | '$SNAP' rng convert /dev/stdin"
try "the same state" cmp out eight.bin

# ---- show ----

exits 0 "the kinds" "$SNAP" rng show
like "one a line" '^torch_cpu +torch\.rand\(n\)$' "$(cat out)"
exits 0 "what a kind can do" "$SNAP" rng show numpy_random_state
like "its draws" '^draws +f64 +np\.random\.random_sample\(n\)$' "$(cat out)"
like "its forms" '^ +npy +np\.save' "$(cat out)"
exits 0 "as JSON" "$SNAP" rng show numpy_random_state --json
json_is_valid "its document is valid" rng
exits 0 "a state" "$SNAP" rng show eight.bin
like "its fields" '^seed +8$' "$(cat out)"
exits 0 "a state of an archive" "$SNAP" rng show "$early" --stream python
like "a list is cut short" '^state +\[[0-9, ]*, \.\.\. 625 in all\]$' "$(cat out)"
exits 0 "an array of device states" sh -c \
    "'$SNAP' rng seed curand_xorwow 5 >one && cat one one one | '$SNAP' rng show /dev/stdin"
like "is counted" '^states +3, of which the first is$' "$(cat out)"
like "and its first one shown" '^states\.d +[0-9]+$' "$(cat out)"
for what in "$early --stream host" "eight.bin" ""; do
    # The words of $what are arguments.
    # shellcheck disable=SC2086
    exits 0 "as JSON: $what" "$SNAP" rng show $what --json
    json_is_valid "its document is valid" rng
done

# ---- distance ----

exits 0 "of a state to itself" "$SNAP" rng distance numpy.json numpy.json
same "the same place" "numpy_random_state same seed, same place" "$(cat out)"
"$SNAP" rng draw numpy.json --what u64 --n 1 --out one.json >/dev/null
exits 0 "after one 64-bit draw" "$SNAP" rng distance numpy.json one.json
same "is said" "numpy_random_state same seed, B is 2 words (one 64-bit draw) ahead" "$(cat out)"
exits 0 "and the other way" "$SNAP" rng distance one.json numpy.json
same "is said too" "numpy_random_state same seed, B is 2 words (one 64-bit draw) behind" \
    "$(cat out)"
"$SNAP" rng draw numpy.json --what normal --n 1 --out normal.json >/dev/null
"$SNAP" rng draw normal.json --what normal --n 1 --out normal2.json >/dev/null
exits 0 "a cached normal that was taken" "$SNAP" rng distance normal.json normal2.json
like "is no distance, but told" 'same place, but not the same bytes' "$(cat out)"
exits 0 "between two snapshots" "$SNAP" rng distance "$early" "$late"
like "of every stream" '^python +same seed, B is [1-9][0-9]* words.* ahead$' "$(cat out)"
same "there are four" 4 "$(wc -l <out)"
exits 0 "of one stream, as JSON" "$SNAP" rng distance "$early" "$late" --stream numpy --json
json_is_valid "its document is valid" rng
cp out distance.json
"$SNAP" rng draw "$early" --stream numpy --what u32 \
    --n "$(json distance.json 'd["result"]["streams"][0]["distance"]')" --out there.json >/dev/null
exits 0 "drawing that many words leads there" "$SNAP" rng distance there.json "$late" --stream numpy
like "it does" 'same seed, same place' "$(cat out)"
"$SNAP" rng seed numpy_random_state 43 --out other.json
exits 1 "of another seed" "$SNAP" rng distance numpy.json other.json --limit 10000
like "there is none" 'no distance: another seed, or farther than 10000 words' "$(cat out)"
same "which is no failure" "" "$(cat err)"
"$SNAP" rng draw numpy.json --what u32 --n 1000 --out far.json >/dev/null
exits 1 "past the limit" "$SNAP" rng distance numpy.json far.json --limit 999
exits 0 "just within it" "$SNAP" rng distance numpy.json far.json --limit 1000
exits 1 "of two kinds, as JSON" "$SNAP" rng distance numpy.json new.bin --json
json_is_valid "its document is valid" rng

# ---- refused ----

fails 2 "no such action" "'drwa': no such action, but there is 'draw'" "$SNAP" rng drwa x
fails 2 "nothing like an action" "'x': no such action: seed, draw, show" "$SNAP" rng x
fails 2 "too few arguments" "rng seed: 1 argument where KIND SEED is wanted" "$SNAP" rng seed x
fails 2 "too many arguments" "rng show: 2 arguments where" "$SNAP" rng show x y
fails 2 "an option of another action" "--limit: no option of 'rng draw'" \
    "$SNAP" rng draw numpy.json --limit 5
fails 2 "no such kind" "'dice': no such kind; there are: python_random" "$SNAP" rng seed dice 5
fails 2 "no such draw" "draw dice: there is no such draw, but f64" \
    "$SNAP" rng draw numpy.json --what dice
fails 2 "no such form" "form pickle: there is no such form, but member" \
    "$SNAP" rng convert numpy.json --to pickle
fails 2 "no number" "SEED: '5x' is not a whole number" "$SNAP" rng seed torch_cpu 5x
fails 2 "past 2^64" "SEED: '18446744073709551616' is not" \
    "$SNAP" rng seed torch_cpu 18446744073709551616
fails 2 "a seed that NumPy refuses" "seed is past 2\^32-1" \
    "$SNAP" rng seed numpy_random_state 4294967296
fails 2 "nothing to draw from" "a STATE is wanted, or --kind KIND and --seed SEED" \
    "$SNAP" rng draw --kind torch_cpu
fails 2 "too many numbers" "at most 10000000 numbers" \
    "$SNAP" rng draw --kind torch_cpu --seed 1 --n 10000001
fails 2 "a form without a file" "with --out FILE only" "$SNAP" rng draw numpy.json --to npy
fails 4 "numbers that depend on the GPU" "at most 2048" \
    "$SNAP" rng draw --kind torch_cuda --seed 1 --n 2049
fails 2 "streams to choose from" "name one of its streams with --stream: .*numpy" \
    "$SNAP" rng draw "$early"
fails 3 "no such stream" "no stream 'jax', but .*numpy" "$SNAP" rng draw "$early" --stream jax
fails 2 "a stream of a file" "numpy\.json is a state, and no archive" \
    "$SNAP" rng draw numpy.json --stream numpy
fails 3 "nothing" "no such file or folder" "$SNAP" rng draw nowhere
printf 'abcde' >five.bytes
fails 5 "a state of nothing" "a state of no kind that is known.*'snap import'" \
    "$SNAP" rng show five.bytes
fails 5 "the reason" "5 bytes where 5056" "$SNAP" rng show five.bytes --kind torch_cpu
"$SNAP" rng seed jax_key 5 --to key_data --out key.bin
fails 2 "a state of several kinds" "may be a state of several kinds: .*jax_key.*--kind" \
    "$SNAP" rng show key.bin
exits 0 "of which one is named" "$SNAP" rng show key.bin --kind jax_key
mkfifo pipe
ln -s numpy.json link
for there in pipe link .; do
    fails 2 "$there in the place of the file" "--out: $there is there, and no regular file" \
        "$SNAP" rng seed torch_cpu 5 --out "$there"
done
try "the pipe is still one" test -p pipe
try "the link too" test -L link
fails 3 "a file that cannot be made" "nowhere/state: making it" \
    "$SNAP" rng seed torch_cpu 5 --out nowhere/state
exits 2 "a failure as JSON" "$SNAP" rng seed dice 5 --json
json_is_valid "its document is valid" rng
cp "$early" thin.snap.tar
"$PYTHON" "$top_srcdir/tests/cli/forge.py" withhold thin.snap.tar rng/numpy
fails 6 "a withheld stream" "rng/numpy" "$SNAP" rng draw thin.snap.tar --stream numpy
exits 0 "another one of that archive" "$SNAP" rng draw thin.snap.tar --stream python

tap_done
