#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole idea in one sitting: train on real data, kill it, restore it, and see that nothing
# changed. `./bootstrap demo` builds first and then runs this. It stops with 1 at the first thing
# that is not as promised.
#
# usage: examples/demo.sh [SNAP-PROGRAM [NEW-FOLDER]]
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/.." && pwd)
snap=${1:-$top/snap}
work=${2:-}
config=$top/examples/digits-cnn.json
held_out=359 # images in data/digits-test-*

if [ -z "$work" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/snap-demo.XXXXXX") || exit 3
    trap 'rm -rf "$work"' EXIT
elif [ -e "$work" ]; then
    echo "demo: $work is there already: name a folder that is not" >&2
    exit 2
else
    mkdir -p "$work" || exit 3
    work=$(cd "$work" && pwd)
fi

chapter=0
tell() {
    chapter=$((chapter + 1))
    printf '\n%d. %s\n\n' "$chapter" "$*"
}
fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}
# Names without the folders in front of them, indented.
quote() { sed -e "s#$work/##g" -e "s#$top/##g" -e 's/^/     /'; }
# Show a command as a person would type it, run it, and quote what it prints.
run() {
    local shown=$* out status
    shown=${shown//"$snap"/snap}
    shown=${shown//"$work/"/}
    printf '   $ %s\n' "${shown//"$top/"/}"
    out=$("$@" 2>&1)
    status=$?
    [ -z "$out" ] || printf '%s\n' "$out" | quote
    return "$status"
}
# The run hash and the state hash of a run.
hashes() { "$snap" hash "$1" | grep -oE '(run1|state1):[0-9a-f]{64}'; }
lines() { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }

echo "snap: a training run, saved, killed, restored and replayed bit for bit."

tell "Train a small convolutional network on 1,438 handwritten digits, undisturbed."
run "$snap" run "$config" --dir "$work/undisturbed" || fail "the training did not finish"
correct=$(grep -o '"eval_correct":[0-9]*' "$work/undisturbed/ledger.jsonl" | tail -n 1 |
    cut -d: -f2)
per_mille=$((1000 * ${correct:-0} / held_out))
printf '\n   %d of %d held-out images are read correctly: %d.%d %%.\n' \
    "${correct:-0}" "$held_out" $((per_mille / 10)) $((per_mille % 10))
[ "$per_mille" -ge 970 ] || fail "that is less than the 97 % promised"

tell "The same training again; this time it is killed with SIGKILL in the middle of an epoch."
"$snap" run "$config" --dir "$work/killed" >"$work/killed.out" 2>&1 &
victim=$!
steps=$(($(lines "$work/undisturbed/ledger.jsonl") - 1))
target=$((steps * 2 / 5 + 7))
while [ "$(lines "$work/killed/ledger.jsonl")" -le "$target" ] && kill -0 "$victim" 2>/dev/null; do
    sleep 0.01
done
kill -KILL "$victim" 2>/dev/null ||
    fail "it had ended before it could be killed: $(cat "$work/killed.out")"
wait "$victim" 2>/dev/null
printf '   Killed after step %d of %d. What is left:\n\n' \
    $(($(lines "$work/killed/ledger.jsonl") - 1)) "$steps"
run "$snap" list "$work/killed" || fail "the folder of the killed run cannot be read"

tell "Restore it. It goes back to the last snapshot, and every step that is made a second time must
   equal, bit for bit, the line that the killed process had written for it."
run "$snap" restore "$work/killed" || fail "the killed run could not be finished"

tell "Did the kill change anything? Compare the two runs: hashes, then every line of the ledgers."
run "$snap" hash "$work/undisturbed" || fail "no hash"
run "$snap" hash "$work/killed" || fail "no hash"
[ "$(hashes "$work/undisturbed")" = "$(hashes "$work/killed")" ] ||
    fail "run hash or state hash differ"
run cmp "$work/undisturbed/ledger.jsonl" "$work/killed/ledger.jsonl" || fail "the ledgers differ"
run "$snap" diff "$work/undisturbed" "$work/killed" || fail "snap diff sees a difference"

middle=$(find "$work/undisturbed/snapshots" -name '*.snap.tar' | sort | head -n 2 | tail -n 1)
tell "Replay a stretch: from an archive in the middle, train on, and compare with the record."
run "$snap" replay "$middle" || fail "the replay does not agree"

tell "Check that archive without this program: tar and sha256sum are enough."
mkdir "$work/unpacked" || fail "no folder to unpack into"
run tar -xf "$middle" -C "$work/unpacked" || fail "tar does not read the archive"
printf '   $ cd unpacked && sha256sum -c --ignore-missing SHA256SUMS\n'
checked=$(cd "$work/unpacked" && sha256sum -c --ignore-missing SHA256SUMS 2>&1) ||
    fail "sha256sum disagrees: $checked"
printf '%s\n' "$checked" | sed -e 's/^/     /' -e '4,$d'
printf '     ... %d members, all OK\n' "$(printf '%s\n' "$checked" | grep -c ': OK$')"
printf '   $ sha256sum unpacked/SHA256SUMS      # this is the snapshot hash\n'
outside=$(sha256sum "$work/unpacked/SHA256SUMS" | cut -d' ' -f1)
printf '     %s\n' "$outside"
"$snap" hash "$middle" | grep -q "snap1:$outside" || fail "snap names another snapshot hash"

printf '\nNothing changed. The run hash, which a paper would print:\n\n   %s\n' \
    "$("$snap" hash "$work/killed" | grep -o 'run1:[0-9a-f]*' | head -n 1)"
