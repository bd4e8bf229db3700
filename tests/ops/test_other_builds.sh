#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kernels and functions built for aarch64 by Debian's compiler, and run under qemu-user, and those
# built by clang for this processor, give what this build's give; and those have the kept hashes by
# test_operators. The library's dependencies are not needed: of the library the pool, errors and the
# dropout's words take part.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/kernels_lib.sh
. "${top_srcdir:?}/tests/resume/kernels_lib.sh"

base_flags="-std=gnu11 -O2 -pthread -ffp-contract=off -ffunction-sections -fdata-sections
    -DHAVE_CONFIG_H -I$top_builddir -I$top_srcdir/trainer -I$top_srcdir/snapshot
    -I$top_srcdir/snapshot/include -I$top_srcdir/tests/ops"

# The kernels, and the instructions of a table of them, as trainer/ops/Makefile.inc has both.
kernel_flags="-ftree-vectorize -fno-math-errno -fno-trapping-math"
kernel_sources=$(sed -n '/^trainer_kernel_sources/,/[a-z]$/s/.*\(cpu_[a-z]*\.c\).*/\1/p' \
    "$top_srcdir/trainer/ops/Makefile.inc")
flags_of() { # ISA
    case $1 in
    scalar) echo -DTRN_PLAIN ;;
    avx2) echo -mavx2 -mfma ;;
    avx512)
        echo -mavx2 -mfma -mavx512f -mavx512dq -mavx512bw -mavx512vl -mprefer-vector-width=512
        ;;
    esac
}

compile() { # COMPILER OBJECT SOURCE FLAGS...
    compiler=$1 object=$2 source=$3
    shift 3
    # shellcheck disable=SC2086
    "$compiler" $base_flags "$@" -c -o "$work/$object.o" "$source"
}

# dump_operators with these tables, which are all that the processor has.
build() { # COMPILER ISA...
    compiler=$1
    shift
    rm -f "$work"/*.o
    for isa in "$@"; do
        for source in $kernel_sources; do
            # shellcheck disable=SC2046,SC2086
            compile "$compiler" "$isa-$source" "$top_srcdir/trainer/ops/$source" -DTRN_ISA="$isa" \
                $kernel_flags $(flags_of "$isa") || return 1
        done
    done
    for source in trainer/ops/cpu_canary.c trainer/ops/cpu_memory.c trainer/ops/ops_registry.c \
        snapshot/core/pool.c snapshot/core/status.c snapshot/core/text.c \
        snapshot/stream/philox.c snapshot/stream/philox_lanes.c snapshot/stream/philox_dropout.c \
        tests/ops/dump_operators.c tests/ops/op_cases.c tests/ops/op_oracle.c \
        tests/ops/op_oracle_sequences.c tests/ops/op_runners.c; do
        compile "$compiler" "$(basename "$source")" "$top_srcdir/$source" || return 1
    done
    "$compiler" -static -pthread -Wl,--gc-sections -o "$work/dump" "$work"/*.o -lm
}

capture "${top_builddir:?}/tests/ops/dump_operators" scalar 1
cp "$work/out" "$work/here"
like "this build's words are there" '^[0-9a-f]{16} erf$' "$(tail -1 "$work/here")"

check() { # TITLE ISA COMMAND...
    title=$1 isa=$2
    shift 2
    capture "$@" "$isa" 2
    try "$title, $isa: the same bits" cmp "$work/here" "$work/out"
}

machine=$(uname -m)
case $machine in
x86_64) tables='scalar sse2 avx2 avx512' ;;
aarch64) tables='scalar neon' ;;
esac
if command -v clang >/dev/null; then
    # shellcheck disable=SC2086
    try "clang: builds" build clang $tables
    for isa in $tables; do
        if can_run_isa "$isa"; then
            check clang "$isa" "$work/dump"
        else
            skip "clang, $isa" "this CPU does not have it"
        fi
    done
else
    skip "clang" "it is not here"
fi

cross=aarch64-linux-gnu-gcc
emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64)
if [ "$machine" = aarch64 ]; then
    note "this is aarch64 itself"
elif [ -n "$emulator" ] && command -v "$cross" >/dev/null; then
    try "aarch64: builds" build "$cross" scalar neon
    check aarch64 neon "$emulator" "$work/dump"
    check aarch64 scalar "$emulator" "$work/dump"
else
    skip "aarch64" "no $cross or no qemu-aarch64-static"
fi
tap_done
