# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# For tests that run with each table of kernels.

# shellcheck disable=SC2034 # used by those who read this file
every_isa='scalar sse2 avx2 avx512 neon'

isa_in_build() { # ISA
    [ -e "${top_builddir:?}/.libs/libtrainer_ops_$1.a" ]
}

# It is in the build and this CPU has it.
can_run_isa() { # ISA
    isa_in_build "$1" || return 1
    case $1 in
    avx2) flags='avx2 fma' ;;
    avx512) flags='avx2 fma avx512f avx512dq avx512bw avx512vl' ;;
    *) flags= ;;
    esac
    for flag in $flags; do
        grep -qw "$flag" /proc/cpuinfo || return 1
    done
}
