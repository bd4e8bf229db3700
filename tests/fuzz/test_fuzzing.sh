#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The fuzz targets with libFuzzer, in CI: SNAP_FUZZ_SECONDS, which all targets share. Elsewhere the
# inputs that are kept are replayed, and `make check-fuzz` looks for more.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
: "${top_builddir:?}"

fuzz=$top_srcdir/tests/fuzz/run_fuzz.sh
targets=$("$fuzz" list)
# shellcheck disable=SC2086
count=$(printf '%s\n' $targets | wc -l)
missing=
for source in "$top_srcdir"/tests/fuzz/fuzz_*.c; do
    target=${source##*/fuzz_}
    case " $targets " in
        *" ${target%.c} "*) ;;
        *) missing="$missing ${target%.c}" ;;
    esac
done
same "every target is run" "" "$missing"

seconds=$((${SNAP_FUZZ_SECONDS:-0} / count))
if [ "$seconds" -eq 0 ]; then
    note "SNAP_FUZZ_SECONDS is not set: nothing is looked for"
    tap_done
fi
for target in $targets; do
    if problem=$("$fuzz" "$top_srcdir" "$top_builddir" "$seconds" "$target" 2>&1); then
        ok "$target: nothing in $seconds s"
        note "$problem"
    else
        not_ok "$target: something in $seconds s" "$problem" \
            "$(tail -n 40 "$top_builddir/fuzz/$target.log" 2>&1)"
    fi
done
tap_done
