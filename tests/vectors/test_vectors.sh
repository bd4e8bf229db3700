#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the real libraries drew, against the engines: the files of vectors in
# $SNAP_TEST_DATA/vectors, with the libm form that this CPU gets and, where glibc can be told, with
# the one without FMA.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

check=${top_builddir:?}/tests/check_vectors
no_fma=glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-AVX512F,-AVX512VL

# A point for a file: no mismatch, and at least one case that was not skipped.
check_file() { # NAME FILE
    if found=$("$check" "$2" 2>&1) && echo "$found" | grep -q ': [1-9][0-9]* cases, [1-9]'; then
        ok "$1"
        note "$found"
    else
        not_ok "$1" "$found"
    fi
}

if [ -z "${SNAP_TEST_DATA:-}" ]; then
    skip "vectors of the real libraries" "SNAP_TEST_DATA is not set"
else
    for family in python_random numpy_randomstate torch_cpu counter_based; do
        file=$SNAP_TEST_DATA/vectors/$family.json
        if [ -f "$file" ]; then
            check_file "$family" "$file"
        else
            skip "$family" "no such file in the vectors folder"
        fi
    done
    file=$SNAP_TEST_DATA/vectors/torch_cpu.json
    if [ ! -f "$file" ]; then
        skip "torch_cpu, libm without FMA" "no such file in the vectors folder"
    elif GLIBC_TUNABLES=$no_fma "$check" "$file" 2>&1 | grep -q '^libm: as in libm-nofma'; then
        GLIBC_TUNABLES=$no_fma
        export GLIBC_TUNABLES
        check_file "torch_cpu, libm without FMA" "$file"
        unset GLIBC_TUNABLES
    else
        ok "torch_cpu, libm without FMA: this libm has no such form"
    fi
fi

# The checker must be able to say no.
one_case() { # OUT KEY_WORD
    cat <<END
{"schema": "snap-vectors/1", "family": "counter_based", "version": "", "cases": [
  {"id": "philox4x32/kat/0", "seed": null, "state_after": null, "state_before":
    {"counter": ["00000000", "00000000", "00000000", "00000000"], "key": ["00000000", "$2"]},
   "calls": [{"fn": "philox4x32", "args": {"rounds": 10}, "type": "hex32",
    "out": ["6627e8d5", "e169c58d", "bc57ac4c", "$1"]}]}]}
END
}
one_case 9b00dbd8 00000000 >"$work/right.json"
one_case 9b00dbd9 00000000 >"$work/wrong_result.json"
one_case 9b00dbd8 00000001 >"$work/wrong_key.json"
echo '{}' >"$work/no_vectors.json"
exits 0 "a right answer is accepted" "$check" "$work/right.json"
exits 1 "a wrong key is noticed" "$check" "$work/wrong_key.json"
exits 1 "a wrong result is noticed" "$check" "$work/wrong_result.json"
like "and named" 'philox4x32/kat/0: philox4x32: result 3 is 9b00dbd8' "$(cat "$work/out")"
exits 2 "a file that holds no vectors is refused" "$check" "$work/no_vectors.json"

tap_done
