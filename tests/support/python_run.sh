#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run a test in Python:   python_run.sh TEST [ARGUMENT...]
# A library that was built with AddressSanitizer wants the sanitizer's runtime in the process before
# it, and Python has none: it is loaded first. What Python keeps until it ends is not looked at as
# leaks: unit tests look for the library's.
set -u

case ${SANITIZER_FLAGS:-}:$1 in
    *address*:*tests/python/* | *address*:*tests/corpus/* | *address*:*tests/stories/*)
        runtime=$(ldd "${SNAPSTATE_LIBRARY:?}" | awk '$1 ~ /^libasan/ { print $3 }')
        [ -n "$runtime" ] || {
            echo "1..0 # SKIP the library has AddressSanitizer in it: Python cannot load it first"
            exit 0
        }
        LD_PRELOAD=$runtime
        ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
        export LD_PRELOAD ASAN_OPTIONS
        ;;
esac
exec "${PYTHON:-python3}" "$@"
