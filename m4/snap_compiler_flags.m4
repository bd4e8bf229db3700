dnl SPDX-License-Identifier: Apache-2.0
dnl SNAP_COMPILER_FLAGS
dnl Sets SNAP_CFLAGS and SNAP_LDFLAGS: what every file of the tree is compiled and linked with, and
dnl SANITIZER_FLAGS, the part of them that an outside program needs to link with the library.
AC_DEFUN([SNAP_COMPILER_FLAGS], [
AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [make every compiler warning an error])],
    [], [enable_werror=no])
AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers],
        [build with AddressSanitizer and UndefinedBehaviorSanitizer])],
    [], [enable_sanitizers=no])

SNAP_CFLAGS="-std=gnu11 -pthread -ffp-contract=off -fno-common -fno-semantic-interposition"
SNAP_CFLAGS="$SNAP_CFLAGS -Wall -Wextra -Wpedantic -Wshadow -Wpointer-arith"
SNAP_CFLAGS="$SNAP_CFLAGS -Wstrict-prototypes -Wmissing-prototypes"
AS_IF([test "$enable_werror" = yes], [SNAP_CFLAGS="$SNAP_CFLAGS -Werror"])

SANITIZER_FLAGS=
AS_IF([test "$enable_sanitizers" = yes],
    [SANITIZER_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all"
     SNAP_CFLAGS="$SNAP_CFLAGS $SANITIZER_FLAGS -fno-omit-frame-pointer"])
SNAP_LDFLAGS="-pthread $SANITIZER_FLAGS"

AC_MSG_CHECKING([whether $CC takes the flags of this project])
snap_save_CFLAGS=$CFLAGS
snap_save_LDFLAGS=$LDFLAGS
CFLAGS="$SNAP_CFLAGS $CFLAGS"
LDFLAGS="$SNAP_LDFLAGS $LDFLAGS"
AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$CC cannot compile with '$SNAP_CFLAGS': take a recent gcc or clang])])
CFLAGS=$snap_save_CFLAGS
LDFLAGS=$snap_save_LDFLAGS

AC_SUBST([SNAP_CFLAGS])
AC_SUBST([SNAP_LDFLAGS])
AC_SUBST([SANITIZER_FLAGS])
])
