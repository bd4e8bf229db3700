#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Put a build into a folder for a machine with a GPU, which needs neither a compiler nor the
# libraries: there, `FOLDER/source/tests/gpu/run_gpu.sh FOLDER/build RESULTS`.
#
#     make pack-gpu GPU_PACK=FOLDER
#
# which calls `pack_gpu.sh BUILD FOLDER PROGRAM...`: paths in BUILD. FOLDER must be new. MNIST and
# tinyshakespeare are taken along where SNAP_TEST_DATA has them.
set -eu

if [ $# -lt 3 ]; then
    echo 'usage: pack_gpu.sh BUILD FOLDER PROGRAM...' >&2
    exit 2
fi
build=$1
folder=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
shift 2
if [ -e "$folder" ]; then
    echo "pack_gpu.sh: $folder: is there already: name a new folder" >&2
    exit 2
fi
mkdir -p "$folder/source" "$folder/build/lib"

for program in "$@"; do
    mkdir -p "$folder/build/$(dirname "$program")"
    cp "$build/$program" "$folder/build/$program"
    # All but glibc's, which go with the machine's loader, and the compiler's: CUDA may want newer.
    ldd "$build/$program" | sed -n 's/^[[:space:]]*\(lib[^ ]*\) => \(\/[^ ]*\) .*/\1 \2/p' |
        grep -vE '^lib(c|m|dl|rt|pthread|resolv|gcc_s|stdc\+\+)\.so' |
        while read -r name path; do
            cp -L "$path" "$folder/build/lib/$name"
        done
done
# What a build in the source tree left there is not source.
tar -C "$source" -cf "$folder/source.tar" --exclude='*.o' --exclude='*.lo' --exclude='*.la' \
    --exclude='*.log' --exclude='*.trs' --exclude='.libs' --exclude='.deps' \
    --exclude='__pycache__' bench data examples schema tests
tar -C "$folder/source" -xf "$folder/source.tar"
rm "$folder/source.tar"
find "$folder/source" -type f -perm -100 | while read -r file; do
    if head -c 4 "$file" | grep -q ELF; then
        rm "$file"
    fi
done
for data in data/mnist data/text; do
    if [ -d "${SNAP_TEST_DATA:-/nonexistent}/$data" ]; then
        mkdir -p "$folder/data/$data"
        cp -R "$SNAP_TEST_DATA/$data/." "$folder/data/$data"
    fi
done
du -sh "$folder"
