#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the kernels' objects ask of other libraries: memory functions, the pool, the device stream's
# words, and nothing of libm, whose results differ between machines.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

# Anything that a compiler or a sanitizer adds begins with two underscores.
added='_GLOBAL_OFFSET_TABLE_$|__(asan|ubsan|sanitizer|stack_chk|gcov|mem[a-z]*_chk)'
library='snap_pool_|snap_philox_dropout_block$|snap_error_set$'
allowed="^(trn_|$library|mem(cpy|move|set)$|$added)"

found=0
for archive in "${top_builddir:?}"/.libs/libtrainer_ops_*.a; do
    [ -e "$archive" ] || continue
    found=$((found + 1))
    name=$(basename "$archive")
    capture nm -u "$archive"
    strangers=$(awk '$1 == "U" || $1 == "w" { print $2 }' "$work/out" | sort -u |
        grep -Ev "$allowed")
    same "$name: nothing undefined but memory, pool and words" "" "$strangers"
    like "$name: the scan saw symbols" '[[:space:]]U snap_pool_run' "$(cat "$work/out")"
done
like "there are kernel libraries" '^[1-9]' "$found"

printf 'U memcpy\nU fmaf\nU expf\nU sqrtf\n' >"$work/planted"
same "a planted libm symbol is noticed" "expf fmaf sqrtf" \
    "$(awk '{ print $2 }' "$work/planted" | sort -u | grep -Ev "$allowed" | xargs)"
tap_done
