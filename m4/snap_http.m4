dnl SPDX-License-Identifier: Apache-2.0
dnl SNAP_WITH_HTTP
dnl --with-http: yes fails when libmicrohttpd is missing, no does not look, check takes what is
dnl there. Sets have_http (yes or no).
AC_DEFUN([SNAP_WITH_HTTP], [
AC_ARG_WITH([http],
    [AS_HELP_STRING([--with-http@<:@=yes|no|check@:>@],
        [let snap serve listen for HTTP, by libmicrohttpd @<:@check@:>@])],
    [], [with_http=check])
have_http=no
AS_CASE([$with_http],
    [no], [],
    [yes], [PKG_CHECK_MODULES([MICROHTTPD], [libmicrohttpd >= 0.9.71], [have_http=yes])],
    [check], [PKG_CHECK_MODULES([MICROHTTPD], [libmicrohttpd >= 0.9.71], [have_http=yes],
        [have_http=no])],
    [AC_MSG_ERROR([--with-http takes yes, no or check, not $with_http])])
AM_CONDITIONAL([HAVE_HTTP], [test "$have_http" = yes])
])
