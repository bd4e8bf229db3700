# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What the stories of a paper share; read in after tap.sh and the fixture of the commands. A run of
# 24 steps with snapshots at 6, 12, 18 and 24, of a small network on the digits.
: "${SNAP:?}" "${PYTHON:?}" "${work:?}" "${top_srcdir:?}"

# shellcheck disable=SC2034 # the stories use it
digits=$top_srcdir/data
forge() { "$PYTHON" "$top_srcdir/tests/cli/forge.py" "$@"; }

# A hash of a run's latest snapshot, as the paper prints it.
printed() { # DIR run|snapshot|state
    "$SNAP" hash "$1" | sed -n "s/^$2[ a-z]* //p" | tr -d ' '
}

# One point: the command ends with this status and says the sentence, on stdout or stderr.
says() { # STATUS NAME SENTENCE COMMAND...
    says_status=$1
    says_name=$2
    says_sentence=$3
    shift 3
    capture "$@"
    # shellcheck disable=SC2154 # capture sets it
    if [ "$status" -eq "$says_status" ] &&
        cat "$work/out" "$work/err" | grep -Fq -- "$says_sentence"; then
        ok "$says_name"
    else
        not_ok "$says_name" "exit $status, wanted $says_status and: $says_sentence" \
            "$(cat "$work/out" "$work/err")"
    fi
}

# The author's key, and what a reader knows of it.
make_keys() {
    ssh-keygen -q -t ed25519 -N '' -C 'ada@laptop' -f "$work/key" &&
        printf 'ada %s\n' "$(cut -d' ' -f1,2 "$work/key.pub")" >"$work/signers"
}
