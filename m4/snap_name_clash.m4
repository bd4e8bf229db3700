dnl SPDX-License-Identifier: Apache-2.0
dnl SNAP_NAME_CLASH
dnl `snap` is also the name of Ubuntu's package manager. Say so when there is another one and the
dnl program is about to be installed under that name.
AC_DEFUN([SNAP_NAME_CLASH], [
AC_MSG_CHECKING([for another program called snap])
snap_other=`command -v snap 2>/dev/null`
AS_CASE([$snap_other], [/*], [], [snap_other=])
AS_IF([test -z "$snap_other" && test -e /usr/bin/snap], [snap_other=/usr/bin/snap])
AC_MSG_RESULT([${snap_other:-none}])
snap_transform=`AS_ECHO(["$program_transform_name"]) | "$SED" 's/[[$]][[$]]/$/g'`
AS_IF([test -n "$snap_other" && test "`echo snap | "$SED" "$snap_transform"`" = snap],
    [AC_MSG_WARN([$snap_other exists: Ubuntu's package manager has this name too, and PATH will
    decide which one runs. To install the program and its man pages as `snapstate`, configure with
    --program-transform-name='s/^snap$/snapstate/'])])
])
