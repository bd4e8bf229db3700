#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ShellCheck has nothing to say about any shell script, and each can be run.
set -u

# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

cd "$top_srcdir" || exit 99
can_be_run() { # SCRIPT
    [ -x "$1" ] || ! head -n 1 "$1" | grep -q '^#!'
}

# Names in this tree have no blanks.
# shellcheck disable=SC2046
for script in bootstrap .ci/run $(find examples tests -name '*.sh' | sort); do
    try "$script can be run" can_be_run "$script"
    if command -v shellcheck >/dev/null; then
        try "ShellCheck on $script" shellcheck "$script"
    else
        skip "ShellCheck on $script" "no shellcheck"
    fi
done
tap_done
