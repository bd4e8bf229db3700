#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_gpu.sh and pack_gpu.sh, without a GPU: programs that stand in for those of a build say how a
# piece ended, and what becomes of it is looked at. No piece that needs a library is run: this
# Python is one that has none.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
run=$top_srcdir/tests/gpu/run_gpu.sh

stand_in() { # PATH LINE
    mkdir -p "$(dirname "$work/$1")"
    printf '#!/bin/sh\n%s\n' "$2" >"$work/$1"
    chmod +x "$work/$1"
}
stand_in bin/nvidia-smi 'echo "A device, 1.0, 9.0"'
stand_in none/nvidia-smi 'echo "No devices were found"; exit 6'
# shellcheck disable=SC2016 # it is the program's own
stand_in bin/no-python 'case $1 in -c) echo "no module"; exit 1;; esac
while [ $# -gt 1 ]; do [ "$1" = --json ] && echo "{}" >"$2"; shift; done
echo "gpu        a figure 1 s"'
for program in check_gpu check_gpu_copies check_gpu_cudnn; do
    stand_in "build/tests/ops/$program" 'exit 0'
done
stand_in build/snap 'echo "no device here" >&2; exit 4'
mkdir "$work/build/lib"

# With nothing on PATH but the system's programs, and a GPU by name.
gpu() { # RESULTS [NAME=VALUE]
    results=$1
    shift
    capture env PATH="$work/bin:/usr/bin:/bin" PYTHON="$work/bin/no-python" "$@" "$run" \
        "$work/build" "$work/$results"
}

capture env PATH="$work/none:/usr/bin:/bin" "$run" "$work/build" "$work/no-gpu"
same "without a GPU: status" 3 "$status"
like "and why" 'names no GPU: run it on a machine that has one' "$(cat "$work/err")"
capture "$run"
same "without arguments: status" 2 "$status"

gpu good
same "all passed or skipped: status" 0 "$status"
like "what passed" 'check_gpu_cudnn +passed' "$(cat "$work/out")"
like "what was skipped, and why" 'runs +skipped: no device here' "$(cat "$work/out")"
like "a library that is not there" 'jax +skipped: no module' "$(cat "$work/out")"
like "figures" 'gpu +a figure 1 s' "$(cat "$work/out")"
same "the device is kept" "A device, 1.0, 9.0" "$(cat "$work/good/device.txt")"
try "figures are kept" test -s "$work/good/bench.json"
try "work is not" test ! -e "$work/good/work"

stand_in build/tests/ops/check_gpu_copies 'echo "not ok 1 - saves"; exit 1'
gpu bad
same "one failed: status" 1 "$status"
like "and which" 'check_gpu_copies +FAILED \(1\).*not ok 1 - saves' "$(cat "$work/out")"
like "the others are run" 'check_gpu_cudnn +passed' "$(cat "$work/out")"

stand_in build/tests/ops/check_gpu_copies 'exec sleep 100'
gpu late GPU_SECONDS=2
same "no time left: status" 1 "$status"
like "what was stopped" 'check_gpu_copies +FAILED \(stopped: no time' "$(cat "$work/out")"
like "what was not run" 'bench +not run: no time is left' "$(cat "$work/out")"

exits 0 "a pack is made" env SNAP_TEST_DATA=/nonexistent "$top_srcdir/tests/gpu/pack_gpu.sh" \
    /usr/bin "$work/pack" env
try "with the program" test -x "$work/pack/build/env"
try "and what runs it" test -x "$work/pack/source/tests/gpu/run_gpu.sh"
exits 2 "a folder that is there is not written into" "$top_srcdir/tests/gpu/pack_gpu.sh" \
    /usr/bin "$work/pack" env
tap_done
