#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make install` puts everything in its place, a program can be built against it through pkg-config
# alone, the program and its pages can be given another name, and `make uninstall` leaves nothing.
set -u

# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

build=${top_builddir:?}

# This make is none of the one that runs the tests.
unset MAKEFLAGS MFLAGS MAKELEVEL
make_build() {
    make -C "$build" --no-print-directory "$@"
}

variable() { # NAME: its value in the Makefile
    # shellcheck disable=SC2016
    printf 'include Makefile\nprint-variable:\n\t@echo "$(%s)"\n' "$1" |
        make -C "$build" --no-print-directory -sf - print-variable
}

installed() { # PATH...: each is a file
    for path in "$@"; do
        [ -f "$work/a$path" ] || {
            echo "$path is not there"
            return 1
        }
    done
}

same_names() { # SOURCE-FOLDER PATTERN TARGET-FOLDER
    (cd "$top_srcdir/$1" && find . -name "$2" | sort) >"$work/expected"
    (cd "$work/a$3" && find . -name "$2" | sort) >"$work/found"
    diff "$work/expected" "$work/found"
}

prefix=$(variable prefix)
bin=$(variable bindir)
lib=$(variable libdir)
include=$(variable includedir)
man=$(variable man1dir)
share=$(variable pkgdatadir)

try "make install" make_build install DESTDIR="$work/a"
try "the program and the library are there" installed "$bin/snap" "$lib/libsnapstate.so.0" \
    "$lib/libsnapstate.a" "$(variable pkgconfigdir)/snapstate.pc"
try "every public header is there" same_names snapshot/include/snapstate '*.h' "$include/snapstate"
for section in 1 3 5; do
    try "every man page of section $section is there" \
        same_names docs/man "*.$section" "${man%1}$section"
done
try "every schema is there" same_names schema '*.schema.json' "$share/schema"
try "the installed program runs" "$work/a$bin/snap" -h

cat >"$work/use.c" <<'END'
#include <snapstate/snapstate.h>
#include <stdio.h>
int main(void)
{
    return puts(snap_status_name(SNAP_NOT_FOUND)) < 0;
}
END

# shellcheck disable=SC2046,SC2086
build_use() { # FLAG-OF-PKG-CONFIG...
    flags=$(PKG_CONFIG_PATH=$work/a$(variable pkgconfigdir) \
        "${PKG_CONFIG:-pkg-config}" --define-variable=prefix="$work/a$prefix" \
        --cflags --libs "$@" snapstate) || return 1
    ${CC:-cc} ${SANITIZER_FLAGS:-} -o "$work/use" "$work/use.c" $flags &&
        [ "$(LD_LIBRARY_PATH=$work/a$lib "$work/use")" = "not found" ]
}
try "pkg-config alone links a program with the shared library" build_use
mv "$work/a$lib/libsnapstate.so" "$work/"
try "pkg-config --static alone links it with the static library" build_use --static
mv "$work/libsnapstate.so" "$work/a$lib/"

try "make uninstall" make_build uninstall DESTDIR="$work/a"
find "$work/a" ! -type d >"$work/left"
try "it leaves nothing" diff /dev/null "$work/left"

# A Makefile's dollar is written twice.
# shellcheck disable=SC2016
other_name='transform=s/^snap$$/snapstate/'
try "make install under another name" make_build install DESTDIR="$work/b" "$other_name"
try "the program has it" test -x "$work/b$bin/snapstate"
(cd "$top_srcdir/docs/man" && find . -name '*.1' | sed 's/snap/snapstate/' | sort) >"$work/expected"
(cd "$work/b$man" && find . -name '*.1' | sort) >"$work/found"
try "the man pages have it" diff "$work/expected" "$work/found"
try "make uninstall of it" make_build uninstall DESTDIR="$work/b" "$other_name"
find "$work/b" ! -type d >"$work/left"
try "it leaves nothing either" diff /dev/null "$work/left"

tap_done
