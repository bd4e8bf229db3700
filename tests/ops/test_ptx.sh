#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What nvcc makes of the kernels with the flags of the build: every operation on floats names its
# rounding, nothing is flushed or approximate, products are fused only where the definition says
# fmaf, and no atomic operation is on floats. Builds that are spoiled in each of these ways must be
# found out.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

kernels=$top_srcdir/trainer/ops/cuda
digests=$top_srcdir/snapshot/device
nvcc=${NVCC:-$(command -v nvcc)}
if [ -z "$nvcc" ] || ! [ -x "$nvcc" ]; then
    skip "PTX of the kernels" "there is no nvcc"
    tap_done
fi

# Kernels whose definition has fmaf; the template arguments are part of a name.
fused='trn_cuda_gemm_tiles|reduce_level.*trn_cuda_product|gelu_(for|back)ward|norm_forward'
fused="$fused|norm_running|(sgd|adam)_update|layernorm_(for|back)ward|attention_slopes"

compile() { # SOURCE PTX [FLAG...]
    source=$1
    ptx=$2
    shift 2
    # The flags of the build are words.
    # shellcheck disable=SC2086
    "$nvcc" -ptx -x cu ${NVCCFLAGS:?} -arch=compute_90 -I"$top_srcdir/snapshot/include" \
        -I"$top_srcdir/trainer" -I"$top_srcdir/snapshot" "$@" -o "$ptx" "$source"
}

# What is wrong in a PTX file, a line each.
faults() { # PTX
    awk -v fused="$fused" '
        /^(\.[a-z]+ )*\.?(entry|func)[ \t]/ { name = $0 }
        /^[ \t]*(\/\/|\.)/ { next }
        /\.ftz/ { tell("flushes") }
        /\.approx|\.full\./ { tell("approximates") }
        /[ \t](add|sub|mul|fma|mad|div|sqrt|rcp)\.(sat\.)?f(32|64)/ { tell("names no rounding") }
        /[ \t](add|sub|mul|fma|div|sqrt|rcp)\.r[zmp]/ { tell("rounds otherwise") }
        /[ \t](atom|red)\..*\.(f|bf)(16|32|64)/ { tell("is atomic on floats") }
        /mma/ { tell("is of the tensor cores") }
        /[ \t]fma\.rn\.f64/ { tell("fuses doubles") }
        /[ \t]fma\.rn\.f32/ && name !~ fused { tell("fuses where nothing says so") }
        function tell(what) { print name ": " what ": " $0 }
    ' "$1"
}

seen=
for source in "$kernels"/*.cu "$digests"/*.cu; do
    name=$(basename "$source" .cu)
    try "$name compiles to PTX" compile "$source" "$work/$name.ptx"
    same "$name: operations are as written" "" "$(faults "$work/$name.ptx" | head -n 3)"
    seen="$seen$(grep -cE '[[:space:]]fma\.rn\.f32' "$work/$name.ptx") "
done
like "the scan saw fused operations" '[1-9][0-9]' "$seen"

# ---- spoiled builds ----

spoil() { # KERNELS SED-SCRIPT NAME
    sed "$2" "$kernels/$1.cu" >"$work/spoiled.cu"
    try "$3: is another source" sh -c "! cmp -s '$work/spoiled.cu' '$kernels/$1.cu'"
}

noticed() { # WHAT NAME [FLAG...]
    what=$1
    name=$2
    shift 2
    try "$name: compiles" compile "$work/spoiled.cu" "$work/spoiled.ptx" "$@"
    like "$name: is noticed" "$what" "$(faults "$work/spoiled.ptx")"
}

cat >"$work/spoiled.cu" <<'END'
__global__ void canary(const float *x, float *y) { *y = x[0] * x[1] + x[2]; }
END
try "a plain product and sum: compiles" compile "$work/spoiled.cu" "$work/canary.ptx"
same "a plain product and sum: is not contracted" "" "$(faults "$work/canary.ptx")"
noticed 'canary.*(names no rounding|fuses)' "a contracted canary" -fmad=true

plain='s/__fmul_rn(\([^()]*\), \([^()]*\))/((\1) * (\2))/g'
spoil cuda_update "$plain" "plain products in updates"
noticed 'adam_update.*(names no rounding|fuses)' "contracted updates" -fmad=true
spoil cuda_loss "$plain" "plain products in the loss"
noticed 'cross_entropy.*flushes' "flushed subnormals" -ftz=true
spoil cuda_norm 's/__fdiv_rn(1.0f, __fsqrt_rn(\(.*\)));/rsqrtf(\1);/' "a fast root"
noticed 'reciprocal_deviation.*approximates' "a fast root"
spoil cuda_pooling 's/__fmul_rn(sum, share)/__fmaf_rn(sum, share, 0.0f)/' "a fused product"
noticed 'avgpool_forward.*fuses' "a fused product"
spoil cuda_pooling 's/dx\[item\] = gather(\(.*\));/atomicAdd(\&dx[item], gather(\1));/' \
    "an atomic sum"
noticed 'maxpool_backward.*atomic' "an atomic sum"
tap_done
