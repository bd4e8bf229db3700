#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run one test and hand its TAP on to Automake's driver:   tap_run.sh [INTERPRETER] TEST
# - cmocka 1.1.5 writes a skipped test as "not ok N # SKIP name"; it becomes "ok";
# - with SNAP_CI=1 a skip is a failure, whichever test skips;
# - cmocka's exit status is the number of failed tests, which the driver would count once more as an
#   error: a status that only repeats "not ok" lines becomes 0. Any other (a crash) stays;
# - a test that hangs is ended after SNAP_TEST_TIMEOUT seconds (an hour).
set -u

{
    timeout --kill-after=30 "${SNAP_TEST_TIMEOUT:-3600}" "$@"
    printf '\nexit status %d\n' $?
} | awk -v ci="${SNAP_CI:-0}" '
    NR > 1 { show(line) }
    { line = $0 }

    function show(text) {
        if (text ~ /^(not )?ok[ \t].*#[ \t]*[Ss][Kk][Ii][Pp]/) {
            sub(/^not /, "", text)
            if (ci == 1) {
                sub(/#[ \t]*[Ss][Kk][Ii][Pp]/, "- skipped:", text)
                text = "not " text
            }
        } else if (ci == 1 && text ~ /^1\.\.0/) {
            sub(/^1\.\.0+[ \t]*(#[ \t]*)?([Ss][Kk][Ii][Pp])?/, "", text)
            text = "1..1\nnot ok 1 - skipped:" text
            failures++
        }
        if (text ~ /^not ok/)
            failures++
        print text
        fflush()
    }

    # The last line is the exit status of the test.
    END {
        sub(/^exit status /, "", line)
        status = line + 0
        exit (status <= failures && status < 124) ? 0 : status
    }'
