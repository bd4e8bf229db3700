/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "process/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "process/control_address.h"
#include "process/progress.h"

enum {
    MAX_CLIENTS = 16,  /* more wait in the kernel's queue */
    MAX_REQUEST = 256, /* bytes of a request's line */
    MAX_ANSWER = 1200  /* an error's text, escaped */
};

/* A client that has not sent its line after so many seconds makes room for others. */
static const double PATIENCE_SECONDS = 10;

struct client {
    int fd; /* -1: free */
    bool waits_for_save;
    bool save_has_begun; /* the one that it waits for */
    double since;
    size_t have;
    char line[MAX_REQUEST];
};

struct trn_control {
    int dir_fd;
    int listener;
    struct client clients[MAX_CLIENTS];
};

static void hang_up(struct client *client)
{
    close(client->fd); /* nothing more can be said to it */
    client->fd = -1;
}

/* The answer is shorter than any socket buffer: it goes out whole, or the client is gone. */
static void answer(struct client *client, json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(document);
    char line[MAX_ANSWER];
    int length = text != NULL ? snprintf(line, sizeof(line), "%s\n", text) : 0;
    free(text);
    if (length > 0 && (size_t)length < sizeof(line))
        (void)send(client->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    hang_up(client);
}

static void refuse(struct client *client, const char *text)
{
    char cut[MAX_ANSWER / 6]; /* a character may take six when escaped */
    snprintf(cut, sizeof(cut), "%s", text);
    json_t *document = json_pack("{s:s}", "error", cut);
    answer(client, document != NULL ? document : json_pack("{s:s}", "error", "it failed"));
}

static void understand(struct client *client)
{
    json_t *request = json_loadb(client->line, client->have, JSON_REJECT_DUPLICATES, NULL);
    const char *what = json_string_value(json_object_get(request, "request"));
    bool save = what != NULL && strcmp(what, "save") == 0 && json_object_size(request) == 1;
    json_decref(request);
    if (save)
        client->waits_for_save = true;
    else
        refuse(client, "expected {\"request\":\"save\"}");
}

static void receive(struct client *client, double now)
{
    for (;;) {
        ssize_t got = recv(client->fd, client->line + client->have,
                           sizeof(client->line) - client->have, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got <= 0) {
            hang_up(client);
            return;
        }
        client->have += (size_t)got;
        const char *end = memchr(client->line, '\n', client->have);
        if (end != NULL) {
            client->have = (size_t)(end - client->line);
            understand(client);
            return;
        }
        if (client->have == sizeof(client->line)) {
            refuse(client, "the request is too long");
            return;
        }
    }
    if (now - client->since > PATIENCE_SECONDS)
        hang_up(client);
}

/* Only the run's owner, and root, may ask. */
static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void accept_clients(struct trn_control *control, double now)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &control->clients[i];
        if (client->fd >= 0)
            continue;
        int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (!may_ask(fd)) {
            close(fd); /* it gets no word */
            continue;
        }
        *client = (struct client){ .fd = fd, .since = now };
    }
}

bool trn_control_poll(struct trn_control *control)
{
    bool wanted = false;
    double now = trn_clock_seconds();
    accept_clients(control, now);
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &control->clients[i];
        if (client->fd >= 0 && !client->waits_for_save)
            receive(client, now);
        wanted =
            wanted || (client->fd >= 0 && client->waits_for_save && !client->save_has_begun);
    }
    return wanted;
}

void trn_control_saving(struct trn_control *control)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++)
        control->clients[i].save_has_begun = control->clients[i].waits_for_save;
}

void trn_control_saved(struct trn_control *control, uint64_t step, const char *snapshot_hash)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &control->clients[i];
        if (client->fd >= 0 && client->save_has_begun)
            answer(client, json_pack("{s:s,s:I}", "hash", snapshot_hash, "step", (json_int_t)step));
    }
}

static void refuse_waiting(struct trn_control *control, bool all, const char *text)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        struct client *client = &control->clients[i];
        if (client->fd >= 0 && client->waits_for_save && (all || client->save_has_begun))
            refuse(client, text);
    }
}

void trn_control_failed(struct trn_control *control, const char *text)
{
    refuse_waiting(control, false, text);
}

/* Take away a socket that a killed run left; anything else of that name is not ours. */
static enum snap_status remove_leftover(int dir_fd, const char *dir, struct snap_error *err)
{
    struct stat info;
    if (fstatat(dir_fd, TRN_CONTROL_NAME, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return SNAP_OK;
    if (!S_ISSOCK(info.st_mode))
        return snap_error_set(err, SNAP_IO, "control socket %s/%s: something else is there", dir,
                              TRN_CONTROL_NAME);
    if (unlinkat(dir_fd, TRN_CONTROL_NAME, 0) != 0)
        return snap_error_set_os(err, SNAP_IO, errno,
                                 "control socket %s/%s: the old one cannot be removed", dir,
                                 TRN_CONTROL_NAME);
    return SNAP_OK;
}

static enum snap_status start_listening(struct trn_control *control, const char *dir,
                                        struct snap_error *err)
{
    struct sockaddr_un address;
    enum snap_status status = remove_leftover(control->dir_fd, dir, err);
    if (status != SNAP_OK)
        return status;
    trn_control_address(control->dir_fd, &address);
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Nobody can connect before listen(), so the mode is set in time. */
    if (control->listener < 0 ||
        bind(control->listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        fchmodat(control->dir_fd, TRN_CONTROL_NAME, S_IRUSR | S_IWUSR, 0) != 0 ||
        listen(control->listener, MAX_CLIENTS) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "control socket %s/%s: cannot be made", dir,
                                 TRN_CONTROL_NAME);
    return SNAP_OK;
}

enum snap_status trn_control_open(const char *dir, struct trn_control **control,
                                  struct snap_error *err)
{
    struct trn_control *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "control socket %s/%s: no memory", dir,
                              TRN_CONTROL_NAME);
    made->listener = -1;
    for (size_t i = 0; i < MAX_CLIENTS; i++)
        made->clients[i].fd = -1;
    enum snap_status status = trn_control_open_dir(dir, &made->dir_fd, err);
    if (status == SNAP_OK)
        status = start_listening(made, dir, err);
    if (status != SNAP_OK) {
        trn_control_close(made);
        return status;
    }
    *control = made;
    return SNAP_OK;
}

void trn_control_close(struct trn_control *control)
{
    if (control == NULL)
        return;
    /* Whoever connected during the last step hears of it too. */
    if (control->listener >= 0)
        trn_control_poll(control);
    refuse_waiting(control, true, "the run has ended");
    for (size_t i = 0; i < MAX_CLIENTS; i++)
        if (control->clients[i].fd >= 0)
            hang_up(&control->clients[i]);
    if (control->listener >= 0) {
        unlinkat(control->dir_fd, TRN_CONTROL_NAME, 0); /* the next run removes it otherwise */
        close(control->listener);                       /* nothing is written through it */
    }
    if (control->dir_fd >= 0)
        close(control->dir_fd); /* only a handle */
    free(control);
}
