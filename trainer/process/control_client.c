/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "process/control_address.h"
#include "process/control_socket.h"
#include "process/progress.h"
#include "trainer.h"

enum { MAX_ANSWER = 2048 };

enum snap_status trn_control_open_dir(const char *dir, int *fd, struct snap_error *err)
{
    *fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return snap_error_set_os(err,
                                 errno == ENOENT || errno == ENOTDIR ? SNAP_NOT_FOUND : SNAP_IO,
                                 errno, "run folder %s: cannot be opened", dir);
    return SNAP_OK;
}

void trn_control_address(int dir_fd, struct sockaddr_un *address)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", dir_fd,
             TRN_CONTROL_NAME);
}

/* Milliseconds left; -1: for ever. */
static int time_left(double deadline)
{
    if (deadline == 0)
        return -1;
    double left = deadline - trn_clock_seconds();
    return left > 0 ? (int)(left * 1000) + 1 : 0;
}

/* Read one line. */
static enum snap_status receive(int fd, const char *dir, double deadline, char *line,
                                size_t line_size, struct snap_error *err)
{
    size_t have = 0;
    for (;;) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int ready = poll(&wait, 1, time_left(deadline));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "run %s: cannot wait for it", dir);
        if (ready == 0)
            return snap_error_set(err, SNAP_IO,
                                  "run %s: it has not answered in time: it may still save", dir);
        ssize_t got = recv(fd, line + have, line_size - 1 - have, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "run %s: its answer cannot be read", dir);
        if (got == 0)
            return snap_error_set(err, SNAP_IO, "run %s: it ended before it had answered", dir);
        have += (size_t)got;
        line[have] = '\0';
        if (strchr(line, '\n') != NULL)
            return SNAP_OK;
        if (have == line_size - 1)
            return snap_error_set(err, SNAP_IO, "run %s: its answer is too long", dir);
    }
}

static enum snap_status understand(const char *line, const char *dir, struct trn_saved *saved,
                                   struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    json_t *document = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const char *problem = json_string_value(json_object_get(document, "error"));
    const char *hash = json_string_value(json_object_get(document, "hash"));
    const json_t *step = json_object_get(document, "step");
    if (problem != NULL) {
        status = snap_error_set(err, SNAP_IO, "run %s: %s", dir, problem);
    } else if (hash == NULL || strlen(hash) >= sizeof(saved->snapshot_hash) ||
               !json_is_integer(step)) {
        status = snap_error_set(err, SNAP_IO, "run %s: its answer is not understood", dir);
    } else {
        snprintf(saved->snapshot_hash, sizeof(saved->snapshot_hash), "%s", hash);
        saved->step = (uint64_t)json_integer_value(step);
    }
    json_decref(document);
    return status;
}

enum snap_status trn_save_request(const char *run_dir, unsigned timeout_ms,
                                  struct trn_saved *saved, struct snap_error *err)
{
    static const char request[] = "{\"request\":\"save\"}\n";
    double deadline = timeout_ms > 0 ? trn_clock_seconds() + timeout_ms / 1000.0 : 0;
    struct sockaddr_un address;
    char line[MAX_ANSWER];
    int fd = -1;
    int dir_fd;
    enum snap_status status = trn_control_open_dir(run_dir, &dir_fd, err);
    if (status != SNAP_OK)
        return status;
    trn_control_address(dir_fd, &address);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        status = snap_error_set_os(err, SNAP_IO, errno, "run %s: no socket can be made", run_dir);
        goto out;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        bool nobody = errno == ENOENT || errno == ECONNREFUSED;
        status = nobody ? snap_error_set(err, SNAP_NOT_FOUND,
                                         "run %s: no process trains there that could save", run_dir)
                        : snap_error_set_os(err, SNAP_IO, errno,
                                            "run %s: its control socket cannot be reached",
                                            run_dir);
        goto out;
    }
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1) {
        status = snap_error_set_os(err, SNAP_IO, errno, "run %s: the request cannot be sent",
                                   run_dir);
        goto out;
    }
    status = receive(fd, run_dir, deadline, line, sizeof(line), err);
    if (status == SNAP_OK)
        status = understand(line, run_dir, saved, err);
out:
    if (fd >= 0)
        close(fd); /* the request is answered or given up */
    close(dir_fd); /* only a handle */
    return status;
}
