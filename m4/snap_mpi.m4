dnl SPDX-License-Identifier: Apache-2.0
dnl SNAP_WITH_MPI
dnl --with-mpi: yes fails when it is missing, no does not look, check takes what is there. Only the
dnl header is taken: the program loads the library when it was started as one of several ranks. Sets
dnl have_mpi (yes or no) and MPI_CPPFLAGS.
AC_DEFUN([SNAP_WITH_MPI], [
AC_ARG_WITH([mpi],
    [AS_HELP_STRING([--with-mpi@<:@=yes|no|check@:>@],
        [train on several ranks: mpi.h of Open MPI 4 or 5 @<:@check@:>@])],
    [], [with_mpi=check])
have_mpi=no
MPI_CPPFLAGS=
MPI_LIBS=
AS_CASE([$with_mpi],
    [no], [],
    [yes|check],
        [snap_mpi_flags=`$PKG_CONFIG --cflags ompi-c 2>/dev/null`
         snap_save_CPPFLAGS=$CPPFLAGS
         AC_MSG_CHECKING([for Open MPI])
         CPPFLAGS="$CPPFLAGS $snap_mpi_flags"
         AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
                #include <mpi.h>
                #if OMPI_MAJOR_VERSION != 4 && OMPI_MAJOR_VERSION != 5
                #error "another MPI"
                #endif]], [[return MPI_THREAD_MULTIPLE == MPI_THREAD_SINGLE;]])],
            [have_mpi=yes
             # For the program that measures against MPI itself, which links with it.
             MPI_LIBS=`$PKG_CONFIG --libs ompi-c 2>/dev/null || AS_ECHO([-lmpi])`
             # As headers of the system, for which no warning is ours.
             MPI_CPPFLAGS=`AS_ECHO(["$snap_mpi_flags"]) | $SED 's/-I */-isystem /g'`])
         CPPFLAGS=$snap_save_CPPFLAGS
         AC_MSG_RESULT([$have_mpi])],
    [AC_MSG_ERROR([--with-mpi=$with_mpi: yes, no or check])])
AS_CASE([$with_mpi/$have_mpi],
    [yes/no], [AC_MSG_ERROR([--with-mpi=yes: mpi.h of Open MPI 4 or 5 was not found])])
AC_SUBST([MPI_CPPFLAGS])
AC_SUBST([MPI_LIBS])
AC_SUBST([have_mpi])
AM_CONDITIONAL([HAVE_MPI], [test "$have_mpi" = yes])
])
