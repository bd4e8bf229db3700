#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap export: streams and tensors of a trained run, read by Python alone; and what is refused.
# tests/python/test_import_peers.py has NumPy and torch read them.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
archive=$(snapshot "$run" 24)
cd "$work" || exit 99

exits 0 "Python's stream" "$SNAP" export "$archive" --to pickle --stream python -o python.pkl
same "nothing is left out" "" "$(grep 'left out' out)"
cat >state.py <<'END'
import json
import pickle
import random
import sys

state = pickle.load(open("python.pkl", "rb"))
member = json.load(sys.stdin)
random.setstate(state)
print(state == (3, tuple(member["state"]), None), random.getstate() == state)
END
same "is what random.setstate takes" "True True" \
    "$("$SNAP" cat "$archive" rng/python | "$PYTHON" state.py)"
exits 0 "of a run" "$SNAP" export "$run" --to pickle --stream python -o latest.pkl
try "is of its latest snapshot" cmp python.pkl latest.pkl
exits 0 "twice the same" "$SNAP" export "$archive" --to pickle --stream python -o again.pkl
try "is the same file" cmp python.pkl again.pkl
exits 0 "and back" "$SNAP" import python.pkl -o back.snap.tar
"$SNAP" cat back.snap.tar rng/python >back.json
"$SNAP" cat "$archive" rng/python >there.json
try "is the same member" cmp there.json back.json

exits 0 "the weights as safetensors" "$SNAP" export "$archive" --to safetensors --tensors model \
    -o model.safetensors
cat >tensors.py <<'END'
import json
import struct
import sys

data = open("model.safetensors", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
begin, end = header[sys.argv[1]]["data_offsets"]
sys.stdout.buffer.write(data[8 + size + begin:8 + size + end])
END
"$PYTHON" tensors.py fc1.weight >fc1.bytes
"$SNAP" cat "$archive" tensors/model/fc1.weight >fc1.member
try "are the same bytes" cmp fc1.bytes fc1.member
exits 0 "and back" "$SNAP" import model.safetensors -o tensors.snap.tar
"$SNAP" cat tensors.snap.tar tensors/model/fc1.weight >fc1.back
try "are the same bytes" cmp fc1.back fc1.member
exits 0 "the weights for torch" "$SNAP" export "$archive" --to torch --tensors model -o model.pt
try "a zip file that Python reads" "$PYTHON" -m zipfile -t model.pt
exits 0 "and back" "$SNAP" import model.pt -o torch.snap.tar
"$SNAP" cat torch.snap.tar tensors/model/conv1.weight >conv1.back
"$SNAP" cat "$archive" tensors/model/conv1.weight >conv1.member
try "are the same bytes" cmp conv1.back conv1.member
exits 0 "the weights for NumPy" "$SNAP" export "$archive" --to npz --tensors model -o model.npz
try "a zip file that Python reads" "$PYTHON" -m zipfile -t model.npz
exits 0 "and back" "$SNAP" import model.npz -o npz.snap.tar
exits 0 "the host's stream as bytes" "$SNAP" export "$archive" --to npy --stream host -o host.npy
same "a header and 5056 bytes" "5184" "$(wc -c <host.npy)"

exits 0 "all random states" "$SNAP" export "$archive" --to accelerate -o random_states_0.pkl
like "what there is no key for is told" \
    '^left out +device: the form has no key for it$' "$(cat out)"
like "what the archive does not have too" '^left out +torch_cuda_manual_seed: ' "$(cat out)"
exits 0 "and back" "$SNAP" import random_states_0.pkl -o states.snap.tar
like "with the step" '^step +24$' "$(cat out)"
"$SNAP" cat states.snap.tar rng/numpy >numpy.back
"$SNAP" cat "$archive" rng/numpy >numpy.member
try "NumPy's is the same member" cmp numpy.back numpy.member
"$SNAP" cat states.snap.tar rng/torch >cpu.back
"$SNAP" cat "$archive" rng/host >cpu.member
try "the host's is the same member" cmp cpu.back cpu.member

exits 0 "as JSON" "$SNAP" export "$archive" --to hf-trainer -o rng_state.pth --json
json_is_valid "its document is valid" export
same "what was left out is in it" "2" "$(json out 'len(d["result"]["left_out"])')"

# ---- refused ----

fails 2 "no form" "\"onnx\" is no form" "$SNAP" export "$archive" --to onnx -o x
fails 2 "neither stream nor root" "one stream or one root: name one" \
    "$SNAP" export "$archive" --to torch -o x
fails 2 "both" "one stream or one root: name one" \
    "$SNAP" export "$archive" --to torch --stream python --tensors model -o x
fails 2 "a stream as safetensors" "takes a root, not a stream" \
    "$SNAP" export "$archive" --to safetensors --stream python -o x
fails 2 "a root as a pickle" "takes a stream, not a root" \
    "$SNAP" export "$archive" --to pickle --tensors model -o x
fails 2 "one stream as all" "takes all random states" \
    "$SNAP" export "$archive" --to accelerate --stream python -o x
fails 2 "NumPy 3" "3 is neither 1 nor 2" \
    "$SNAP" export "$archive" --to pickle --stream numpy --numpy 3 -o x
fails 2 "many tensors as one" "has [0-9]+ tensors, and a .npy file holds one: use npz" \
    "$SNAP" export "$archive" --to npy --tensors model -o x
fails 3 "no such stream" "the archive has no stream nothing" \
    "$SNAP" export "$archive" --to pickle --stream nothing -o x
fails 3 "no such root" "the archive has no root nothing" \
    "$SNAP" export "$archive" --to torch --tensors nothing -o x
fails 3 "no such shard" "has no state of that form" \
    "$SNAP" export "$archive" --to accelerate --shard 3 -o x
fails 4 "a kind that is no tuple" "stream device is of kind philox_dropout" \
    "$SNAP" export "$archive" --to pickle --stream device -o x
mkfifo pipe
ln -s model.pt link
for there in pipe link .; do
    fails 2 "$there in the place of the file" \
        "$there: export: it is (there, and no regular|no name)" \
        "$SNAP" export "$archive" --to pickle --stream python -o "$there"
done
try "the pipe is still one" test -p pipe
try "the link too" test -L link
fails 3 "a folder that is not there" "none: export: no such folder" \
    "$SNAP" export "$archive" --to pickle --stream python -o none/x
exits 3 "a failure as JSON" "$SNAP" export "$work/nowhere" --to torch --tensors x -o x --json
json_is_valid "its document is valid" export
flip_byte "$archive" "$(grep -abo "$(head -c 16 conv1.member)" "$archive" 2>/dev/null |
    head -1 | cut -d: -f1 | grep . || echo 20000)"
exits 5 "a damaged archive" "$SNAP" export "$archive" --to safetensors --tensors model -o damaged
try "no file was written" test ! -e damaged
try "nothing is left behind by what was refused" test ! -e x

tap_done
