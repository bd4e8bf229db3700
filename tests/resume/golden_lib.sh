# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# For tests that make the runs of tests/golden/runs.txt; read in after tests/support/tap.sh.

mnist="${SNAP_TEST_DATA:-}/data/mnist"
text="${SNAP_TEST_DATA:-}/data/text"

# Is the data of that config here? Else it is skipped by name.
has_golden_data() { # NAME
    case $1 in
    mnist-*)
        [ -f "$mnist/t10k-images-idx3-ubyte.gz" ] && return
        skip "$1" "MNIST is not in SNAP_TEST_DATA"
        return 1
        ;;
    shakespeare-*)
        [ -f "$text/tinyshakespeare.txt" ] && return
        skip "$1" "tinyshakespeare is not in SNAP_TEST_DATA"
        return 1
        ;;
    esac
}

# Write the config to $work/NAME.json, with MNIST and the text where they are here.
place_config() { # NAME
    # shellcheck disable=SC2154 # tap.sh has it
    sed -e "s#\"\\.\\./data/#\"$top_srcdir/data/#" \
        -e "s#\"[^\"]*/\\(t10k-[^\"/]*\\)\"#\"$mnist/\\1\"#" \
        -e "s#\"[^\"]*/train-images-[^\"/]*\"#\"$mnist/t10k-images-idx3-ubyte.gz\"#" \
        -e "s#\"[^\"]*/train-labels-[^\"/]*\"#\"$mnist/t10k-labels-idx1-ubyte.gz\"#" \
        -e "s#\"[^\"]*/tinyshakespeare.txt\"#\"$text/tinyshakespeare.txt\"#" \
        "$top_srcdir/examples/$1.json" >"$work/$1.json"
}
