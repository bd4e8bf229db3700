#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Mallory wants another result than the one that was trained. Each of the ways is found out, and
# the sentence says by what.
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
snapshot_hash=$(printed "$run" snapshot)
run_hash=$(printed "$run" run)
"$SNAP" publish "$run" -o "$work/paper" --sign "$work/key" >/dev/null || note "not published"
last=snapshots/step-0000000024.snap.tar
says 0 "what Ada has published is good" "all files of the folder are as ada signed them" \
    "$SNAP" verify "$work/paper" "$snapshot_hash" --signers "$work/signers"

copy() { # a folder to falsify, in `fake`
    fake=$work/fake
    rm -rf "$fake"
    cp -r "$work/paper" "$fake"
}

# ---- one weight ----

copy
forge bit "$fake/$last" tensors/model/fc1.weight 2
says 5 "one weight: the list of files" "$last is not the file that it lists" \
    "$SNAP" verify "$fake" "$snapshot_hash"
forge list "$fake"
says 5 "one weight, list made again: the signature" "it is not a signature of these bytes" \
    "$SNAP" verify "$fake" "$snapshot_hash" --signers "$work/signers"
rm "$fake/SHA256SUMS.sig"
says 5 "one weight, unsigned: the ledger" \
    "float.state is not the digest of the state in the archive" \
    "$SNAP" verify "$fake" "$snapshot_hash"
says 1 "one weight, the archive alone: the hash" "and $snapshot_hash was expected" \
    "$SNAP" verify "$run/snapshots/step-0000000018.snap.tar" "$snapshot_hash"

# ---- one ledger line ----

copy
sed -i '10 s/"loss":"./"loss":"0/' "$fake/ledger.jsonl"
forge list "$fake"
says 5 "one ledger line: the chain" "ledger.jsonl: line 10" "$SNAP" verify "$fake" "$run_hash"
copy
forge ledger "$fake/ledger.jsonl" 9 float.scalars.loss 3f800000
forge list "$fake"
says 5 "one ledger line, chains made again: the archives" "its chain is not the ledger's" \
    "$SNAP" verify "$fake" "$run_hash"
like "and the run hash" "$run_hash is nowhere in what is here" "$(cat "$work/out")"

# ---- one data file ----

mkdir "$work/other_data"
cp "$digits"/digits-*-ubyte "$work/other_data"
flip_byte "$work/other_data/digits-train-images.idx3-ubyte" 5000
says 3 "one data file: its digest" "train_images: no file of 92048 bytes with SHA-256" \
    "$SNAP" verify "$work/paper" "$run_hash" --replay 1 --data "$work/other_data"

# ---- the seed: the ledger says another one than the training had ----

copy
rm -r "$fake/snapshots" "$fake/listings" "$fake/latest" "$fake/SHA256SUMS" "$fake/SHA256SUMS.sig"
forge seed "$fake" 43
says 1 "the seed: the state before the first step" \
    "genesis line: genesis differs from the ledger: float.state" \
    "$SNAP" verify "$fake" --replay 1 --data "$digits"

# ---- the signature ----

ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/mallory"
copy
rm "$fake/SHA256SUMS.sig"
ssh-keygen -q -Y sign -n snapstate -f "$work/mallory" "$fake/SHA256SUMS"
says 1 "the signature of another key" "which is not among the signers allowed" \
    "$SNAP" verify "$fake" "$snapshot_hash" --signers "$work/signers"
rm "$fake/SHA256SUMS.sig"
says 6 "no signature" "nobody has signed the folder" \
    "$SNAP" verify "$fake" "$snapshot_hash" --signers "$work/signers"
ssh-keygen -q -Y sign -n file -f "$work/key" "$fake/SHA256SUMS"
says 5 "a signature that was made for something else" "made for another purpose" \
    "$SNAP" verify "$fake" "$snapshot_hash" --signers "$work/signers"

# ---- an archive in the place of another ----

copy
cp "$fake/snapshots/step-0000000012.snap.tar" "$fake/snapshots/step-0000000018.snap.tar"
forge list "$fake"
says 5 "an archive of another step" "step-0000000018.snap.tar: holds a snapshot of step 12" \
    "$SNAP" verify "$fake" "$snapshot_hash"
make_run "$work/second" training.seed=7
copy
cp "$work/second/$last" "$fake/$last"
forge list "$fake"
says 5 "an archive of another run" "$last: its chain is not the ledger's" \
    "$SNAP" verify "$fake" "$snapshot_hash"
copy
cp "$work/second/$last" "$fake/snapshots/step-0000000030.snap.tar"
says 5 "an archive more" "step-0000000030.snap.tar is in the folder and not in the list" \
    "$SNAP" verify "$fake" "$snapshot_hash"

# ---- the author herself lies, in step 9, and tries extras until the stretch is spared ----

for try in 1 2 3 4 5 6 7 8 9; do
    challenge=000$try
    "$SNAP" verify "$run" --replay 1 --data "$digits" --challenge $challenge |
        grep -q '^equal *steps 7 to 12' && break
done
: >"$work/hashes"
for note in no.1 no.2 no.3; do
    rm -rf "$work/lie" "$work/lied"
    cp -r "$run" "$work/lie"
    forge run "$work/lie" 9 float.scalars.loss 3f800000 "$note"
    "$SNAP" publish "$work/lie" -o "$work/lied" >/dev/null
    printed "$work/lied" snapshot >>"$work/hashes"
    says 0 "$note: every hash fits" "taken on trust  execution" \
        "$SNAP" verify "$work/lied" "$(printed "$work/lied" snapshot)"
    says 1 "$note: the challenge chooses that stretch all the same" "step 9: loss differs" \
        "$SNAP" verify "$work/lied" "$(printed "$work/lied" snapshot)" \
        --replay 1 --data "$digits" --challenge "$challenge"
    like "$note: the verdict says so" "^verdict: differs" "$(cat "$work/out")"
done
same "the extras gave three hashes" 3 "$(sort -u "$work/hashes" | wc -l)"

tap_done
