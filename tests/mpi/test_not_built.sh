#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A build without MPI: one process is as ever, and several say what is missing, and do not each
# write the same folder. check_group_none is check_group as it is in such a build.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
check=${top_builddir:?}/tests/mpi/check_group_none

try "one process alone" "$check" 1
for variable in OMPI_COMM_WORLD_SIZE PMI_SIZE SLURM_STEP_NUM_TASKS; do
    exits 1 "$variable: one of four" env $variable=4 "$check" 4
    like "$variable: it says so" \
        "$variable says that this is one of 4 processes, and MPI is not built in: .*--with-mpi" \
        "$(cat "$work/err")"
    try "$variable: one alone" env $variable=1 "$check" 1
done
exits 1 "SLURM_NTASKS in a step: one of four" env SLURM_NTASKS=4 SLURM_STEP_ID=0 "$check" 4
tap_done
