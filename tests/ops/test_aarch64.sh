#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kernels and functions built for aarch64 by Debian's compiler, and run under qemu-user, give what
# this machine's give; and those have the kept hashes by test_operators. The library's dependencies
# are not needed: of the library the pool, errors and the dropout's words take part.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
: "${top_builddir:?}"

target=aarch64-linux-gnu
flags="-std=gnu11 -O2 -pthread -ffp-contract=off -ffunction-sections -fdata-sections
    -DHAVE_CONFIG_H -I$top_builddir -I$top_srcdir/trainer -I$top_srcdir/snapshot
    -I$top_srcdir/snapshot/include -I$top_srcdir/tests/ops"

if ! command -v "$target-gcc" >/dev/null || ! command -v qemu-aarch64-static >/dev/null; then
    skip "aarch64" "no $target-gcc or no qemu-aarch64-static"
    tap_done
fi

compile() { # OBJECT SOURCE FLAGS...
    object=$1 source=$2
    shift 2
    # shellcheck disable=SC2086
    "$target-gcc" $flags "$@" -c -o "$work/$object.o" "$source"
}

# The kernels, as trainer/ops/Makefile.inc has them for this processor.
kernel_sources=$(sed -n '/^trainer_kernel_sources/,/[a-z]$/s/.*\(cpu_[a-z]*\.c\).*/\1/p' \
    "$top_srcdir/trainer/ops/Makefile.inc")
kernels() { # ISA FLAGS...
    isa=$1
    shift
    for source in $kernel_sources; do
        compile "$isa-$source" "$top_srcdir/trainer/ops/$source" -DTRN_ISA="$isa" \
            -ftree-vectorize -fvect-cost-model=dynamic -fno-math-errno -fno-trapping-math "$@" ||
            return 1
    done
}

program() {
    kernels neon && kernels scalar -DTRN_PLAIN || return 1
    for source in trainer/ops/cpu_canary.c trainer/ops/cpu_memory.c trainer/ops/ops_registry.c \
        snapshot/core/pool.c snapshot/core/status.c snapshot/core/text.c \
        snapshot/stream/philox.c snapshot/stream/philox_dropout.c tests/ops/dump_operators.c \
        tests/ops/op_cases.c tests/ops/op_oracle.c tests/ops/op_oracle_sequences.c \
        tests/ops/op_runners.c; do
        compile "$(basename "$source")" "$top_srcdir/$source" || return 1
    done
    "$target-gcc" -static -pthread -Wl,--gc-sections -o "$work/dump" "$work"/*.o -lm
}

capture "$top_builddir/tests/ops/dump_operators" scalar 1
cp "$work/out" "$work/here"
like "this machine's words are there" '^[0-9a-f]{16} erf$' "$(tail -1 "$work/here")"
try "builds for aarch64" program
for isa in neon scalar; do
    capture qemu-aarch64-static "$work/dump" $isa 2
    try "aarch64, $isa: the same bits" cmp "$work/here" "$work/out"
done
tap_done
