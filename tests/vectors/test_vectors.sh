#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the real libraries drew, against the engines: the files of vectors of this folder, with the
# libm form that this CPU gets and, where glibc can be told, with the one without FMA.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

check=${top_builddir:?}/tests/check_vectors
no_fma=glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-AVX512F,-AVX512VL

# A point for a file: no mismatch, and at least one case.
check_file() { # NAME FILE
    if found=$("$check" "$2" 2>&1) && echo "$found" | grep -q ': [1-9][0-9]* cases, [1-9]'; then
        ok "$1"
        note "$found"
    else
        not_ok "$1" "$found"
    fi
}

for family in python_random numpy_randomstate numpy_generator torch_cpu torch_cuda counter_based \
    curand jax tensorflow c_cxx; do
    check_file "$family" "$top_srcdir/tests/vectors/$family.json.gz"
    # Other files of the same families, where they are given.
    file=${SNAP_TEST_DATA:-/nonexistent}/vectors/$family.json
    if [ -f "$file" ]; then
        check_file "$family, of the outside data" "$file"
    fi
done

# glibc without FMA, where it can be told: other last bits, and the files know them.
file=$top_srcdir/tests/vectors/torch_cpu.json.gz
if GLIBC_TUNABLES=$no_fma "$check" "$file" 2>&1 | grep -q '^libm: as in libm-nofma'; then
    GLIBC_TUNABLES=$no_fma
    export GLIBC_TUNABLES
    for family in numpy_randomstate numpy_generator torch_cpu curand; do
        check_file "$family, libm without FMA" "$top_srcdir/tests/vectors/$family.json.gz"
    done
    unset GLIBC_TUNABLES
else
    ok "libm without FMA: this libm has no such form"
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

# So must each family: another value of a state, and of a draw.
changed() { # FAMILY SED_COMMAND
    gzip -dc "$top_srcdir/tests/vectors/$1.json.gz" | sed "$2" >"$work/changed.json"
    exits 1 "$1: a change is noticed: $2" "$check" "$work/changed.json"
}
changed numpy_generator '/PCG64.seed.0/s/"inc":"/"inc":"1/'
changed numpy_generator '/SFC64.seq.shuffle/s/"out":\[\([0-9]*\),\([0-9]*\),/"out":[\2,\1,/'
changed numpy_generator '/seedseq.00/s/"n_children_spawned":4/"n_children_spawned":5/'
changed numpy_generator '/MT19937.jump/s/"pos":[0-9]*/"pos":7/2'
changed numpy_generator '/Philox.float.normal/s/"bits":\["\(.\)/"bits":["f/'
changed numpy_randomstate '1,/"cases"/!s/"bits":\["\(.\)/"bits":["f/'
changed python_random '1,/"cases"/!s/"bits":\["\(.\)/"bits":["f/'
changed counter_based '/jax.03-part/s/"out":\[\([0-9]*\),\([0-9]*\),/"out":[\2,\1,/'
changed counter_based '/jax.05-orig/s/"key":\[0/"key":[1/'
changed curand '/xorwow.1"/s/"state_after":{"form":"member","hex":"./&f/'
changed tensorflow '/philox.3"/s/"bits":\["\(.\)/"bits":["f/'
changed jax '/unsafe_rbg.part.x32/s/"out":\[\([0-9]*\),\([0-9]*\),/"out":[\2,\1,/'
changed c_cxx '/random_r.1.2"/s/"out":\[\([0-9]*\),\([0-9]*\),/"out":[\2,\1,/'
changed torch_cuda '/dropout.4"/s/"bits": \["[0-9a-f]*", "[0-9a-f]/&f/'
changed torch_cuda '/generator.257"/s/"state": {"hex": "./&0/2'
changed torch_cpu '1,/"cases"/!s/"bits":\["\(.\)/"bits":["f/'
exits 2 "a file that holds no vectors is refused" "$check" "$work/no_vectors.json"

tap_done
