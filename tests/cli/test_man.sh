#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The man pages are clean for groff, and refer to pages that are there.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

pages=$(cd "$top_srcdir/docs/man" && ls ./*.[135])
if command -v groff >/dev/null; then
    for page in $pages; do
        same "groff has nothing to say about $page" "" \
            "$(groff -man -ww -Tutf8 -z "$top_srcdir/docs/man/$page" 2>&1)"
    done
else
    skip "the man pages are clean" "no groff"
fi

for page in $pages; do
    missing=
    others=$(sed -n 's/^\.BR \([a-z]*snap[a-z\\-]*\) (\([135]\)).*/\1.\2/p' \
        "$top_srcdir/docs/man/$page" | sed 's/\\-/-/g')
    for other in $others; do
        test -f "$top_srcdir/docs/man/$other" || missing="$missing $other"
    done
    same "the pages that $page refers to are there" "" "$missing"
    for section in NAME DESCRIPTION "SEE ALSO"; do
        try "$page has $section" grep -Eq "^\.SH \"?$section\"?$" "$top_srcdir/docs/man/$page"
    done
    case $page in
        ./snap*.1)
            for section in SYNOPSIS OPTIONS "EXIT STATUS" EXAMPLES; do
                try "$page has $section" grep -Eq "^\.SH \"?$section\"?$" \
                    "$top_srcdir/docs/man/$page"
            done
            ;;
    esac
done

tap_done
