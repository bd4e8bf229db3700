dnl SPDX-License-Identifier: Apache-2.0
dnl SNAP_ARITHMETIC
dnl The profile portable-1 fixes every bit, so that flags which let a compiler change one are
dnl refused here, rather than found out from a run hash that differs.
AC_DEFUN([SNAP_ARITHMETIC], [
AC_MSG_CHECKING([that floating point is evaluated as written])
AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <float.h>
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "fast-math"
#endif
#if FLT_EVAL_METHOD != 0
#error "extra precision in registers"
#endif
#if FLT_RADIX != 2 || FLT_MANT_DIG != 24 || DBL_MANT_DIG != 53
#error "not IEEE 754"
#endif
]], [[]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR(m4_normalize([CC='$CC' CFLAGS='$CFLAGS' may change results: no -ffast-math,
        -Ofast or x87 arithmetic]))])
AS_CASE([" $CC $CFLAGS "],
    [*" -ffp-contract=fast "*|*" -ffp-contract=on "*|*" -ffp-contract=fast-"*],
    [AC_MSG_ERROR(m4_normalize([CFLAGS='$CFLAGS' may change results: a multiplication and an
        addition must not be contracted]))])
])
