dnl SPDX-License-Identifier: Apache-2.0
dnl Detection of CUDA and cuDNN. Library and trainer are built with the CUDA runtime, linked
dnl statically; what was found is recorded in config.h.

dnl SNAP_CUDA_TRY(FOLDERS, HEADER, CALL, LIBRARY, IF-FOUND)
dnl Does a program that includes HEADER and makes CALL link with LIBRARY, in these FOLDERS, and is
dnl CUDA new enough? cudaMallocAsync is of 11.2, machine code for 9.0 of 11.8.
AC_DEFUN([SNAP_CUDA_TRY], [
snap_save_CPPFLAGS=$CPPFLAGS
snap_save_LDFLAGS=$LDFLAGS
snap_save_LIBS=$LIBS
for snap_try in $1; do
    CPPFLAGS="$CPPFLAGS -I$snap_try/include"
    LDFLAGS="$LDFLAGS -L$snap_try/lib64 -L$snap_try/lib"
done
LIBS="-l$4 $LIBS"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[
        #include <$2>
        #if CUDART_VERSION < 11080
        #error "another CUDA is needed"
        #endif]], [[return $3 == 0;]])], [$5])
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
        [build for CUDA devices with the toolkit, 11.8 or newer: nvcc, cuda_runtime.h and
        libcudart @<:@check@:>@])],
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
        libcudart of CUDA 11.8 or newer; tried $snap_folders]))])
AS_IF([test "$have_cuda" = yes],
    [AC_DEFINE([HAVE_CUDA], [1], [Define to 1 if the CUDA toolkit was found.])
     AC_SUBST([NVCC], ["$cuda_folder/bin/nvcc"])
     AC_SUBST([CUDA_FOLDER], [$cuda_folder])
     AC_SUBST([CUDA_CPPFLAGS], ["-I$cuda_folder/include"])
     CUDA_LIBS="-L$cuda_folder/lib64 -L$cuda_folder/lib -lcudart_static -ldl -lrt"
     AC_SUBST([CUDA_LIBS])])
AM_CONDITIONAL([HAVE_CUDA], [test "$have_cuda" = yes])
SNAP_CUDA_FLAGS
])

dnl SNAP_CUDA_FLAGS
dnl Sets NVCCFLAGS: what every .cu file of the trainer is compiled with. What decides bits is
dnl written out; tests/ops/test_ptx.sh looks at what the compiler makes of it. CUDA_GENCODE says for
dnl which devices: by default machine code for 9.0, and PTX that the driver compiles for any from
dnl 7.5 on; that of 8.0 copies to shared memory beside the arithmetic.
AC_DEFUN([SNAP_CUDA_FLAGS], [
AC_ARG_VAR([CUDA_GENCODE], [for which devices nvcc compiles, as its options -gencode])
AS_IF([test -z "$CUDA_GENCODE"],
    [CUDA_GENCODE="-gencode arch=compute_90,code=sm_90"
     for snap_arch in 80 75; do
        CUDA_GENCODE="$CUDA_GENCODE -gencode arch=compute_$snap_arch,code=compute_$snap_arch"
     done])
NVCCFLAGS="-std=c++17 -O3 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true"
dnl Without guards of statics the objects need no C++ library.
NVCCFLAGS="$NVCCFLAGS -Xcompiler -fPIC,-pthread,-ffp-contract=off"
NVCCFLAGS="$NVCCFLAGS -Xcompiler -fno-exceptions,-fno-rtti,-fno-threadsafe-statics"
AS_IF([test "$enable_werror" = yes], [NVCCFLAGS="$NVCCFLAGS --Werror all-warnings"])
AC_SUBST([NVCCFLAGS])
])

dnl SNAP_WITH_CUDNN
dnl --with-cudnn: the same for cuDNN and cuBLAS, which need CUDA. Only their headers are taken: the
dnl program loads the libraries when the profile cudnn-1 starts. Without a folder cudnn.h is looked
dnl for where CUDA is and where the compiler looks. Sets have_cudnn and CUDNN_CPPFLAGS, defines
dnl HAVE_CUDNN.
AC_DEFUN([SNAP_WITH_CUDNN], [
AC_REQUIRE([SNAP_WITH_CUDA])
AC_ARG_WITH([cudnn],
    [AS_HELP_STRING([--with-cudnn@<:@=yes|no|check|DIR@:>@],
        [build the profile cudnn-1: cudnn.h of version 9 and cublas_v2.h; needs CUDA
        @<:@check@:>@])],
    [], [with_cudnn=check])
have_cudnn=no
snap_cudnn_folder=
AS_CASE([$with_cudnn], [yes|no|check], [], [snap_cudnn_folder=$with_cudnn])
AC_MSG_CHECKING([for cuDNN and cuBLAS])
AS_IF([test "$with_cudnn" != no && test "$have_cuda" = yes],
    [AS_IF([test -z "$snap_cudnn_folder" || test -f "$snap_cudnn_folder/include/cudnn.h"],
        [snap_save_CPPFLAGS=$CPPFLAGS
         for snap_try in $snap_cudnn_folder $cuda_folder; do
            CPPFLAGS="$CPPFLAGS -I$snap_try/include"
         done
         AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
                #include <cublas_v2.h>
                #include <cudnn.h>
                #if CUDNN_MAJOR != 9
                #error "another major version"
                #endif]], [[return cudnnGetVersion() == 0;]])],
            [have_cudnn=yes])
         CPPFLAGS=$snap_save_CPPFLAGS])])
AC_MSG_RESULT([$have_cudnn])
AS_CASE([$with_cudnn/$have_cudnn/$have_cuda],
    [no/*|check/*|*/yes/*], [],
    [*/no], [AC_MSG_ERROR([--with-cudnn=$with_cudnn: it needs CUDA, which was not found])],
    [AC_MSG_ERROR([--with-cudnn=$with_cudnn: cudnn.h of version 9 or cublas_v2.h was not found])])
AS_IF([test "$have_cudnn" = yes],
    [AC_DEFINE([HAVE_CUDNN], [1], [Define to 1 if the headers of cuDNN and cuBLAS were found.])
     AS_IF([test -n "$snap_cudnn_folder"],
        [AC_SUBST([CUDNN_CPPFLAGS], ["-I$snap_cudnn_folder/include"])])])
AM_CONDITIONAL([HAVE_CUDNN], [test "$have_cudnn" = yes])
])
