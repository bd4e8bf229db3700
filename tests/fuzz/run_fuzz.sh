#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang and libFuzzer, and runs each for SECONDS, beginning with the
# inputs that are kept in tests/fuzz/inputs. `make check-fuzz` calls it; the options are
#
#     run_fuzz.sh SRCDIR BUILDDIR SECONDS [TARGET...]
#     run_fuzz.sh list                                    the targets
#
# Work stands in BUILDDIR/fuzz: an input that crashed a target is TARGET.crash-*, what it has learnt
# is in TARGET/. `run_fuzz.sh SRCDIR BUILDDIR keep TARGET...` puts the least of that with the same
# coverage into tests/fuzz/inputs.
set -eu

all="archive manifest state ledger config pickle torch_file arrays json stream signature store"
all="$all agent volumes"
if [ "$1" = list ]; then
    echo "$all"
    exit 0
fi
case ${3:-} in
    keep | [1-9] | [1-9]*[0-9]) ;;
    *)
        echo "usage: run_fuzz.sh SRCDIR BUILDDIR SECONDS|keep [TARGET...]; run_fuzz.sh list" >&2
        exit 2
        ;;
esac
source_dir=$1
build_dir=$2
seconds=$3
shift 3
targets=${*:-$all}
clang=${CLANG:-clang}
python=${PYTHON:-python3}
work=$build_dir/fuzz
inputs=$source_dir/tests/fuzz/inputs

"$clang" --version >/dev/null 2>&1 || {
    echo "run_fuzz.sh: clang is missing (set CLANG); Debian's package is clang-14" >&2
    exit 3
}
mkdir -p "$work"

# All of the library but CUDA and MPI, with coverage and sanitizers; again where any of its files is
# newer.
packages="libarchive libcrypto jansson zlib"
left_out="device_cuda.c group_mpi.c mpi_calls.c"
if grep -q '^#define HAVE_S3 1' "$build_dir/config.h"; then
    packages="$packages libcurl expat"
else
    left_out="$left_out content_cursor.c curl_load.c s3_*.c store_s3.c xml_reader.c"
fi
# The words of pkg-config and of packages are arguments.
# shellcheck disable=SC2046,SC2086
set -- -g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=all -ffp-contract=off -I"$build_dir" -I"$source_dir/snapshot" \
    -I"$source_dir/snapshot/include" -I"$source_dir/tests/fuzz" \
    $(pkg-config --cflags $packages)
# shellcheck disable=SC2086
libraries="$(pkg-config --libs $packages) -lm -lpthread"
if [ ! -e "$work/built" ] || [ -n "$(find "$source_dir/snapshot" -newer "$work/built")" ]; then
    rm -f "$work"/snapshot_*.o
    set -f # patterns are for find
    without=
    for file in $left_out; do
        without="$without ! -name $file"
    done
    # shellcheck disable=SC2086
    for file in $(cd "$source_dir" && find snapshot -name '*.c' $without | sort); do
        "$clang" "$@" -c "$source_dir/$file" -o "$work/$(echo "$file" | tr / _).o"
    done
    set +f
    touch "$work/built"
fi

status=0
for target in $targets; do
    trainer=
    if [ "$target" = config ]; then
        # Of the trainer, what reads a config; the rest is as it was built.
        rm -f "$work"/trainer_*.o
        for file in "$source_dir"/trainer/config/*.c; do
            name=${file##*/}
            "$clang" "$@" -I"$source_dir/trainer" -c "$file" -o "$work/trainer_${name%.c}.o"
        done
        trainer="$work/trainer_*.o $build_dir/.libs/libtrainer.a"
    elif [ "$target" = agent ]; then
        # Of the agent, what reads a request.
        "$clang" "$@" -I"$source_dir/agent" -c "$source_dir/agent/request.c" \
            -o "$work/agent_request.o"
        trainer=$work/agent_request.o
    fi
    # shellcheck disable=SC2086
    "$clang" "$@" -I"$source_dir/trainer" -I"$source_dir/agent" \
        -fsanitize=fuzzer,address,undefined \
        "$source_dir/tests/fuzz/fuzz_$target.c" \
        $trainer "$work"/snapshot_*.o -o "$work/fuzz_$target" $libraries
    mkdir -p "$work/$target"
    "$python" "$source_dir/tests/fuzz/inputs.py" unpack "$inputs/$target.txt" "$work/$target"
    if [ "$seconds" = keep ]; then
        rm -rf "$work/$target.least"
        mkdir "$work/$target.least"
        "$work/fuzz_$target" -merge=1 "$work/$target.least" "$work/$target" 2>&1 | tail -1
        "$python" "$source_dir/tests/fuzz/inputs.py" pack "$inputs/$target.txt" \
            "$work/$target.least"
        continue
    fi
    dictionary=$source_dir/tests/fuzz/$target.dict
    [ -e "$dictionary" ] || dictionary=
    echo "== $target"
    "$work/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=60 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix="$work/$target." \
        ${dictionary:+-dict="$dictionary"} "$work/$target" >"$work/$target.log" 2>&1 || status=1
    grep -E "^(stat::number_of_executed_units|stat::peak_rss_mb|SUMMARY)|DONE|Test unit written" \
        "$work/$target.log" || true
done
exit $status
