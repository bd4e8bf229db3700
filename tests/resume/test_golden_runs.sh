#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example configs still make the runs that they made when tests/golden/runs.txt was written,
# with every table of kernels that this CPU has: whoever changed an order or a rounding, or a byte
# of the ledger or of the state, learns it here. A line of that file: config, steps, run hash, state
# hash. The file is never remade to let a change pass.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
: "${SNAP:?}"

mnist="${SNAP_TEST_DATA:-}/data/mnist"
text="${SNAP_TEST_DATA:-}/data/text"

# The config, with MNIST and the text where they are here.
place_config() { # NAME
    sed -e "s#\"\\.\\./data/#\"$top_srcdir/data/#" \
        -e "s#\"[^\"]*/\\(t10k-[^\"/]*\\)\"#\"$mnist/\\1\"#" \
        -e "s#\"[^\"]*/train-images-[^\"/]*\"#\"$mnist/t10k-images-idx3-ubyte.gz\"#" \
        -e "s#\"[^\"]*/train-labels-[^\"/]*\"#\"$mnist/t10k-labels-idx1-ubyte.gz\"#" \
        -e "s#\"[^\"]*/tinyshakespeare.txt\"#\"$text/tinyshakespeare.txt\"#" \
        "$top_srcdir/examples/$1.json" >"$work/$1.json"
}

check_run() { # NAME STEPS RUN-HASH STATE-HASH ISA
    title="$1, $2 steps, kernels $5"
    exits 0 "$title: runs" env SNAP_ISA="$5" "$SNAP" run "$work/$1.json" \
        --dir "$work/$1-$2-$5" --steps "$2"
    capture "$SNAP" hash "$work/$1-$2-$5"
    same "$title: run hash" "$3" "$(grep -oE 'run1:[0-9a-f]{64}' "$work/out")"
    same "$title: state hash" "$4" "$(grep -oE 'state1:[0-9a-f]{64}' "$work/out")"
}

while read -r name steps run_hash state_hash; do
    case $name in
    mnist-*)
        if ! [ -f "$mnist/t10k-images-idx3-ubyte.gz" ]; then
            skip "$name" "MNIST is not in SNAP_TEST_DATA"
            continue
        fi
        ;;
    shakespeare-*)
        if ! [ -f "$text/tinyshakespeare.txt" ]; then
            skip "$name" "tinyshakespeare is not in SNAP_TEST_DATA"
            continue
        fi
        ;;
    esac
    place_config "$name"
    for isa in scalar avx2; do
        if [ "$isa" = avx2 ] && ! { grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; }
        then
            skip "$name, kernels avx2" "this CPU has no AVX2 and FMA"
            continue
        fi
        check_run "$name" "$steps" "$run_hash" "$state_hash" "$isa"
    done
done <"$top_srcdir/tests/golden/runs.txt"
tap_done
