#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every public header can be included alone, in C11 and in C++17, without a warning.
set -u

# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

reads() { # COMPILER LANGUAGE STANDARD HEADER
    printf '#include <snapstate/%s>\n#include <snapstate/%s>\n' "$4" "$4" >"$work/try"
    # A compiler's name may have options behind it.
    # shellcheck disable=SC2086
    $1 -x "$2" -std="$3" -pedantic-errors -Wall -Wextra -Werror -fsyntax-only \
        -I"$top_srcdir/snapshot/include" "$work/try"
}

for path in "$top_srcdir"/snapshot/include/snapstate/*.h; do
    header=${path##*/}
    try "$header compiles alone as C11" reads "${CC:-cc}" c c11 "$header"
    if [ -n "${CXX:-}" ]; then
        try "$header compiles alone as C++17" reads "$CXX" c++ c++17 "$header"
    else
        skip "$header compiles alone as C++17" "no C++ compiler"
    fi
done
tap_done
