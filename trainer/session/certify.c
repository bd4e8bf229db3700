/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/certify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "process/run_paths.h"
#include "process/signals.h"
#include "trainer.h"

/* What a replay prints is a few short texts. */
#define REPORT_BYTES 65536

/* A signal that comes just before a wait is seen after it. */
enum { SIGNAL_MS = 100 };

/* Exit statuses of `snap replay`, as snap(1) has them. */
enum { EQUAL = 0, DIFFERS = 1, CORRUPT = 5, NOT_RUN = 127 };

struct snapshot {
    uint64_t step;
    char hash[SNAP_HASH_TEXT_BYTES];
};

struct trn_certifier {
    const struct trn_training *training;
    struct snapshot waiting[TRN_CERTIFY_MOST_WAITING]; /* by step */
    size_t count;
    pid_t child; /* 0: none works, for waiting[0] */
    int report;  /* what it prints, as long as there is a child */
    char text[REPORT_BYTES];
    size_t size;
};

const char *trn_certified_name(enum trn_certified outcome)
{
    static const char *const names[] = { "certified", "refuted", "not_certified" };
    return names[outcome];
}

enum snap_status trn_certifier_new(const struct trn_training *training,
                                   struct trn_certifier **certifier, struct snap_error *err)
{
    struct trn_certifier *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "certificates: no memory");
    made->training = training;
    *certifier = made;
    return SNAP_OK;
}

void trn_certifier_add(struct trn_certifier *c, uint64_t step, const char *hash)
{
    struct snapshot *added = &c->waiting[c->count++];
    added->step = step;
    snprintf(added->hash, sizeof(added->hash), "%s", hash);
}

size_t trn_certifier_waiting(const struct trn_certifier *c, uint64_t *steps)
{
    for (size_t i = 0; i < c->count; i++)
        steps[i] = c->waiting[i].step;
    return c->count;
}

/* ---- the process ---- */

struct command {
    char archive[TRN_PATH_SIZE];
    char to[24];
    const char *arguments[16];
};

static enum snap_status make_command(const struct trn_certifier *c, struct command *command,
                                     struct snap_error *err)
{
    const struct trn_training *t = c->training;
    const char *dir = snap_run_dir(t->run);
    char name[64];
    size_t count = 0;
    snprintf(name, sizeof(name), "snapshots/step-%010" PRIu64 ".snap.tar", c->waiting[0].step);
    snprintf(command->to, sizeof(command->to), "%" PRIu64, c->waiting[0].step + 1);
    command->arguments[count++] = "snap";
    command->arguments[count++] = "replay";
    command->arguments[count++] = command->archive;
    command->arguments[count++] = "--ledger";
    command->arguments[count++] = dir;
    command->arguments[count++] = "--to";
    command->arguments[count++] = command->to;
    command->arguments[count++] = "--threads";
    command->arguments[count++] = "1";
    command->arguments[count++] = "--device";
    command->arguments[count++] = t->given.device != NULL ? t->given.device : t->config.device;
    if (t->given.data_dir != NULL) {
        command->arguments[count++] = "--data";
        command->arguments[count++] = t->given.data_dir;
    }
    command->arguments[count++] = "--json";
    command->arguments[count] = NULL;
    return trn_join_path(dir, name, command->archive, err);
}

/* In the child, where only what is safe after fork() is called. A run that is killed leaves no
 * process behind, and signals of the terminal are for the run. */
static _Noreturn void become(const char *program, const struct command *command, int report,
                             pid_t parent)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    setpgid(0, 0);
    sigaction(SIGPIPE, &plain, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(report, STDOUT_FILENO) < 0 || dup2(nothing, STDERR_FILENO) < 0)
        _exit(NOT_RUN);
    /* Where that is refused, it works at the same priority. */
    (void)setpriority(PRIO_PROCESS, 0, 19);
    execv(program, (char *const *)(uintptr_t)command->arguments);
    _exit(NOT_RUN);
}

static enum snap_status start(struct trn_certifier *c, struct snap_error *err)
{
    const char *program = c->training->given.program;
    struct command command;
    pid_t parent = getpid();
    int ends[2];
    enum snap_status status = make_command(c, &command, err);
    if (status != SNAP_OK)
        return status;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "its process: making a pipe");
    c->child = fork();
    if (c->child == 0)
        become(program != NULL ? program : "/proc/self/exe", &command, ends[1], parent);
    int problem = errno;
    close(ends[1]); /* nothing was written to it here */
    if (c->child < 0) {
        close(ends[0]);
        c->child = 0;
        return snap_error_set_os(err, SNAP_IO, problem, "its process: starting it");
    }
    c->report = ends[0];
    c->size = 0;
    return SNAP_OK;
}

/* Read what is there, or comes in `wait_ms`. True: it has closed its end, and so has ended or is
 * about to. */
static bool read_report(struct trn_certifier *c, int wait_ms)
{
    struct pollfd ready = { .fd = c->report, .events = POLLIN };
    for (;;) {
        char past[512];
        if (poll(&ready, 1, wait_ms) <= 0)
            return false; /* nothing yet, or a signal */
        bool full = c->size == sizeof(c->text);
        ssize_t got = full ? read(c->report, past, sizeof(past))
                           : read(c->report, c->text + c->size, sizeof(c->text) - c->size);
        if (got < 0 && errno == EINTR)
            return false;
        if (got <= 0)
            return true;
        c->size += full ? 0 : (size_t)got;
    }
}

/* Its wait status. */
static int reap(struct trn_certifier *c)
{
    int wait_status = 0;
    while (waitpid(c->child, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    close(c->report); /* only read */
    c->child = 0;
    return wait_status;
}

/* ---- certificates ---- */

/* This one is done with. */
static void take(struct trn_certifier *c, size_t index, enum trn_certified outcome,
                 struct trn_certificate *certificate)
{
    struct snapshot *taken = &c->waiting[index];
    *certificate = (struct trn_certificate){ .outcome = outcome, .step = taken->step };
    memcpy(certificate->hash, taken->hash, sizeof(certificate->hash));
    c->count--;
    memmove(taken, taken + 1, (c->count - index) * sizeof(*taken));
}

static void explain(struct trn_certificate *certificate, const char *why)
{
    snprintf(certificate->why, sizeof(certificate->why), "%s", why);
}

static void judge(struct trn_certifier *c, int wait_status, struct trn_certificate *certificate)
{
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    json_t *report = json_loadb(c->text, c->size, 0, NULL);
    const json_t *error = json_object_get(report, "error");
    const char *text = json_string_value(json_object_get(error, "text"));
    const char *first =
        json_string_value(json_object_get(json_object_get(report, "result"), "first_member"));
    bool told = json_integer_value(json_object_get(report, "exit")) == code;
    enum trn_certified outcome = TRN_NOT_CERTIFIED;
    if (code == EQUAL && report != NULL && told)
        outcome = TRN_CERTIFIED;
    else if ((code == DIFFERS || code == CORRUPT) && told)
        outcome = TRN_REFUTED;
    take(c, 0, outcome, certificate);
    if (WIFSIGNALED(wait_status))
        snprintf(certificate->why, sizeof(certificate->why),
                 "its process was ended by signal %d", WTERMSIG(wait_status));
    else if (outcome != TRN_CERTIFIED && text != NULL && first != NULL)
        snprintf(certificate->why, sizeof(certificate->why), "%s (first: %s)", text, first);
    else if (outcome != TRN_CERTIFIED && text != NULL)
        explain(certificate, text);
    else if (outcome != TRN_CERTIFIED)
        snprintf(certificate->why, sizeof(certificate->why),
                 "its process ended with status %d and did not say why", code);
    json_decref(report);
}

/* One that has no next line, or no turn. */
static bool set_aside(struct trn_certifier *c, uint64_t steps_done, enum trn_certify_mode mode,
                      struct trn_certificate *certificate)
{
    bool one_too_many = c->count > TRN_CERTIFY_WAITING;
    const char *why = NULL;
    if (one_too_many)
        why = "too many snapshots before it wait for their turn";
    else if (mode != TRN_CERTIFY_LOOK && c->waiting[0].step >= steps_done)
        why = "the run made no step after it";
    else if (mode == TRN_CERTIFY_ABANDON)
        why = "the run was stopped before it was done";
    if (why == NULL)
        return false;
    take(c, one_too_many ? c->count - 1 : 0, TRN_NOT_CERTIFIED, certificate);
    certificate->expected = !one_too_many;
    explain(certificate, why);
    return true;
}

bool trn_certifier_next(struct trn_certifier *c, uint64_t steps_done, enum trn_certify_mode mode,
                        struct trn_certificate *certificate)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    while (c->count > 0) {
        if (mode == TRN_CERTIFY_WAIT && trn_signals_stop() != 0)
            mode = TRN_CERTIFY_ABANDON;
        if (c->child != 0 && mode == TRN_CERTIFY_ABANDON) {
            kill(c->child, SIGKILL);
            reap(c);
        }
        if (c->child == 0 || c->count > TRN_CERTIFY_WAITING) {
            if (set_aside(c, steps_done, mode, certificate))
                return true;
        }
        if (c->child != 0) {
            if (read_report(c, mode == TRN_CERTIFY_WAIT ? SIGNAL_MS : 0)) {
                judge(c, reap(c), certificate);
                return true;
            }
            if (mode == TRN_CERTIFY_LOOK)
                return false;
        } else if (c->waiting[0].step >= steps_done) {
            return false;
        } else if (start(c, &problem) != SNAP_OK) {
            take(c, 0, TRN_NOT_CERTIFIED, certificate);
            explain(certificate, problem.text);
            return true;
        }
    }
    return false;
}

void trn_certifier_free(struct trn_certifier *c)
{
    if (c != NULL && c->child != 0) {
        kill(c->child, SIGKILL);
        reap(c);
    }
    free(c);
}
