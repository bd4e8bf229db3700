/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's life: one for a folder, from its socket to the end of the last save. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent_internal.h"
#include "http.h"
#include "uploads.h"

#define LOCK_NAME ".snap-agent.lock"
/* Saves at a time where nothing else is asked for: one reads back from the disk while another is
 * hashed. */
#define JOBS_DEFAULT 2
#define JOBS_MOST 64
#define ASK_MS 10000
/* Before it is looked again whether a descriptor, or memory for one, is free. */
#define RETRY_MS 100

/* What the main thread holds. */
struct house {
    struct agn_agent *agent;
    int root; /* descriptors; -1: none */
    int lock;
    int listener;
    int signals;
    struct agn_http *http; /* NULL: none */
};

void agn_say(struct agn_agent *agent, const char *format, ...)
{
    char line[2 * PATH_MAX];
    va_list arguments;
    if (agent->options->say == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    agent->options->say(agent->options->arg, line);
}

/* ---- opening ---- */

/* The lock is the agent's as long as it lives, and goes with it: one on a file that another agent
 * has removed at its end meanwhile is none. What a killed one left is taken. */
static enum snap_status take_lock(struct house *house, const char *root, struct snap_error *err)
{
    struct stat mine;
    struct stat there;
    int fd = openat(house->root, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                    S_IRUSR | S_IWUSR);
    if (fd < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "serve %s: its lock cannot be opened", root);
    int cause = 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &mine) != 0)
        cause = errno;
    else if (fstatat(house->root, LOCK_NAME, &there, AT_SYMLINK_NOFOLLOW) != 0)
        cause = errno == ENOENT ? EWOULDBLOCK : errno;
    else if (there.st_ino != mine.st_ino || there.st_dev != mine.st_dev)
        cause = EWOULDBLOCK;
    if (cause == 0) {
        house->lock = fd;
        return SNAP_OK;
    }
    close(fd); /* nothing was written through it */
    return cause == EWOULDBLOCK
               ? snap_error_set(err, SNAP_BUSY, "serve %s: another agent serves it", root)
               : snap_error_set_os(err, SNAP_IO, cause, "serve %s: locking it", root);
}

static enum snap_status take_root(struct house *house, const char *root, struct snap_error *err)
{
    struct agn_agent *agent = house->agent;
    if (realpath(root, agent->root) == NULL)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "serve %s: it cannot be found", root);
    house->root = open(agent->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (house->root < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "serve %s: it cannot be opened", root);
    return take_lock(house, root, err);
}

static enum snap_status listen_there(struct house *house, struct snap_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat info;
    const char *root = house->agent->root;
    if (fstatat(house->root, SNAP_AGENT_SOCKET, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        (!S_ISSOCK(info.st_mode) || unlinkat(house->root, SNAP_AGENT_SOCKET, 0) != 0))
        return snap_error_set(err, SNAP_IO, "serve %s: something is there as " SNAP_AGENT_SOCKET
                              " that is no socket, or cannot be removed", root);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SNAP_AGENT_SOCKET,
             house->root);
    house->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Nobody can connect before listen(), so the mode is set in time. */
    if (house->listener < 0 ||
        bind(house->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        fchmodat(house->root, SNAP_AGENT_SOCKET, S_IRUSR | S_IWUSR, 0) != 0 ||
        listen(house->listener, SOMAXCONN) != 0)
        return snap_error_set_os(err, SNAP_IO, errno,
                                 "serve %s: the socket " SNAP_AGENT_SOCKET " cannot be made", root);
    return SNAP_OK;
}

/* The two signals are read and not handled: every thread from here on has them blocked. */
static enum snap_status take_signals(struct house *house, struct snap_error *err)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    house->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (house->signals < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "serve: signals cannot be read");
    return SNAP_OK;
}

static uint64_t half_of_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 2 : UINT64_MAX;
}

static enum snap_status fill_agent(struct agn_agent *agent, struct snap_error *err)
{
    const struct agn_options *options = agent->options;
    unsigned jobs = options->jobs == 0 ? JOBS_DEFAULT : options->jobs;
    enum snap_status status = SNAP_OK;
    if (jobs > JOBS_MOST)
        return snap_error_set(err, SNAP_INVALID, "serve: at most %u saves at a time", JOBS_MOST);
    agent->limit = options->memory_bytes == 0 ? half_of_memory() : options->memory_bytes;
    agent->pools = calloc(jobs, sizeof *agent->pools);
    if (agent->pools == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "serve: out of memory");
    for (unsigned i = 0; status == SNAP_OK && i < jobs; i++) {
        status = snap_pool_new(options->threads, &agent->pools[i], err);
        agent->pool_count += status == SNAP_OK;
    }
    return status;
}

/* ---- connections ---- */

static void *run_connection(void *arg)
{
    struct agn_connection *connection = arg;
    struct agn_agent *agent = connection->agent;
    agn_connection_serve(connection);
    pthread_mutex_lock(&agent->lock);
    struct agn_connection **at = &agent->connections;
    while (*at != connection)
        at = &(*at)->next;
    *at = connection->next;
    agent->connection_count--;
    close(connection->fd); /* under the lock: whoever shuts it down must find it open */
    pthread_cond_broadcast(&agent->changed);
    pthread_mutex_unlock(&agent->lock);
    free(connection);
    return NULL;
}

/* False: there is no room for it, and it is closed. */
static bool start_connection(struct agn_agent *agent, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    pthread_t thread;
    struct agn_connection *made = calloc(1, sizeof *made);
    if (made == NULL ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != geteuid() && peer.uid != 0)) {
        free(made);
        return false;
    }
    *made = (struct agn_connection){ .agent = agent, .fd = fd, .pid = peer.pid, .uid = peer.uid };
    pthread_mutex_lock(&agent->lock);
    bool started = agent->connection_count < AGN_CONNECTIONS_MOST &&
                   pthread_create(&thread, NULL, run_connection, made) == 0;
    if (started) {
        pthread_detach(thread); /* its end is seen by the count */
        made->next = agent->connections;
        agent->connections = made;
        agent->connection_count++;
    }
    pthread_mutex_unlock(&agent->lock);
    if (!started)
        free(made);
    return started;
}

static void accept_all(struct house *house)
{
    for (;;) {
        int fd = accept4(house->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            poll(NULL, 0, RETRY_MS); /* nothing is free for it: who waits in the queue waits on */
        if (fd < 0)
            return;
        if (!start_connection(house->agent, fd))
            close(fd); /* it gets no word */
    }
}

/* Until a signal comes. */
static void serve(struct house *house)
{
    struct pollfd waits[] = { { .fd = house->listener, .events = POLLIN },
                              { .fd = house->signals, .events = POLLIN } };
    for (;;) {
        int ready = poll(waits, 2, -1);
        if (ready > 0 && waits[1].revents != 0)
            return;
        if (ready > 0 && waits[0].revents != 0)
            accept_all(house);
    }
}

/* Trainings find no agent from here on, and those in the queue hear that there is none. */
static void close_door(struct house *house)
{
    if (house->listener < 0)
        return;
    unlinkat(house->root, SNAP_AGENT_SOCKET, 0); /* the next agent removes it otherwise */
    close(house->listener);
    house->listener = -1;
}

/* Nobody is heard any more; what was handed over is saved. */
static void stop(struct house *house)
{
    struct agn_agent *agent = house->agent;
    close_door(house);
    pthread_mutex_lock(&agent->lock);
    agent->stopping = true;
    for (const struct agn_connection *c = agent->connections; c != NULL; c = c->next)
        shutdown(c->fd, SHUT_RD);
    pthread_cond_broadcast(&agent->changed);
    while (agent->connection_count > 0)
        pthread_cond_wait(&agent->changed, &agent->lock);
    pthread_mutex_unlock(&agent->lock);
}

static void release(struct house *house)
{
    struct agn_agent *agent = house->agent;
    close_door(house);
    if (house->lock >= 0) /* as long as it is held */
        unlinkat(house->root, LOCK_NAME, 0); /* the next agent takes it otherwise */
    const int files[] = { house->signals, house->lock, house->root };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i] >= 0)
            close(files[i]); /* nothing was written through it */
    agn_copies_release(agent);
    agn_runs_release(agent);
    for (unsigned i = 0; i < agent->pool_count; i++)
        snap_pool_free(agent->pools[i]);
    free(agent->pools);
    pthread_cond_destroy(&agent->changed);
    pthread_mutex_destroy(&agent->lock);
}

enum snap_status agn_serve(const struct agn_options *options, struct snap_error *err)
{
    struct agn_agent agent = { .options = options, .began_ms = agn_clock_ms() };
    struct house house = {
        .agent = &agent, .root = -1, .lock = -1, .listener = -1, .signals = -1
    };
    pthread_mutex_init(&agent.lock, NULL);
    agn_condition_init(&agent.changed);
    enum snap_status status = take_signals(&house, err);
    if (status == SNAP_OK)
        status = fill_agent(&agent, err);
    if (status == SNAP_OK)
        status = take_root(&house, options->root, err);
    if (status == SNAP_OK)
        status = agn_uploads_start(&agent, &agent.uploads, err);
    if (status == SNAP_OK && options->listen != NULL)
        status = agn_http_start(&agent, &house.http, err);
    if (status == SNAP_OK)
        status = listen_there(&house, err); /* last: no training finds an agent that is refused */
    if (status == SNAP_OK) {
        agn_say(&agent, "serving %s", agent.root);
        agn_uploads_begin(agent.uploads);
        agn_http_say(house.http);
        serve(&house);
    }
    agn_http_stop(house.http);
    stop(&house);
    agn_uploads_stop(agent.uploads);
    release(&house);
    return status;
}

enum snap_status agn_ask_status(const char *root, char **answer, struct snap_error *err)
{
    char path[PATH_MAX + sizeof "/" SNAP_AGENT_SOCKET];
    struct snap_error cause = SNAP_ERROR_INIT;
    snprintf(path, sizeof path, "%.*s/" SNAP_AGENT_SOCKET, PATH_MAX, root);
    enum snap_status status = snap_agent_ask(path, "{\"request\":\"status\",\"version\":1}",
                                             ASK_MS, answer, &cause);
    if (status == SNAP_NOT_FOUND)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: no agent serves it: snap serve --dir %s",
                              root, root);
    if (status != SNAP_OK && err != NULL)
        *err = cause;
    return status;
}
