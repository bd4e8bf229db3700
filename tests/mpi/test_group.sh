#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a group of ranks must do, for one process alone and for any number under mpirun; and what a
# launcher says that does not fit.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/mpi/mpi_lib.sh
. "${top_srcdir:?}/tests/mpi/mpi_lib.sh"
check=$top_builddir/tests/mpi/check_group

try "one process alone" "$check" 1
alone() { # one that no launcher started opens no library of MPI
    strace -f -o "$work/trace" -e trace=open,openat "$check" 1 && ! grep -q libmpi "$work/trace"
}
if command -v strace >/dev/null; then
    try "it loads no MPI" alone
else
    skip "it loads no MPI" "strace is not installed"
fi

# A batch script knows how many tasks its srun would start, and is none of them.
try "a batch script of four tasks" env SLURM_NTASKS=4 SLURM_JOB_ID=1 "$check" 1

need_mpi "on several ranks"
exits 1 "a launcher that MPI does not know of" \
    env SLURM_NTASKS=4 SLURM_STEP_ID=0 SLURM_PROCID=1 "$check" 4
like "is named, with what it needs" \
    'SLURM_NTASKS says .* 4 processes, and MPI has 1: .*--mpi=pmix' "$(cat "$work/err")"
for n in 1 2 3 4 7; do
    try "$n ranks" ranks "$n" "$check" "$n"
done
try "3 ranks of a program that uses MPI itself" \
    ranks 3 "$top_builddir/tests/mpi/check_group_linked" 3
tap_done
