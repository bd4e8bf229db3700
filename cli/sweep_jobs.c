/* SPDX-License-Identifier: Apache-2.0 */
/* The trainings of a sweep, each a process of this program: `run` in a new folder, `restore` in one
 * that is there. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/training_config.h"
#include "exit_code.h"
#include "metrics/run_metrics.h"
#include "output.h"
#include "process/run_notes.h"
#include "run_files.h"
#include "sweep.h"
#include "trainer.h"

/* Where a training of this config ends; UINT64_MAX: not known here, its process will say why. */
static uint64_t goal_of(const struct sweep *sweep)
{
    struct trn_check_options options = TRN_CHECK_OPTIONS_INIT;
    struct trn_check check = TRN_CHECK_INIT;
    uint64_t goal = UINT64_MAX;
    options.target = sweep->config;
    options.dir = sweep->dir;
    /* Also without room for snapshots the number of steps is known. */
    (void)trn_check(&options, &check, NULL);
    if (check.total_steps > 0)
        goal = check.total_steps;
    if (sweep->has_steps && sweep->steps < goal)
        goal = sweep->steps;
    return goal;
}

static bool is_there(const struct sweep_seed *seed)
{
    char path[PATH_MAX];
    return cmd_path_join(seed->dir, "config.json", path, NULL) == SNAP_OK &&
           access(path, F_OK) == 0;
}

/* A folder that is there must hold a run of this config with this seed. */
static enum snap_status check_config(const struct sweep *sweep, const struct sweep_seed *seed,
                                     struct snap_error *err)
{
    struct trn_config wanted, found;
    char path[PATH_MAX];
    char *left = NULL, *right = NULL;
    enum snap_status status = trn_config_load(sweep->config, &seed->seed, &wanted, err);
    if (status != SNAP_OK)
        return status;
    status = cmd_path_join(seed->dir, "config.json", path, err);
    if (status == SNAP_OK)
        status = trn_config_load(path, NULL, &found, err);
    if (status == SNAP_OK) {
        left = trn_config_training_text(&wanted);
        right = trn_config_training_text(&found);
        if (left == NULL || right == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its config", seed->dir);
        else if (strcmp(left, right) != 0)
            status = snap_error_set(err, SNAP_INVALID,
                                    "%s: a run of another config than %s; name another --dir",
                                    seed->dir, sweep->config);
        trn_config_release(&found);
    }
    trn_config_release(&wanted);
    free(left);
    free(right);
    return status;
}

static void fail(struct sweep_seed *seed, enum snap_status status, const char *why)
{
    seed->state = SWEEP_FAILED;
    seed->exit_code = (int)cmd_exit_code(status);
    snprintf(seed->problem, sizeof seed->problem, "%s", why);
}

/* What its ledger says now. */
static void look(struct sweep_seed *seed)
{
    struct trn_metrics *metrics = NULL;
    if (trn_metrics_read(seed->dir, true, &metrics, NULL) != SNAP_OK)
        return;
    seed->step = metrics->last_step;
    snprintf(seed->run_hash, sizeof seed->run_hash, "run1:%s", metrics->chain);
    trn_metrics_free(metrics);
}

/* Is it complete already? */
static void take_stock(const struct sweep *sweep, struct sweep_seed *seed, uint64_t goal)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_run_notes notes;
    enum snap_status status;
    if (!is_there(seed))
        return;
    status = check_config(sweep, seed, &err);
    if (status == SNAP_OK)
        status = trn_run_notes_read(seed->dir, &notes, &err);
    if (status != SNAP_OK) {
        fail(seed, status, err.text);
        return;
    }
    look(seed);
    if (notes.ended && strcmp(notes.end_reason, "done") == 0 && notes.end_step >= goal &&
        seed->step >= goal) {
        seed->state = SWEEP_DONE;
        seed->was_done = true;
    }
    trn_run_notes_release(&notes);
}

/* Become the training; does not return. */
static void become(const struct sweep *sweep, const struct sweep_seed *seed, pid_t parent,
                   const sigset_t *mask)
{
    char number[24], threads[24], steps[24];
    const char *arguments[16];
    size_t count = 0;
    int in = open("/dev/null", O_RDONLY);
    int out = open(seed->log, O_WRONLY | O_CREAT | O_APPEND, 0666);

    /* A sweep that is killed stops its trainings, each after a snapshot; a signal of the terminal
     * comes to the sweep alone, which passes it on. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(out, 2) < 0)
        _exit(CMD_EXIT_ENVIRONMENT);
    close(in);  /* it lives on as descriptor 0 */
    close(out); /* and as 1 and 2 */
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    snprintf(number, sizeof number, "%" PRIu64, seed->seed);
    snprintf(threads, sizeof threads, "%u", sweep->threads);
    snprintf(steps, sizeof steps, "%" PRIu64, sweep->steps);
    arguments[count++] = program_invocation_short_name;
    if (is_there(seed)) {
        arguments[count++] = "restore";
        arguments[count++] = seed->dir;
    } else {
        arguments[count++] = "run";
        arguments[count++] = sweep->config;
        arguments[count++] = "--dir";
        arguments[count++] = seed->dir;
        arguments[count++] = "--seed";
        arguments[count++] = number;
    }
    arguments[count++] = "--threads";
    arguments[count++] = threads;
    if (sweep->has_steps) {
        arguments[count++] = "--steps";
        arguments[count++] = steps;
    }
    arguments[count] = NULL;
    execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
    fprintf(stderr, "%s: /proc/self/exe: running it: %s\n", program_invocation_short_name,
            strerror(errno));
    _exit(CMD_EXIT_ENVIRONMENT);
}

static void tell(const struct sweep *sweep, const struct sweep_seed *seed)
{
    if (sweep->quiet)
        return;
    cmd_print_line("seed %6" PRIu64 "  %-7s  step %6" PRIu64 "  %s", seed->seed,
                   seed->state == SWEEP_DONE && seed->was_done ? "there"
                                                               : sweep_state_name(seed->state),
                   seed->step, seed->state == SWEEP_FAILED ? seed->problem : seed->run_hash);
    fflush(stdout); /* an error stays with the stream, and is told at the end */
}

/* The last line that its process printed, the program's name left out. */
static void last_words(struct sweep_seed *seed)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    FILE *file = fopen(seed->log, "re");
    while (file != NULL && (size = getline(&line, &capacity, file)) > 0) {
        const char *from = line;
        size_t name = strlen(program_invocation_short_name);
        if (line[size - 1] == '\n')
            line[--size] = '\0';
        if (strncmp(line, program_invocation_short_name, name) == 0 &&
            strncmp(line + name, ": ", 2) == 0)
            from += name + 2;
        if (size > 0)
            snprintf(seed->problem, sizeof seed->problem, "%s", from);
    }
    if (file != NULL)
        fclose(file); /* it was only read */
    free(line);
}

static void take_end(const struct sweep *sweep, struct sweep_seed *seed, int status)
{
    seed->pid = 0;
    seed->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    look(seed);
    if (seed->exit_code == CMD_EXIT_YES) {
        seed->state = SWEEP_DONE;
    } else if (seed->exit_code == CMD_EXIT_STOPPED) {
        seed->state = SWEEP_STOPPED;
    } else {
        seed->state = SWEEP_FAILED;
        if (WIFSIGNALED(status))
            snprintf(seed->problem, sizeof seed->problem, "its process was ended by signal %d",
                     WTERMSIG(status));
        else
            last_words(seed);
    }
    tell(sweep, seed);
}

static size_t reap(struct sweep *sweep)
{
    size_t ended = 0;
    for (size_t i = 0; i < sweep->count; i++) {
        struct sweep_seed *seed = &sweep->seeds[i];
        int status;
        if (seed->state == SWEEP_RUNNING && waitpid(seed->pid, &status, WNOHANG) == seed->pid) {
            take_end(sweep, seed, status);
            ended++;
        }
    }
    return ended;
}

static void start(struct sweep *sweep, struct sweep_seed *seed, const sigset_t *mask)
{
    pid_t parent = getpid();
    seed->pid = fork();
    if (seed->pid == 0)
        become(sweep, seed, parent, mask);
    seed->state = SWEEP_RUNNING;
    if (seed->pid < 0) {
        fail(seed, SNAP_IO, strerror(errno));
        tell(sweep, seed);
    }
}

/* Signals are blocked and taken one by one; each that stops is passed on, so that a second one
 * stops the trainings at once, as it does for one of them. */
static void supervise(struct sweep *sweep, const sigset_t *taken, const sigset_t *mask)
{
    size_t next = 0, running = 0;
    for (;;) {
        while (sweep->signal == 0 && running < sweep->jobs && next < sweep->count) {
            struct sweep_seed *seed = &sweep->seeds[next++];
            if (seed->state != SWEEP_WAITING)
                continue;
            start(sweep, seed, mask);
            running += seed->state == SWEEP_RUNNING;
        }
        if (running == 0)
            return;
        int number = sigwaitinfo(taken, NULL);
        if (number == SIGCHLD) {
            running -= reap(sweep);
        } else if (number > 0) {
            sweep->signal = number;
            for (size_t i = 0; i < sweep->count; i++)
                if (sweep->seeds[i].state == SWEEP_RUNNING)
                    kill(sweep->seeds[i].pid, SIGTERM);
        }
    }
}

enum snap_status sweep_run(struct sweep *sweep, struct snap_error *err)
{
    sigset_t taken, mask;
    char name[32];
    uint64_t goal;
    enum snap_status status = SNAP_OK;
    if (mkdir(sweep->dir, 0777) != 0 && errno != EEXIST)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making the folder", sweep->dir);
    for (size_t i = 0; i < sweep->count && status == SNAP_OK; i++) {
        struct sweep_seed *seed = &sweep->seeds[i];
        snprintf(name, sizeof name, "seed-%" PRIu64, seed->seed);
        status = cmd_path_join(sweep->dir, name, seed->dir, err);
        if (status == SNAP_OK) {
            snprintf(name, sizeof name, "seed-%" PRIu64 ".log", seed->seed);
            status = cmd_path_join(sweep->dir, name, seed->log, err);
        }
    }
    if (status != SNAP_OK)
        return status;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGUSR2);
    sigprocmask(SIG_BLOCK, &taken, &mask);
    goal = goal_of(sweep);
    for (size_t i = 0; i < sweep->count; i++) {
        take_stock(sweep, &sweep->seeds[i], goal);
        if (sweep->seeds[i].state != SWEEP_WAITING)
            tell(sweep, &sweep->seeds[i]);
    }
    supervise(sweep, &taken, &mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return SNAP_OK;
}
