#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Streams of which each rank has one of its own, in a program that uses the library: saved and
# restored on four ranks; on another number by a rule that the receipt records; and a stream that is
# the same on two ranks, or not the same on all, is caught at the save.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/mpi/mpi_lib.sh
. "${top_srcdir:?}/tests/mpi/mpi_lib.sh"
need_mpi "streams of the ranks"
check=$top_builddir/tests/mpi/check_rank_streams

exits 0 "ten steps on four ranks" ranks 4 "$check" "$work/whole" 10
whole=$(cat "$work/out")
exits 0 "five" ranks 4 "$check" "$work/half" 5
exits 0 "and five after a restore" ranks 4 "$check" "$work/half" 10
same "are the same run and state" "$whole" "$(tail -n 2 "$work/out")"
like "exactly" '"tier":"exact"' "$(cat "$work/out")"
exits 0 "the archive is in order" "$SNAP" verify "$work/half"
archive=$work/half/snapshots/step-0000000005.snap.tar
streams() { "$SNAP" list "$1" | grep -o 'rng/.*' | tr '\n' ' '; } # ARCHIVE
same "it has a stream for each rank, and the shared one" \
    "rng/shard-000/own rng/shard-001/own rng/shard-002/own rng/shard-003/own rng/shared " \
    "$(streams "$archive")"
drawn() { sed -n 2p "$1/ledger.jsonl" | grep -o '"draws":{[^}]*}'; } # DIR
note "$(drawn "$work/whole")"
like "a line of the ledger counts the draws of each" 'shard-003/own":' "$(drawn "$work/whole")"

# ---- other numbers of ranks ----

exits 6 "on two ranks it is not exact" ranks 2 "$check" "$work/no" 10 "from=$archive"
like "and the rule is named" \
    'shard-002/own is of a rank that is not here: by the rule rank-streams-1' "$(cat "$work/err")"
for n in 2 6; do
    for again in a b; do
        exits 0 "on $n ranks at tier streams ($again)" \
            ranks "$n" "$check" "$work/$n-$again" 10 "from=$archive" tier=streams
        tail -n 2 "$work/out" >"$work/$n-$again.hashes"
    done
    cp "$work/out" "$work/receipt"
    like "$n ranks: the receipt has the tier" '"tier":"streams"' "$(cat "$work/receipt")"
    try "$n ranks: twice the same" cmp "$work/$n-a.hashes" "$work/$n-b.hashes"
    exits 0 "$n ranks: in order" "$SNAP" verify "$work/$n-a"
done
like "six ranks: what is new is in the receipt" \
    'stream shard-005/own is not in the archive.*by the rule rank-streams-1 it is seeded anew' \
    "$(cat "$work/receipt")"
like "two ranks: what they have is what it was" \
    "$("$SNAP" cat "$archive" rng/shard-001/own | sha256sum | cut -d ' ' -f 1)" \
    "$(ranks 2 "$check" "$work/2-c" 6 "from=$archive" tier=streams)"
exits 0 "one process alone too" "$check" "$work/1-a" 10 "from=$archive" tier=streams
exits 0 "and back on four" ranks 4 "$check" "$work/4-a" 12 \
    "from=$work/1-a/snapshots/step-0000000010.snap.tar" tier=streams

# ---- planted ----

exits 1 "a stream that is the same on two ranks" ranks 3 "$check" "$work/same" 5 plant=same
like "is named, with both" \
    'rank 1 of 3: stream shard-001/own: has the state of shard-000/own, .*seed it by rank' \
    "$(cat "$work/err")"
try "and nothing is saved" test ! -e "$work/same/latest"
exits 1 "a shared stream from which one rank drew more" ranks 3 "$check" "$work/apart" 5 plant=apart
like "is named, with the rank" \
    'rank 1 of 3: ledger: this rank has another chain than rank 0' "$(cat "$work/err")"
exits 1 "one that draws before the first step" \
    ranks 3 "$check" "$work/early" 5 plant=early
like "is named too" 'rank 1 of 3: run: begin: this rank came to another chain' "$(cat "$work/err")"
try "and nothing is saved" test ! -e "$work/apart/latest"
exits 1 "one that draws between a step and its save" \
    ranks 3 "$check" "$work/late" 5 plant=late
like "is named, with the stream" \
    'rank 1 of 3: stream shared: its state here is not that of rank 0' "$(cat "$work/err")"
try "and nothing is saved" test ! -e "$work/late/latest"
tap_done
