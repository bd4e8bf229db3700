#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# examples/embed.c, a plain C training loop: built against an installed copy through pkg-config
# alone, killed, resumed, and equal to a run that nobody disturbed; its archive is checked by tar
# and sha256sum alone.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

build=${top_builddir:?}

# This make is none of the one that runs the tests.
make_alone() {
    (unset MAKEFLAGS MFLAGS MAKELEVEL && make -C "$build" --no-print-directory "$@")
}
variable() { # NAME: its value in the Makefile
    # shellcheck disable=SC2016
    printf 'include Makefile\nprint-variable:\n\t@echo "$(%s)"\n' "$1" |
        make_alone -sf - print-variable
}

try "make install" make_alone install DESTDIR="$work/installed"
prefix=$(variable prefix)
libdir=$(variable libdir)
flags=$(PKG_CONFIG_PATH=$work/installed$(variable pkgconfigdir) "${PKG_CONFIG:-pkg-config}" \
    --define-variable=prefix="$work/installed$prefix" --cflags --libs snapstate)
# The flags, and the words of CC, are words; the program stands alone in its folder.
mkdir "$work/alone"
cp "$top_srcdir/examples/embed.c" "$work/alone/"
# shellcheck disable=SC2086
try "it builds through pkg-config alone, without a warning" env -C "$work/alone" \
    ${CC:-cc} ${SANITIZER_FLAGS:-} -Wall -Wextra -Werror embed.c $flags -o embed
embed() {
    LD_LIBRARY_PATH=$work/installed$libdir "$work/alone/embed" "$@"
}
try "it has fewer than 80 lines" test "$(wc -l <"$work/alone/embed.c")" -lt 80

# ---- on a GPU: built where there is a compiler for it, and run where there is one ----

nvcc=$(variable NVCC)
cp "$top_srcdir/examples/embed.cu" "$work/alone/"
try "embed.cu has fewer than 100 lines" test "$(wc -l <"$work/alone/embed.cu")" -lt 100
if test -z "$nvcc"; then
    note "embed.cu is not built: configure found no nvcc"
elif test -n "${SANITIZER_FLAGS:-}"; then
    note "embed.cu is not built: nvcc links no sanitizers"
else
    # pkg-config's options for the linker are not nvcc's.
    # shellcheck disable=SC2086
    try "embed.cu builds" env -C "$work/alone" "$nvcc" embed.cu $flags -o embed-cuda
    if test -e /dev/nvidia0; then
        exits 0 "and trains" env LD_LIBRARY_PATH="$work/installed$libdir" \
            "$work/alone/embed-cuda" "$work/cuda" 150
        exits 0 "its run is whole" "$SNAP" verify "$work/cuda"
    else
        exits 4 "without a GPU it exits with 4" \
            env LD_LIBRARY_PATH="$work/installed$libdir" "$work/alone/embed-cuda" "$work/cuda" 150
        like "and says so" "^embed: device cuda:0: this machine has none" "$(cat "$work/err")"
    fi
fi

# ---- killed, twice, and resumed ----

# Far more steps than it will make: it is always killed in the middle.
killed_after() { # LINES
    LD_LIBRARY_PATH=$work/installed$libdir "$work/alone/embed" "$work/killed" 100000000 \
        >"$work/out" 2>&1 &
    pid=$!
    wait_for_lines "$work/killed/ledger.jsonl" "$1" "$pid"
    kill -KILL "$pid"
    status=0
    wait "$pid" 2>/dev/null || status=$?
    same "it is killed after some $1 lines" 137 "$status"
    test "$status" -eq 137 || note "$(cat "$work/out")"
}
killed_after 530
killed_after $(($(wc -l <"$work/killed/ledger.jsonl") + 250))
steps=$(($(wc -l <"$work/killed/ledger.jsonl") + 150))
exits 0 "it goes on to its end" embed "$work/killed" $steps
hash=$(grep -o 'run1:[0-9a-f]*' "$work/out")
like "it has learned" '^y = [23]\.' "$(cat "$work/out")"
exits 0 "a run that nobody disturbs" embed "$work/whole" $steps
same "has the same run hash" "$hash" "$(grep -o 'run1:[0-9a-f]*' "$work/out")"
try "and the same ledger" cmp "$work/whole/ledger.jsonl" "$work/killed/ledger.jsonl"

# ---- stopped ----

LD_LIBRARY_PATH=$work/installed$libdir "$work/alone/embed" "$work/stopped" 100000000 \
    >/dev/null 2>&1 &
pid=$!
wait_for_lines "$work/stopped/ledger.jsonl" 130 "$pid"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
same "SIGTERM: exit 75" 75 "$status"
same "the last snapshot is of the last step" \
    "snapshots/step-$(printf '%010d' $(($(wc -l <"$work/stopped/ledger.jsonl") - 1))).snap.tar" \
    "$(json "$work/stopped/latest" 'd["file"]')"
exits 0 "it goes on" embed "$work/stopped" $(($(wc -l <"$work/stopped/ledger.jsonl") + 50))

# ---- the folder is a run like any other ----

exits 0 "snap verify" "$SNAP" verify "$work/killed" "$hash"
exits 0 "snap diff" "$SNAP" diff "$work/whole" "$work/stopped"
archive=$(snapshot "$work/killed" $steps)
fails 2 "snap restore, which is of another trainer" "config: training\.rate" \
    "$SNAP" restore "$archive" --dry-run

# ---- tar and sha256sum alone ----

mkdir "$work/unpacked"
try "tar unpacks the archive" tar -xf "$archive" -C "$work/unpacked"
try "sha256sum agrees with every member" env -C "$work/unpacked" sha256sum -c --strict SHA256SUMS
same "and with the snapshot hash" \
    "snap1:$(sha256sum <"$work/unpacked/SHA256SUMS" | cut -d' ' -f1)" \
    "$(json "$work/killed/latest" 'd["snapshot"]')"
same "its run hash is in the manifest" "$hash" \
    "run1:$(json "$work/unpacked/manifest.json" 'd["chains"]["after"]["run"]')"

tap_done
