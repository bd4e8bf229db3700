#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Ada has trained a network. She prints two hashes in her paper and uploads a folder. Ben, who has
# neither snap nor her machine, checks it with tar, sha256sum and ssh-keygen.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"
# shellcheck source=tests/stories/paper.sh
. "$top_srcdir/tests/stories/paper.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
if ! make_keys; then
    skip "the story" "no ssh-keygen (package openssh-client)"
    tap_done
fi
run_hash=$(printed "$run" run)
snapshot_hash=$(printed "$run" snapshot)

# ---- Ada cites, and publishes ----

exits 0 "cite" "$SNAP" cite "$run"
like "it has the line for the paper" \
    "^LaTeX +Training run .*$run_hash.*step 24.*$snapshot_hash" "$(cat "$work/out")"
exits 0 "publish, with a signature" "$SNAP" publish "$run" -o "$work/paper" --sign "$work/key"
same "what goes out" "CHECK.md SHA256SUMS SHA256SUMS.sig config.json latest ledger.jsonl listings \
snapshots" "$(cd "$work/paper" && echo *)"
same "the archives are the run's, byte for byte" \
    "$(cd "$run/snapshots" && sha256sum ./*)" "$(cd "$work/paper/snapshots" && sha256sum ./*)"
same "no path of Ada's is in it" "" "$(grep -rlF "$work" "$work/paper")"

# ---- Ben does what CHECK.md says, up to the part about snap ----

sed -n '/^## With snap/q; s/^    //p' "$work/paper/CHECK.md" >"$work/lines"
sed -n '/^sha256sum/p; /^mkdir/p; /^tar/p; /^cmp/p; /^grep/p; /^(cd/p; /^ssh-keygen/p' \
    "$work/lines" >"$work/commands.sh"
same "CHECK.md has the commands" 9 "$(wc -l <"$work/commands.sh")"
sed 's/^ada /author /' "$work/signers" >"$work/paper/signers"
(cd "$work/paper" && sh -eu "$work/commands.sh") >"$work/checked" 2>&1
same "each of them succeeds" 0 "$?"
rm -r "$work/paper/unpacked" "$work/paper/signers"
like "sha256sum gives the hash that the paper prints" "^${snapshot_hash#snap1:} " \
    "$(cat "$work/checked")"
like "and the state hash" "^$(printed "$run" state | sed 's/state1://')  STATE" \
    "$(cat "$work/checked")"
like "ssh-keygen knows who signed" 'Good "snapstate" signature for author' \
    "$(cat "$work/checked")"

# ---- a reviewer must not know who Ada is ----

exits 0 "publish anonymously, without the optimizer, two archives" env USER=ada_lovelace \
    "$SNAP" publish "$run" -o "$work/blind" --anonymous --withhold optimizer --snapshots 2
same "two archives" "step-0000000012.snap.tar step-0000000024.snap.tar" \
    "$(cd "$work/blind/snapshots" && echo *)"
tar -tf "$work/blind/snapshots/step-0000000024.snap.tar" >"$work/members"
same "no environment, no optimizer" "" "$(grep -E '^env\.json|^tensors/optimizer/' "$work/members")"
like "the weights are there" '^tensors/model/fc1\.weight$' "$(cat "$work/members")"
same "the hashes are the same" "$snapshot_hash" "$(printed "$work/blind" snapshot)"
says 0 "and stand" "members: 16 withheld" \
    "$SNAP" verify "$work/blind" "$snapshot_hash" --allow-withheld
make_run "$work/named" 'training.model=[{"name": "flatten", "kind": "flatten"},
    {"name": "ada_lovelace", "kind": "linear", "features": 10}]' 'training.epochs=1'
says 2 "a name in what is hashed is found" 'has "ada_lovelace" in it, the name of this user' \
    env USER=ada_lovelace "$SNAP" publish "$work/named" -o "$work/refused" --anonymous

tap_done
