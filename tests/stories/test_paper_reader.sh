#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Cleo has snap. She checks what Ada has published, as far as what she has downloaded goes, and
# makes parts of the training again.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"
# shellcheck source=tests/stories/paper.sh
. "$top_srcdir/tests/stories/paper.sh"

run=$work/run
paper=$work/paper
make_run "$run" || note "$(cat "$work/make_run.log")"
run_hash=$(printed "$run" run)
snapshot_hash=$(printed "$run" snapshot)
state_hash=$(printed "$run" state)
"$SNAP" publish "$run" -o "$paper" >/dev/null || note "not published"

# ---- all of it ----

says 0 "by the snapshot hash" \
    "proven          content: 116 members of 4 snapshots, byte for byte" \
    "$SNAP" verify "$paper" "$snapshot_hash"
like "it walks to the genesis" \
    "^proven +walk: 4 snapshots from step 24 back to the genesis" "$(cat "$work/out")"
like "what no hash can prove is told" "^taken on trust +execution:" "$(cat "$work/out")"
like "what is not there too" "^absent +data files:" "$(cat "$work/out")"
says 0 "by the run hash" "and what is recorded of steps 1 to 24" \
    "$SNAP" verify "$paper" "$run_hash"
says 0 "without a hash" "taken on trust  hash: none was given" "$SNAP" verify "$paper"
same "then nothing is proven" "" "$(grep '^proven' "$work/out")"

# ---- parts of it ----

first=$paper/snapshots/step-0000000006.snap.tar
last=$paper/snapshots/step-0000000024.snap.tar
says 0 "the last archive alone" "absent          walk: it ends at step 24: the snapshot before" \
    "$SNAP" verify "$last" "$snapshot_hash"
says 0 "two archives, between which some are missing" \
    "taken on trust  other snapshots: 1 that the hash does not lead to" \
    "$SNAP" verify "$first" "$last" "$snapshot_hash"
cp "$last" "$work/no_lines.snap.tar"
forge withhold "$work/no_lines.snap.tar" ledger.jsonl
says 0 "a run hash reaches back by ledger lines, and not by the names of parents" \
    "taken on trust  content: of 2 snapshots" "$SNAP" verify \
    "$paper/snapshots/step-0000000018.snap.tar" "$work/no_lines.snap.tar" "$run_hash" \
    --allow-withheld
says 0 "all four" "back to the genesis" "$SNAP" verify "$paper"/snapshots/* "$snapshot_hash"
says 0 "the listing alone" "absent          snapshots: the content of 1" \
    "$SNAP" verify "$paper/listings/step-0000000024/SHA256SUMS" "$snapshot_hash"
cp -r "$paper" "$work/part"
rm "$work/part/snapshots/step-0000000012.snap.tar" "$work/part/snapshots/step-0000000018.snap.tar"
says 6 "a download with two archives of four" "2 files are absent" \
    "$SNAP" verify "$work/part" "$snapshot_hash"
says 0 "the listings bridge the gap" "walk: 4 snapshots from step 24 back to the genesis" \
    "$SNAP" verify "$work/part" "$snapshot_hash" --allow-withheld

# ---- one member, for somebody who has nothing else ----

exits 0 "prove that a stream belongs to the hash" \
    "$SNAP" prove "$last" rng/python -o "$work/proof"
same "two files are enough" "SHA256SUMS rng" "$(cd "$work/proof" && echo *)"
same "coreutils alone: the hash" "${snapshot_hash#snap1:}" \
    "$(sha256sum <"$work/proof/SHA256SUMS" | cut -d' ' -f1)"
# shellcheck disable=SC2016 # the words are of the shell inside
try "coreutils alone: the member" \
    sh -c 'cd "$1" && sha256sum -c --ignore-missing SHA256SUMS' sh "$work/proof"
says 0 "snap alone" "proven          content: 1 member of 1 snapshot, byte for byte" \
    "$SNAP" verify "$work/proof" "$snapshot_hash"
"$SNAP" prove "$last" rng/python -o "$work/shorter" --state >/dev/null
says 0 "and by the state hash" "proven          content: the members of STATE that are here" \
    "$SNAP" verify "$work/shorter" "$state_hash"

# ---- making it again ----

says 0 "one stretch of four, drawn by chance" "1 of 4 stretches" \
    "$SNAP" verify "$paper" "$run_hash" --replay 1 --data "$digits"
like "the challenge is told" "^challenge [0-9a-f]{32}, drawn now" "$(cat "$work/out")"
challenge=$(sed -n 's/^challenge \([0-9a-f]*\),.*/\1/p' "$work/out")
stretch=$(grep '^equal' "$work/out")
says 0 "and chooses the same again" "$stretch" \
    "$SNAP" verify "$paper" "$run_hash" --replay 1 --data "$digits" --challenge "$challenge"
like "which is worth less when it was known before" "^taken on trust +execution: .*may have been" \
    "$(cat "$work/out")"
# The rule of snap-verify(1), with coreutils: the stretch whose SHA-256 is the smallest.
chosen_by() { # CHALLENGE: the first step of the stretch
    for first_step in 0 6 12 18; do
        printf 'snap-challenge-1\n%s\n%s\n' "$1" $first_step | sha256sum |
            sed "s/ .*/ $((first_step + 1))/"
    done | LC_ALL=C sort | sed -n '1s/.* //p'
}
: >"$work/by_rule"
: >"$work/by_snap"
for challenge in 0001 0002 0003 0004 0005; do
    chosen_by $challenge >>"$work/by_rule"
    "$SNAP" verify "$paper" --replay 1 --data "$digits" --challenge $challenge |
        sed -n 's/^equal *steps \([0-9]*\) to.*/\1/p' >>"$work/by_snap"
done
same "the challenge alone says which" "$(cat "$work/by_rule")" "$(cat "$work/by_snap")"
like "and not always the same" '^[2-5]$' "$(sort -u "$work/by_rule" | wc -l)"
says 0 "all, the first from config, seeds and data" \
    "24 steps of 24 were made again, 4 of 4 stretches, and all of it is equal, bit for bit" \
    "$SNAP" verify "$paper" "$run_hash" --replay 9 --data "$digits"
like "step 0 is made from those" "^equal +steps 1 to 6, from what config, seeds and data make" \
    "$(cat "$work/out")"
"$SNAP" publish "$run" -o "$work/thin" --withhold optimizer >/dev/null
says 0 "no archive is whole: from step 0 it can be done all the same" \
    "24 steps of 24 were made again, 1 of 1 stretches" \
    "$SNAP" verify "$work/thin" "$run_hash" --replay 1 --data "$digits" --allow-withheld

tap_done
