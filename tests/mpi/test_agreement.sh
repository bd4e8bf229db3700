#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A failure that follows another one, with no step between them, is heard by all ranks; what hangs
# is ended, and fails.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/mpi/mpi_lib.sh
. "${top_srcdir:?}/tests/mpi/mpi_lib.sh"
need_mpi "failures one after the other"
check=$top_builddir/tests/mpi/check_agreement

for n in 1 2 3; do
    mkdir "$work/$n"
    exits 0 "$n ranks" ranks "$n" "$check" "$work/$n"
done
tap_done
