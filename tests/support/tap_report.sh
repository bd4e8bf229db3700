#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sum up a `make check`:   tap_report.sh LOG...
# Names every test point that was skipped, with the reason, and every one that failed; the last line
# is "N passed, N failed". A test without results counts as failed. Exits 1 if any failed.
set -u

passed=0
failed=0
for log in "$@"; do
    results=${log%.log}.trs
    test=${log%.log}
    if [ ! -f "$results" ] || ! grep -q '^:test-result:' "$results"; then
        echo "FAIL: $test: no result"
        failed=$((failed + 1))
        continue
    fi
    passed=$((passed + $(grep -cE '^:test-result: (PASS|XFAIL)' "$results")))
    failed=$((failed + $(grep -cE '^:test-result: (FAIL|XPASS|ERROR)' "$results")))
    grep -E "^(SKIP|FAIL|XPASS|ERROR): $test" "$log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
