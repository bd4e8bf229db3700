dnl SPDX-License-Identifier: Apache-2.0
dnl SNAP_OBJECT_STORAGE
dnl s3:// needs libcurl, whose headers alone are used here and which is loaded when it is needed,
dnl and expat. --with-s3=yes insists on them, no leaves them out.
AC_DEFUN([SNAP_OBJECT_STORAGE], [
AC_ARG_WITH([s3], [AS_HELP_STRING([--with-s3@<:@=yes|no@:>@],
    [archives in object storage (default: where libcurl and expat are found)])],
    [], [with_s3=check])
have_s3=no
AS_IF([test "$with_s3" != no],
    [PKG_CHECK_MODULES([CURL], [libcurl >= 7.88.1], [have_s3=yes], [have_s3=no])
    PKG_CHECK_MODULES([EXPAT], [expat >= 2.5.0], [], [have_s3=no])
    AS_IF([test "$with_s3" = yes && test "$have_s3" = no],
        [AC_MSG_ERROR(m4_normalize([--with-s3: the headers of libcurl or expat are missing
            (libcurl4-openssl-dev, libexpat1-dev)]))])])
AS_IF([test "$have_s3" = yes],
    [AC_DEFINE([HAVE_S3], [1], [Is object storage built in?])
    EXPAT_REQUIRES=', expat >= 2.5.0'],
    [AC_DEFINE([HAVE_S3], [0], [Is object storage built in?])
    CURL_CFLAGS= EXPAT_CFLAGS= EXPAT_LIBS= EXPAT_REQUIRES=])
AC_SUBST([EXPAT_REQUIRES])
AM_CONDITIONAL([HAVE_S3], [test "$have_s3" = yes])
])
