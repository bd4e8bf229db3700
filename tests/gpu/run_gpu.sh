#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that takes a GPU, on a machine that has one: `make check-gpu`, compute-sanitizer over
# some steps, the random engines against torch and JAX on the device, the figures of area gpu.
#
#     tests/gpu/run_gpu.sh BUILD RESULTS
#
# BUILD is a build tree of this source tree, or `build` of what pack_gpu.sh made. RESULTS, a folder,
# gets a log of each piece, the vectors and bench.json. A line a piece says passed, failed, skipped
# (and why) or not run. GPU_SECONDS (600) is what all of it may take: a piece is stopped there.
# 0: nothing failed, and all was run; 1: not so; 2: usage; 3: there is no GPU.
set -u

if [ $# -ne 2 ]; then
    echo 'usage: run_gpu.sh BUILD RESULTS' >&2
    exit 2
fi
mkdir -p "$2" || exit 2
results=$(cd "$2" && pwd)
top_builddir=$(cd "$1" && pwd) || exit 2
top_srcdir=$(cd "$(dirname "$0")/../.." && pwd)
end=$(($(date +%s) + ${GPU_SECONDS:-600}))
pieces_not_passed=0

if ! device=$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader \
    2>/dev/null); then
    echo 'run_gpu.sh: nvidia-smi names no GPU: run it on a machine that has one' >&2
    exit 3
fi
printf '%s\n' "$device" | tee "$results/device.txt"

# The wheels of torch and JAX bring cuDNN and cuBLAS.
find_libraries='
import glob, os, site, sys
found = []
for folder in sys.path + site.getsitepackages():
    for name in ("libcudnn.so.9", "libcublas.so.13", "libcublas.so.12"):
        for file in glob.glob(os.path.join(folder, "nvidia", "**", name), recursive=True):
            if os.path.dirname(file) not in found:
                found.append(os.path.dirname(file))
print(":".join(found))'
: "${PYTHON:=python3}"
: "${SNAP_CUDA_LIBRARY_PATH:=$("$PYTHON" -c "$find_libraries")}"
SNAP=$top_builddir/snap
work=$results/work
CMOCKA_MESSAGE_OUTPUT=STDOUT
export SNAP SNAP_CUDA_LIBRARY_PATH CMOCKA_MESSAGE_OUTPUT top_builddir top_srcdir
if [ -d "$top_builddir/lib" ]; then # a pack
    : "${SNAP_TEST_DATA:=$top_builddir/../data}"
    export SNAP_TEST_DATA
fi
rm -rf "$work"
mkdir "$work" || exit 2

# The libraries of a pack are for its own programs: a Python has others.
ours() { # COMMAND...
    if [ -d "$top_builddir/lib" ]; then
        env LD_LIBRARY_PATH="$top_builddir/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$@"
    else
        "$@"
    fi
}

tell() { # NAME VERDICT
    printf '%-16s %s\n' "$1" "$2"
}

# Seconds until the end; 0 or less: none.
left() {
    echo $((end - $(date +%s)))
}

# Run a piece, stopped when no time is left.
piece() { # NAME COMMAND...
    name=$1
    shift
    began=$(date +%s)
    if [ "$(left)" -lt 1 ]; then
        tell "$name" 'not run: no time is left (GPU_SECONDS)'
        pieces_not_passed=$((pieces_not_passed + 1))
        return
    fi
    ours timeout "$(left)" "$@" >"$results/$name.log" 2>&1
    status=$?
    took="$(($(date +%s) - began)) s"
    reason=$(sed -n 's/^1\.\.0 # SKIP //p' "$results/$name.log")
    if [ "$status" -ne 0 ]; then
        [ "$status" -eq 124 ] && status='stopped: no time is left'
        tell "$name" "FAILED ($status), $took: $(tail -n 1 "$results/$name.log")"
        pieces_not_passed=$((pieces_not_passed + 1))
    elif [ -n "$reason" ]; then
        tell "$name" "skipped: $reason"
    else
        tell "$name" "passed, $took"
    fi
}

# What a library draws on the device, by the vectors' generator, is what the engines draw.
vectors() { # NAME CAN-IT GENERATOR ARGUMENT...
    name=$1
    if ! "$PYTHON" -c "$2" >"$results/$name.log" 2>&1; then
        tell "$name" "skipped: $(tail -n 1 "$results/$name.log")"
        return
    fi
    shift 2
    generator=$top_srcdir/tests/vectors/$1
    shift
    began=$(date +%s)
    if [ "$(left)" -ge 1 ] && timeout "$(left)" "$PYTHON" -B "$generator" \
        --out "$results/$name.json" "$@" >>"$results/$name.log" 2>&1; then
        tell "$name" "drawn, $(($(date +%s) - began)) s"
        piece "$name" "$top_builddir/tests/check_vectors" "$results/$name.json"
    else
        tell "$name" "FAILED: $(tail -n 1 "$results/$name.log")"
        pieces_not_passed=$((pieces_not_passed + 1))
    fi
}

sanitize() { # TOOL
    if ! command -v compute-sanitizer >/dev/null; then
        tell "$1" 'skipped: no compute-sanitizer'
        return
    fi
    piece "$1" compute-sanitizer --tool "$1" --error-exitcode 9 "$SNAP" run \
        "$top_srcdir/examples/digits-cnn.json" --dir "$work/$1" --steps 3 --device cuda:0
}

for program in check_gpu check_gpu_copies check_gpu_cudnn; do
    piece "$program" "$top_builddir/tests/ops/$program"
done
piece runs "$top_srcdir/tests/resume/check_gpu_runs.sh"
piece runs_cudnn "$top_srcdir/tests/resume/check_gpu_cudnn.sh"
sanitize memcheck
sanitize racecheck
# Figures that are short fail nothing here: docs/benchmarks.md has them.
piece bench sh -c "\"$PYTHON\" \"$top_srcdir/bench/bench.py\" --build \"$top_builddir\" --area gpu \
    --runs 3 --folder \"$work\" --json \"$results/bench.json\"; [ -s \"$results/bench.json\" ]"
[ -f "$results/bench.log" ] && sed -n '/^gpu /p' "$results/bench.log"
# Last: where a machine fetches its Python packages as they are used, they take minutes.
vectors torch 'import torch; assert torch.cuda.is_available(), "torch has no GPU"' \
    gen_torch_cuda.py --device cuda:0
vectors jax 'import jax; assert jax.devices()[0].platform == "gpu", "JAX has no GPU"' \
    gen_jax.py --device cuda

rm -rf "$work"
[ "$pieces_not_passed" -eq 0 ]
