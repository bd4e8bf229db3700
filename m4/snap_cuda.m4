dnl SPDX-License-Identifier: Apache-2.0
dnl Detection of CUDA and cuDNN. The library is built with the CUDA runtime, linked statically; what
dnl was found is recorded in config.h.

dnl SNAP_CUDA_TRY(FOLDERS, HEADER, CALL, LIBRARY, IF-FOUND)
dnl Does a program that includes HEADER and makes CALL link with LIBRARY, in these FOLDERS?
AC_DEFUN([SNAP_CUDA_TRY], [
snap_save_CPPFLAGS=$CPPFLAGS
snap_save_LDFLAGS=$LDFLAGS
snap_save_LIBS=$LIBS
for snap_try in $1; do
    CPPFLAGS="$CPPFLAGS -I$snap_try/include"
    LDFLAGS="$LDFLAGS -L$snap_try/lib64 -L$snap_try/lib"
done
LIBS="-l$4 $LIBS"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <$2>]], [[return $3 == 0;]])], [$5])
CPPFLAGS=$snap_save_CPPFLAGS
LDFLAGS=$snap_save_LDFLAGS
LIBS=$snap_save_LIBS
])

dnl SNAP_WITH_CUDA
dnl --with-cuda: yes fails when it is missing, no does not look, check takes what is there, a folder
dnl is looked in alone. Sets have_cuda (yes or no) and cuda_folder, and defines HAVE_CUDA.
AC_DEFUN([SNAP_WITH_CUDA], [
AC_ARG_WITH([cuda],
    [AS_HELP_STRING([--with-cuda@<:@=yes|no|check|DIR@:>@],
        [detect the CUDA toolkit: nvcc, cuda_runtime.h and libcudart @<:@check@:>@])],
    [], [with_cuda=check])
have_cuda=no
cuda_folder=
AS_CASE([$with_cuda],
    [no], [snap_folders=],
    [yes|check],
        [snap_nvcc=`command -v nvcc`
         snap_folders="$CUDA_HOME $CUDA_PATH ${snap_nvcc%/bin/nvcc} /usr/local/cuda"],
    [snap_folders=$with_cuda])
AC_MSG_CHECKING([for CUDA])
for snap_folder in $snap_folders; do
    AS_IF([test "$have_cuda" = no && test -x "$snap_folder/bin/nvcc"],
        [SNAP_CUDA_TRY([$snap_folder], [cuda_runtime.h], [cudaGetDeviceCount((int *)0)], [cudart],
            [have_cuda=yes
             cuda_folder=$snap_folder])])
done
AC_MSG_RESULT([$have_cuda $cuda_folder])
AS_CASE([$with_cuda/$have_cuda],
    [no/*|check/*|*/yes], [],
    [AC_MSG_ERROR(m4_normalize([--with-cuda=$with_cuda: no folder has nvcc, cuda_runtime.h and
        libcudart; tried $snap_folders]))])
AS_IF([test "$have_cuda" = yes],
    [AC_DEFINE([HAVE_CUDA], [1], [Define to 1 if the CUDA toolkit was found.])
     AC_SUBST([NVCC], ["$cuda_folder/bin/nvcc"])
     AC_SUBST([CUDA_CPPFLAGS], ["-I$cuda_folder/include"])
     AC_SUBST([CUDA_LIBS], ["-L$cuda_folder/lib64 -L$cuda_folder/lib -lcudart_static -ldl -lrt"])])
AM_CONDITIONAL([HAVE_CUDA], [test "$have_cuda" = yes])
])

dnl SNAP_WITH_CUDNN
dnl --with-cudnn: the same for cuDNN, which needs CUDA. Without a folder it is looked for where CUDA
dnl is and where the compiler looks. Sets have_cudnn and defines HAVE_CUDNN.
AC_DEFUN([SNAP_WITH_CUDNN], [
AC_REQUIRE([SNAP_WITH_CUDA])
AC_ARG_WITH([cudnn],
    [AS_HELP_STRING([--with-cudnn@<:@=yes|no|check|DIR@:>@],
        [detect cuDNN: cudnn.h and libcudnn; needs CUDA @<:@check@:>@])],
    [], [with_cudnn=check])
have_cudnn=no
snap_cudnn_folder=
AS_CASE([$with_cudnn], [yes|no|check], [], [snap_cudnn_folder=$with_cudnn])
AC_MSG_CHECKING([for cuDNN])
AS_IF([test "$with_cudnn" != no && test "$have_cuda" = yes],
    [AS_IF([test -z "$snap_cudnn_folder" || test -f "$snap_cudnn_folder/include/cudnn.h"],
        [SNAP_CUDA_TRY([$snap_cudnn_folder $cuda_folder], [cudnn.h], [cudnnGetVersion()], [cudnn],
            [have_cudnn=yes])])])
AC_MSG_RESULT([$have_cudnn])
AS_CASE([$with_cudnn/$have_cudnn/$have_cuda],
    [no/*|check/*|*/yes/*], [],
    [*/no], [AC_MSG_ERROR([--with-cudnn=$with_cudnn: it needs CUDA, which was not found])],
    [AC_MSG_ERROR([--with-cudnn=$with_cudnn: cudnn.h and libcudnn were not found])])
AS_IF([test "$have_cudnn" = yes],
    [AC_DEFINE([HAVE_CUDNN], [1], [Define to 1 if cuDNN was found.])])
])
