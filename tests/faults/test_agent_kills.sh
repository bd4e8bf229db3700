#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trainings and agents killed at ten stages of a save; with `all`, as make check-faults calls it, at
# every one, with whole snapshots and with thin ones.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"
kills="$top_srcdir/tests/faults/agent_kills.py"
make_config "$work/whole.json" training.epochs=1 running.every=3
make_config "$work/thin.json" training.epochs=1 running.every=3 running.thin=2
if [ "${1:-}" = all ]; then
    "${PYTHON:?}" "$kills" "$SNAP" "$work/whole.json" &&
        "$PYTHON" "$kills" "$SNAP" "$work/thin.json"
else
    "$PYTHON" "$kills" "$SNAP" "$work/whole.json" 10
fi
