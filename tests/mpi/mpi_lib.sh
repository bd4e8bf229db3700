# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# For tests on several ranks; read in after tests/support/tap.sh. Without mpirun, or in a build
# without MPI, the test ends here, skipped by name.

: "${SNAP:?}" "${top_srcdir:?}" "${top_builddir:?}"

# Four ranks on two processors must give way to each other; in a container there may be neither
# another user than root nor memory of another process to read.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_smsc=^cma

need_mpi() { # NAME
    if [ "${SNAP_HAVE_MPI:-no}" != yes ]; then
        skip "$1" "this build has no MPI"
    elif ! command -v mpirun >/dev/null; then
        skip "$1" "mpirun is not installed"
    else
        return
    fi
    tap_done
}

# Run a command on N ranks; what hangs is ended.
ranks() { # N COMMAND...
    ranks_n=$1
    shift
    # mpirun reads what is meant for others.
    timeout --kill-after=10 300 \
        mpirun --oversubscribe --bind-to none -n "$ranks_n" "$@" </dev/null
}

# As snap_run and snap_restore of tests/resume/resume_lib.sh, on N ranks.
ranks_run() { # N CONFIG DIR OPTION...
    run_n=$1
    run_config=$2
    run_dir=$3
    shift 3
    ranks "$run_n" "$SNAP" run "$run_config" --dir "$run_dir" "$@" >"$run_dir.out" 2>&1
}
ranks_restore() { # N TARGET OPTION...
    restore_n=$1
    shift
    # shellcheck disable=SC2154 # tap.sh has it
    ranks "$restore_n" "$SNAP" restore "$@" >"$work/restore.out" 2>&1
}
