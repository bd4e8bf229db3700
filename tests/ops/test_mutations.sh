#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kernels that were built wrongly must be noticed: with contraction, with flushed subnormals, with
# chunks of another size in DOT. Each mutation is compiled in place of the scalar table's file (the
# contraction in place of AVX2's, since it needs the instruction), and test_operators must fail.
# Without a mutation the same build must pass.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
: "${top_builddir:?}"

# ccache does not notice a header that comes to stand in front of another.
CCACHE_DISABLE=1
export CCACHE_DISABLE

ops=$top_srcdir/trainer/ops

# The compiler, libraries and flags of this build.
setting() { # NAME
    sed -n "s/^$1 = //p" "$top_builddir/Makefile"
}
CC=$(setting CC)
libraries="$(setting CMOCKA_LIBS) $(setting JANSSON_LIBS) $(setting ARCHIVE_LIBS)"
libraries="$libraries $(setting CRYPTO_LIBS) $(setting ZLIB_LIBS) $(setting MPFR_LIBS)"
sanitizers=$(setting SANITIZER_FLAGS)
if grep -q '^#define HAVE_CUDA 1' "$top_builddir/config.h"; then
    libraries="$(echo "$top_builddir"/trainer/ops/cuda/cuda_*.o) $(setting CUDA_LIBS) $libraries"
fi

# test_operators with one source in place of that of a table.
build() { # SOURCE FLAGS...
    source=$1
    shift
    # shellcheck disable=SC2086
    $CC -std=gnu11 -O2 -pthread -ffp-contract=off -fno-math-errno -fno-trapping-math $sanitizers \
        -I"$work" -I"$top_builddir" -I"$top_srcdir/trainer" \
        -I"$top_srcdir/snapshot/include" "$@" -c -o "$work/kernel.o" "$source" &&
        $CC -pthread $sanitizers -o "$work/test" "$work/kernel.o" \
            "$top_builddir"/tests/ops/test_operators-*.o "$top_builddir/.libs/libtrainer.a" \
            "$top_builddir/.libs/libsnapcore.a" $libraries -lm
}

# Whether the table's goldens hold with what was built.
goldens() { # TABLE
    CMOCKA_MESSAGE_OUTPUT=STDOUT "$work/test" "$1" >"$work/log" 2>&1
    grep -q "OK \] kernels_equal_goldens_$1\$" "$work/log" && echo equal && return
    grep -q "FAILED  \] kernels_equal_goldens_$1\$" "$work/log" && echo differ
}

try "unchanged: builds" build "$ops/cpu_gemm.c" -DTRN_ISA=scalar -DTRN_PLAIN
same "unchanged: goldens" equal "$(goldens scalar)"

mkdir "$work/ops"
sed 's/TRN_KC ((size_t)512)/TRN_KC ((size_t)256)/' "$ops/cpu_kernels.h" >"$work/ops/cpu_kernels.h"
try "another KC: is a change" test "$(cmp "$ops/cpu_kernels.h" "$work/ops/cpu_kernels.h")"
try "another KC: builds" build "$ops/cpu_gemm.c" -DTRN_ISA=scalar -DTRN_PLAIN
same "another KC: goldens" differ "$(goldens scalar)"
rm "$work/ops/cpu_kernels.h"

case $(uname -m) in
x86_64)
    cat >"$work/flushed.c" <<'C'
#include "config.h"
#include "ops/cpu_kernels.h"
#include "ops/vec.h"
#include <xmmintrin.h>
#define trn_vec_set(value) (_mm_setcsr(_mm_getcsr() | 0x8040), trn_vec_set(value))
#include "ops/cpu_gemm.c"
C
    try "flushed subnormals: builds" build "$work/flushed.c" -DTRN_ISA=sse2
    same "flushed subnormals: goldens" differ "$(goldens sse2)"
    if grep -qw fma /proc/cpuinfo && grep -qw avx2 /proc/cpuinfo; then
        try "contraction: builds" build "$ops/cpu_reduce.c" -DTRN_ISA=avx2 -mavx2 -mfma \
            -ffp-contract=fast
        same "contraction: goldens" differ "$(goldens avx2)"
    else
        skip "contraction" "this CPU has no AVX2 and FMA"
    fi
    ;;
esac
tap_done
