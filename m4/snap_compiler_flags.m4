dnl SPDX-License-Identifier: Apache-2.0
dnl SNAP_COMPILER_FLAGS
dnl Sets SNAP_CFLAGS and SNAP_LDFLAGS: what every file of the tree is compiled and linked with;
dnl SANITIZER_FLAGS: the part of them that an outside program needs to link with the library;
dnl and, if the whole is built without sanitizers, TEST_SANITIZER_FLAGS: what those tests are built
dnl with that feed the library damaged bytes.
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

SNAP_LDFLAGS="-pthread"

AC_MSG_CHECKING([whether $CC takes the flags of this project])
SNAP_TRY_FLAGS([$SNAP_CFLAGS $SNAP_LDFLAGS],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$CC cannot compile with '$SNAP_CFLAGS': take a recent gcc or clang])])

snap_sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
SANITIZER_FLAGS=
TEST_SANITIZER_FLAGS=
AC_MSG_CHECKING([whether $CC has AddressSanitizer and UndefinedBehaviorSanitizer])
SNAP_TRY_FLAGS([$snap_sanitizers], [have_sanitizers=yes], [have_sanitizers=no])
AC_MSG_RESULT([$have_sanitizers])
AS_CASE([$enable_sanitizers/$have_sanitizers],
    [yes/no], [AC_MSG_ERROR([--enable-sanitizers: $CC cannot link with '$snap_sanitizers'])],
    [yes/yes], [SANITIZER_FLAGS=$snap_sanitizers],
    [no/yes], [TEST_SANITIZER_FLAGS=$snap_sanitizers])
SNAP_CFLAGS="$SNAP_CFLAGS $SANITIZER_FLAGS"
SNAP_LDFLAGS="$SNAP_LDFLAGS $SANITIZER_FLAGS"
AM_CONDITIONAL([TEST_SANITIZERS], [test -n "$TEST_SANITIZER_FLAGS"])

# CFLAGS come last on the command line, and their -O2, the default, undoes an -O3. What that stands
# for in the kernels is named: gcc's -O2 vectorises no loop whose count is not known.
SNAP_KERNEL_CFLAGS="-O3"
snap_vectorise="-ftree-vectorize -fvect-cost-model=dynamic -fpeel-loops -funswitch-loops"
SNAP_TRY_FLAGS([-Werror $snap_vectorise], [SNAP_KERNEL_CFLAGS="-O3 $snap_vectorise"])

AC_SUBST([SNAP_CFLAGS])
AC_SUBST([SNAP_KERNEL_CFLAGS])
AC_SUBST([SNAP_LDFLAGS])
AC_SUBST([SANITIZER_FLAGS])
AC_SUBST([TEST_SANITIZER_FLAGS])
])

dnl SNAP_TRY_FLAGS(FLAGS, IF-THEY-LINK, IF-NOT)
AC_DEFUN([SNAP_TRY_FLAGS], [
snap_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS $1"
AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])], [$2], [$3])
CFLAGS=$snap_save_CFLAGS
])
