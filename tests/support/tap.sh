# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# TAP for the shell tests; read in at the top of a test:
#
#     # shellcheck source=tests/support/tap.sh
#     . "${top_srcdir:?}/tests/support/tap.sh"
#     try "two saves are one file" cmp a.snap.tar b.snap.tar
#     tap_done
#
# `work` is a new folder that is removed at the end. A test that dies before tap_done has no plan,
# and that is a failure. With SNAP_CI=1 a skip is one too.

tap_points=0
tap_failures=0
work=$(mktemp -d "${TMPDIR:-/tmp}/snap-test.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM

# Lines for whoever reads the log.
note() { # TEXT
    printf '%s\n' "$*" | sed 's/^/# /'
}

ok() { # NAME
    tap_points=$((tap_points + 1))
    printf 'ok %d - %s\n' "$tap_points" "$1"
}

not_ok() { # NAME [DIAGNOSTIC...]
    tap_points=$((tap_points + 1))
    tap_failures=$((tap_failures + 1))
    printf 'not ok %d - %s\n' "$tap_points" "$1"
    shift
    for tap_line in "$@"; do
        note "$tap_line"
    done
}

skip() { # NAME REASON
    if [ "${SNAP_CI:-0}" = 1 ]; then
        not_ok "$1" "skipped, where nothing may be: $2"
    else
        tap_points=$((tap_points + 1))
        printf 'ok %d - %s # SKIP %s\n' "$tap_points" "$1" "$2"
    fi
}

# One point: does the command succeed? What it printed is shown when it does not.
try() { # NAME COMMAND...
    tap_name=$1
    shift
    if tap_output=$("$@" 2>&1); then
        ok "$tap_name"
    else
        not_ok "$tap_name" "exit $? of: $*" "$tap_output"
    fi
}

# One point: are the two texts equal?
same() { # NAME EXPECTED FOUND
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1" "expected: $2" "found:    $3"
    fi
}

# One point: does the text have a line that the extended regular expression finds?
like() { # NAME PATTERN TEXT
    if printf '%s\n' "$3" | grep -Eq -- "$2"; then
        ok "$1"
    else
        not_ok "$1" "nothing is like: $2" "in: $3"
    fi
}

# Run a command; its stdout is then in $work/out, its stderr in $work/err, its exit status in
# `status`.
capture() { # COMMAND...
    status=0
    "$@" >"$work/out" 2>"$work/err" || status=$?
}

# One point: does the command exit with this status? After it, as after `capture`.
exits() { # STATUS NAME COMMAND...
    tap_expected=$1
    tap_name=$2
    shift 2
    capture "$@"
    if [ "$status" -eq "$tap_expected" ]; then
        ok "$tap_name"
    else
        not_ok "$tap_name" "exit $status and not $tap_expected of: $*" \
            "$(head -c 2000 "$work/out")" "$(head -c 2000 "$work/err")"
    fi
}

# The last line of a test: the plan.
tap_done() {
    printf '1..%d\n' "$tap_points"
    [ "$tap_failures" -eq 0 ] || exit 1
    exit 0
}
