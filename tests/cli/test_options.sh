#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Help, version and usage errors; and that help, man pages and tests agree about every command.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

# ---- the program ----

exits 0 "snap --help" "$SNAP" --help
like "it names the program" '^Usage: snap COMMAND' "$(cat "$work/out")"
# Lines of commands: two blanks, a name.
commands=$(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' "$work/out")
same "all commands, in their order" \
    "run save restore replay verify hash show cat list diff check rng import export fsck thin pack\
 prune sweep report cite publish prove bisect serve push pull" \
    "$(echo "$commands" | tr '\n' ' ' | sed 's/ $//')"
exits 0 "snap -h" "$SNAP" -h
exits 0 "snap --version" "$SNAP" --version
like "it is a version" '^snap [0-9]+\.[0-9]+\.[0-9]+ \(libsnapstate [0-9]' "$(cat "$work/out")"
fails 2 "no command" "a command is missing.*snap --help" "$SNAP"
fails 2 "an unknown command" "'launch': no such command; see 'snap --help'" "$SNAP" launch
fails 2 "a mistyped command" "'retsore': no such command, but there is 'restore'" "$SNAP" retsore
fails 2 "an option of no command" "'--verbose': no such option" "$SNAP" --verbose

# ---- every command ----

for command in $commands; do
    exits 0 "snap $command --help" "$SNAP" "$command" --help
    cp "$work/out" "$work/help"
    like "it begins with the usage" "^Usage: snap $command \[OPTION\.\.\.\]" "$(cat "$work/help")"
    exits 0 "snap $command -h" "$SNAP" "$command" -h
    same "is the same" "$(cat "$work/help")" "$(cat "$work/out")"
    exits 0 "snap $command --version" "$SNAP" "$command" --version
    fails 2 "snap $command without arguments" "is missing; see 'snap $command --help'" \
        "$SNAP" "$command"
    fails 2 "snap $command with an unknown option" \
        "'--nonsense': no such option; see 'snap $command --help'" "$SNAP" "$command" --nonsense
    case $command in
        verify) # as many as are archives, or a hash
            ;;
        fsck | prune) # they take any number
            ;;
        import | report) # they take any number
            fails 2 "snap $command without --output" "--output [A-Z]+ is missing" \
                "$SNAP" "$command" a b c
            ;;
        *)
            fails 2 "snap $command with too many arguments" "an argument too many" \
                "$SNAP" "$command" a b c d
            ;;
    esac
    fails 2 "snap $command --json with an unknown option" "'-x': no such option" \
        "$SNAP" "$command" -x --json
    json_is_valid "its document is valid" "$command"

    page=$top_srcdir/docs/man/snap-$command.1
    missing=
    options=$(grep -o -e '--[a-z][a-z-]*' "$work/help" | sort -u)
    for option in $options; do
        case $option in --help | --version | --json) continue ;; esac
        grep -Fq "$(echo "$option" | sed 's/-/\\-/g')" "$page" || missing="$missing $option"
    done
    same "every option is in snap-$command(1)" "" "$missing"
    try "snap-$command(1) is in snap(1)" \
        grep -Fq "snap\\-$command (1)" "$top_srcdir/docs/man/snap.1"
    try "there is a test of it" test -x "$top_srcdir/tests/cli/test_$command.sh"
    try "there is a schema of its output" test -f "$top_srcdir/schema/cmd-$command.schema.json"
done

# ---- values ----

fails 2 "an option without its value" "--dir: its value DIR is missing" "$SNAP" run x --dir
fails 2 "an option that must be given" "--dir DIR is missing" "$SNAP" run x
fails 2 "an empty value" "--dir: '' is not a name" "$SNAP" run x --dir=
fails 2 "a number below zero" "--steps: '-1' is not a whole number" \
    "$SNAP" run x --dir d --steps -1
fails 2 "a number with a tail" "--steps: '5x' is not a whole number" \
    "$SNAP" run x --dir d --steps 5x
fails 2 "a number past 2^64" "--seed: '18446744073709551616' is not" \
    "$SNAP" run x --dir d --seed 18446744073709551616
fails 2 "no threads" "--threads: '0' is not a number of threads" "$SNAP" run x --dir d --threads 0
fails 2 "too many threads" "--threads: '1025' is not" "$SNAP" run x --dir d --threads 1025
fails 2 "no tier" "--require: 'mostly' is not exact, streams or weights" \
    "$SNAP" restore x --require mostly
fails 2 "a value for a flag" "--dry-run: it takes no value" "$SNAP" restore x --dry-run=yes
fails 2 "a mistyped option" "'--stpes': no such option, but there is '--steps'" \
    "$SNAP" run x --dir d --stpes 5
fails 2 "an option cut too short" "--s: more than one option begins so" \
    "$SNAP" run x --dir d --s 5
fails 2 "an option among several letters" "no such option" "$SNAP" run -hx
fails 2 "an empty argument" "an empty name" "$SNAP" hash ''
fails 2 "an empty argument of many" "an empty name" "$SNAP" import a '' -o x
fails 2 "-o without its value" "--output: its value ARCHIVE is missing|such option" \
    "$SNAP" import a -o
fails 2 "-o where there is no output" "'-o': no such option" "$SNAP" hash a -o x
exits 0 "an option cut short" "$SNAP" run --ver
fails 3 "a name that looks like an option, after --" "--help: no such file" "$SNAP" hash -- --help

tap_done
