#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every command of docs/ranks.md, from its text: files as the page has them, then each line that
# begins with "$ ", in order. There is no Slurm here: slurm_stand_in.sh stands for it.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/mpi/mpi_lib.sh
. "${top_srcdir:?}/tests/mpi/mpi_lib.sh"
need_mpi "the page about Slurm"
page=$top_srcdir/docs/ranks.md

# The first block of a language after a line that begins with `NAME`.
block() { # NAME LANGUAGE
    awk -v name="\`$1\`" -v fence="\`\`\`$2" '
        index($0, name) == 1 { found = 1 }
        found && $0 == "```" { exit }
        inside { print }
        found && $0 == fence { inside = 1 }' "$page"
}

mkdir "$work/bin" "$work/job" "$work/slurm"
for name in sbatch srun scancel scontrol squeue; do
    cp "$top_srcdir/tests/mpi/slurm_stand_in.sh" "$work/bin/$name"
    chmod +x "$work/bin/$name"
done
ln -s "$SNAP" "$work/bin/snap"
PATH=$work/bin:$PATH
SLURM_STAND_IN=$work/slurm
export PATH SLURM_STAND_IN
cp -r "$top_srcdir/data" "$work/job/data"
cd "$work/job" || exit 99
block 'digits.json' json >"$work/job/digits.json"
block 'train.sbatch' sh >"$work/job/train.sbatch"
try "the page has the config" test -s digits.json
try "and the job" test -s train.sbatch
try "which is a script" bash -n train.sbatch

sed -n 's/^\$ //p' "$page" >"$work/commands"
note "$(wc -l <"$work/commands") commands"
try "and commands" test -s "$work/commands"
while read -r command; do
    exits 0 "$command" sh -c "$command"
done <"$work/commands"

same "the job ended with 75, and after it was requeued with 0" "75 0" \
    "$(tr '\n' ' ' <"$SLURM_STAND_IN/exits" | sed 's/ $//')"
like "it saved when it was asked to" '"event":"signal","signal":"SIGUSR1"' \
    "$(cat runs/digits/events.jsonl)"
like "and stopped" '"event":"signal","signal":"SIGUSR2"' "$(cat runs/digits/events.jsonl)"
like "and went on" '"event":"restore"' "$(cat runs/digits/events.jsonl)"
[ "$tap_failures" -eq 0 ] || note "$(cat "$SLURM_STAND_IN/job.out")"
tap_done
