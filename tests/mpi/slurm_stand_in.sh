#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stands in for the programs of Slurm that docs/ranks.md calls, by the name it is called by: tasks
# are started by mpirun, with the variables of a step, and get the signals that Slurm would send.
# What the job is lies in the folder SLURM_STAND_IN.
set -u
: "${SLURM_STAND_IN:?}"
run=runs/digits # of the page's job

steps() {
    if [ -f "$run/ledger.jsonl" ]; then wc -l <"$run/ledger.jsonl"; else echo 0; fi
}
# Until a command succeeds, at most five minutes.
wait_for() { # COMMAND...
    tries=0
    while ! "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 3000 ]; then
            echo "$0: waited in vain for: $*" >&2
            exit 1
        fi
        sleep 0.1
    done
}
past() { [ "$(steps)" -gt "$1" ]; } # STEPS

case $(basename "$0") in
sbatch)
    script=$1
    tasks=$(sed -n 's/^#SBATCH --ntasks=//p' "$script")
    processors=$(sed -n 's/^#SBATCH --cpus-per-task=//p' "$script")
    (
        # A job that was requeued is started again.
        restarts=0
        while :; do
            SLURM_JOB_ID=17 SLURM_NTASKS=$tasks SLURM_CPUS_PER_TASK=$processors \
                SLURM_PROCID=0 SLURM_RESTART_COUNT=$restarts \
                bash "$script" >>"$SLURM_STAND_IN/job.out" 2>&1
            echo $? >>"$SLURM_STAND_IN/exits"
            [ -e "$SLURM_STAND_IN/requeued" ] || break
            rm "$SLURM_STAND_IN/requeued"
            restarts=$((restarts + 1))
        done
        touch "$SLURM_STAND_IN/ended"
    ) </dev/null >/dev/null 2>&1 &
    echo "Submitted batch job 17"
    ;;
srun)
    tasks=${SLURM_NTASKS:-1}
    while [ "${1#-}" != "$1" ]; do
        case $1 in
        --ntasks=*) tasks=${1#--ntasks=} ;;
        --mpi=pmix | --kill-on-bad-exit=1) ;;
        *)
            echo "srun: the stand-in does not know $1" >&2
            exit 1
            ;;
        esac
        shift
    done
    # mpirun would look for Slurm in a job of it.
    unset SLURM_JOB_ID SLURM_PROCID
    export SLURM_NTASKS="$tasks" SLURM_STEP_NUM_TASKS="$tasks" SLURM_STEP_ID=0
    echo $$ >"$SLURM_STAND_IN/step"
    exec mpirun --oversubscribe --bind-to none -n "$tasks" "$@" </dev/null
    ;;
scancel)
    # Some way into the training, and after what was asked for before.
    wait_for past $(($(steps) + 20))
    kill "-${1#--signal=}" "$(cat "$SLURM_STAND_IN/step")"
    [ "$1" != --signal=USR1 ] || wait_for test -e "$run/latest"
    ;;
scontrol)
    [ "$1 $2" = "requeue 17" ] && touch "$SLURM_STAND_IN/requeued"
    ;;
squeue)
    wait_for test -e "$SLURM_STAND_IN/ended"
    ;;
esac
