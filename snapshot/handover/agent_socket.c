/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "handover/agent_socket.h"

/* ---- finding ---- */

/* Is there a socket that this user, or root, has made? */
static bool is_ours(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISSOCK(info.st_mode) &&
           (info.st_uid == geteuid() || info.st_uid == 0);
}

/* In the nearest folder above. */
static char *find_above(const char *dir)
{
    char place[PATH_MAX + sizeof "/" SNAP_AGENT_SOCKET];
    char *folder = realpath(dir, NULL);
    char *found = NULL;
    char *slash;
    while (found == NULL && folder != NULL && (slash = strrchr(folder, '/')) != NULL &&
           folder[1] != '\0') {
        *slash = '\0';
        snprintf(place, sizeof place, "%s/" SNAP_AGENT_SOCKET, folder);
        if (is_ours(place))
            found = strdup(place);
        if (slash == folder)
            break;
    }
    free(folder);
    return found;
}

enum snap_status snap_agent_find(const char *option, const char *dir, char **path,
                                 struct snap_error *err)
{
    const char *given = option != NULL ? option : getenv("SNAP_AGENT");
    if (given == NULL) {
        *path = find_above(dir); /* none where memory is out, too: the run saves by itself */
        return SNAP_OK;
    }
    char *copy = given[0] != '\0' ? strdup(given) : NULL;
    if (given[0] != '\0' && copy == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "agent %s: out of memory", given);
    *path = copy;
    return SNAP_OK;
}

/* ---- connecting ---- */

/* The address, by a handle on the folder, however long the path is: *folder is to be closed after
 * the call that uses it. */
static enum snap_status make_address(const char *path, struct sockaddr_un *address, int *folder,
                                     struct snap_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *leaf = slash == NULL ? path : slash + 1;
    char *parent = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    if (parent == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "agent %s: out of memory", path);
    *folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int failed = errno;
    free(parent);
    if (*folder < 0)
        return snap_error_set_os(err, failed == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, failed,
                                 "agent %s: its folder cannot be opened", path);
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s",
                          *folder, leaf);
    if (length < 0 || (size_t)length >= sizeof address->sun_path) {
        close(*folder); /* only a handle */
        return snap_error_set(err, SNAP_INVALID, "agent %s: the socket's name is too long", path);
    }
    return SNAP_OK;
}

/* What is handed over is for this user's agent alone. */
static enum snap_status check_peer(int fd, const char *path, struct snap_error *err)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "agent %s: who it is cannot be told", path);
    if (peer.uid != geteuid() && peer.uid != 0)
        return snap_error_set(err, SNAP_IO, "agent %s: is another user's (uid %u)", path,
                              (unsigned)peer.uid);
    return SNAP_OK;
}

/* Where the queue is full it waits, and a signal ends that: it is begun again. */
static int connect_again(int fd, const struct sockaddr_un *address)
{
    int result;
    do {
        result = connect(fd, (const struct sockaddr *)address, sizeof *address);
    } while (result != 0 && errno == EINTR);
    return result;
}

enum snap_status snap_agent_connect(const char *path, int *fd, struct snap_error *err)
{
    struct sockaddr_un address;
    int folder = -1;
    enum snap_status status = make_address(path, &address, &folder, err);
    if (status != SNAP_OK)
        return status;
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "agent %s: no socket can be made", path);
    else if (connect_again(made, &address) != 0)
        status = snap_error_set_os(
            err, errno == ENOENT || errno == ECONNREFUSED ? SNAP_NOT_FOUND : SNAP_IO, errno,
            "agent %s: cannot be reached", path);
    else
        status = check_peer(made, path, err);
    close(folder); /* only a handle */
    if (status == SNAP_OK)
        *fd = made;
    else if (made >= 0)
        close(made); /* nothing was said */
    return status;
}

enum snap_status snap_agent_ask(const char *path, const char *question, int timeout_ms,
                                char **answer, struct snap_error *err)
{
    struct snap_agent_message message = SNAP_AGENT_MESSAGE_INIT;
    int fd;
    enum snap_status status = snap_agent_connect(path, &fd, err);
    if (status != SNAP_OK)
        return status;
    status = snap_agent_send(fd, question, NULL, 0, timeout_ms, err);
    if (status == SNAP_OK)
        status = snap_agent_receive(fd, timeout_ms, &message, err);
    if (status == SNAP_OK) {
        *answer = message.text;
        message.text = NULL;
    }
    snap_agent_message_release(&message);
    close(fd); /* nothing is left to say */
    return status;
}
