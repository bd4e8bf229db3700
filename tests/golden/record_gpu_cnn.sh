#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make, on a machine with a CUDA device, the record of a CNN trained there in portable-1 that is to
# be kept beside this script: the snapshot of step 45, the ledger up to step 90, and what made them.
# `snap replay` of the snapshot on any CPU must then give that ledger, bit for bit.
#
#     make && tests/golden/record_gpu_cnn.sh ./snap tests/golden/gpu-cnn
set -eu
snap=${1:?usage: record_gpu_cnn.sh SNAP FOLDER}
folder=${2:?usage: record_gpu_cnn.sh SNAP FOLDER}
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$snap" run "$top/examples/digits-cnn.json" --dir "$work/run" --steps 90 --device cuda:0
# Made on the GPU, and already equal to this CPU: else there is nothing to keep.
"$snap" replay "$work/run/snapshots/step-0000000045.snap.tar" --device cpu
mkdir -p "$folder"
cp "$work/run/snapshots/step-0000000045.snap.tar" "$work/run/ledger.jsonl" "$folder/"
{
    echo "examples/digits-cnn.json, steps 1 to 90, --device cuda:0, by:"
    nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader
    "$snap" --version | head -n 1
} >"$folder/made-by.txt"
cat "$folder/made-by.txt"
