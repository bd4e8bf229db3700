#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap pack: from the base and from beside, or not at all.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
whole=$(snapshot "$run" 12)
exits 0 "a whole one" "$SNAP" pack "$whole"
"$SNAP" thin "$whole" --drop optimizer -o "$work/thin.snap.tar" >/dev/null
cp "$work/thin.snap.tar" "$work/before"
fails 6 "nobody has it" "momentum_buffer" "$SNAP" pack "$work/thin.snap.tar"
try "nothing was written" cmp "$work/thin.snap.tar" "$work/before"
exits 0 "from a base" "$SNAP" pack "$work/thin.snap.tar" --base "$whole" -o "$work/again" --json
json_is_valid "its document is valid" pack
try "byte for byte" cmp "$work/again" "$whole"
try "the thin one is as it was" cmp "$work/thin.snap.tar" "$work/before"
cp "$whole" "$work/bad"
at=$("$PYTHON" "$top_srcdir/tests/cli/forge.py" offset "$whole" \
    tensors/optimizer/momentum_buffer.fc1.weight)
flip_byte "$work/bad" "$at"
fails 5 "from a damaged base" "momentum_buffer" "$SNAP" pack "$work/thin.snap.tar" \
    --base "$work/bad"
try "and nothing was written" cmp "$work/thin.snap.tar" "$work/before"
cp "$whole" "$work/beside.snap.tar"
exits 0 "from one beside it" "$SNAP" pack "$work/thin.snap.tar"
try "in place" cmp "$work/thin.snap.tar" "$whole"
fails 3 "nothing" "no such file" "$SNAP" pack "$work/nowhere"

tap_done
