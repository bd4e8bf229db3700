/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP by libmicrohttpd: limits, who may ask, and answers from answer.c. TLS is a proxy's. */
#include "config.h"

#include <inttypes.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <microhttpd.h>

#include "answer.h"
#include "http.h"
#include "http_access.h"

/* Requests that are not as the standard has them are refused; the option has had two names. */
#if MHD_VERSION >= 0x01000000
#define OPTION_STRICT MHD_OPTION_CLIENT_DISCIPLINE_LVL
#else
#define OPTION_STRICT MHD_OPTION_STRICT_FOR_CLIENT
#endif

/* Connections at a time, of each thread, which take them as they come: all may meet one. */
#define CONNECTIONS_MOST 512u
/* Descriptors that are wanted: for those of all threads, a file of each, and as many for saves. */
#define FILES_WANTED ((rlim_t)(4 * THREADS * CONNECTIONS_MOST))
/* Threads that answer: a page of a long run takes one for a moment. */
#define THREADS 4u
/* Bytes of a connection's buffers: the head of a request must fit into half of it. */
#define CONNECTION_BYTES ((size_t)32 << 10)
/* A page is handed to the server in blocks of so many bytes. */
#define SHARED_BLOCK_BYTES ((size_t)16 << 10)
/* A connection on which nothing moves for so long is closed. */
#define IDLE_S 15u
/* From the beginning of a connection, or the end of an answer, to the end of a request's head: who
 * sends a byte now and then is not waited for. */
#define HEAD_MS 10000
/* Who takes less of an answer in so long is not waited for either. */
#define TAKE_MS 10000
#define TAKE_BYTES 10240u
/* How often that is looked at. */
#define WATCH_MS 1000

/* A connection; from its beginning to its end. */
struct watched {
    struct watched *next;
    int fd;
    enum {
        HEAD_AWAITED = 0,
        ANSWER_MADE = 1, /* it is being made: nothing can be taken yet */
        ANSWER_SENT = 2  /* it is being sent */
    } stage;
    int64_t since_ms; /* of the stage; of one that is sent: since TAKE_BYTES were taken */
    uint64_t taken;   /* bytes that the other side had by then */
};

struct agn_http {
    struct agn_agent *agent;
    struct agn_access access;
    struct MHD_Daemon *daemon;
    struct agn_pages *pages;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stopping;
    struct watched *connections;
    bool has_watch;
    pthread_t watch;
};

/* ---- slow clients ---- */

/* What the other side of the connection has, of all that was ever sent to it. */
static uint64_t taken_by(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info); /* of an older kernel it is shorter: then nothing is taken */
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked : 0;
}

static void enter(struct watched *one, int stage)
{
    one->stage = stage;
    one->since_ms = agn_clock_ms();
    one->taken = stage == ANSWER_SENT ? taken_by(one->fd) : 0;
}

static bool is_too_slow(struct watched *one, int64_t now_ms)
{
    if (one->stage == ANSWER_SENT && now_ms - one->since_ms > TAKE_MS) {
        uint64_t before = one->taken;
        enter(one, ANSWER_SENT);
        return one->taken - before < TAKE_BYTES;
    }
    return one->stage == HEAD_AWAITED && now_ms - one->since_ms > HEAD_MS;
}

static void *watch(void *arg)
{
    struct agn_http *http = arg;
    pthread_mutex_lock(&http->lock);
    while (!http->stopping) {
        int64_t now = agn_clock_ms();
        for (struct watched *one = http->connections; one != NULL; one = one->next)
            if (is_too_slow(one, now))
                shutdown(one->fd, SHUT_RDWR); /* the server finds it ended, and closes it */
        int64_t until = now + WATCH_MS;
        struct timespec at = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
        pthread_cond_timedwait(&http->changed, &http->lock, &at);
    }
    pthread_mutex_unlock(&http->lock);
    return NULL;
}

static void remove_watched(struct agn_http *http, struct watched *one)
{
    struct watched **at = &http->connections;
    while (*at != NULL && *at != one)
        at = &(*at)->next;
    if (*at != NULL)
        *at = one->next;
    free(one);
}

/* A connection began, or ends: it is closed only after this has returned. */
static void connection_changed(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    struct agn_http *http = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    pthread_mutex_lock(&http->lock);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED && *context != NULL) {
        remove_watched(http, *context);
        *context = NULL;
    } else if (what == MHD_CONNECTION_NOTIFY_STARTED && info != NULL) {
        struct watched *one = calloc(1, sizeof *one);
        if (one != NULL) { /* else only the server's own limit counts */
            *one = (struct watched){ .next = http->connections, .fd = info->connect_fd };
            enter(one, HEAD_AWAITED);
            http->connections = one;
            *context = one;
        }
    }
    pthread_mutex_unlock(&http->lock);
}

static void set_stage(struct agn_http *http, struct MHD_Connection *connection, int stage)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct watched *one = info != NULL ? info->socket_context : NULL;
    pthread_mutex_lock(&http->lock);
    if (one != NULL)
        enter(one, stage);
    pthread_mutex_unlock(&http->lock);
}

static void request_ended(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)how;
    set_stage(arg, connection, HEAD_AWAITED);
}

/* ---- answers ---- */

static ssize_t read_shared(void *arg, uint64_t offset, char *out, size_t most)
{
    const struct agn_shared_text *shared = arg;
    size_t left = shared->size - (size_t)offset; /* the server asks within the size alone */
    size_t size = left < most ? left : most;
    memcpy(out, shared->text + offset, size);
    return (ssize_t)size;
}

static void end_shared(void *arg)
{
    agn_shared_text_release(arg);
}

/* The response has the text or the file, and *answer nothing that is its. */
static struct MHD_Response *make_response(struct agn_answer *answer)
{
    struct MHD_Response *response;
    if (answer->shared != NULL) {
        response = MHD_create_response_from_callback(answer->shared->size, SHARED_BLOCK_BYTES,
                                                     read_shared, answer->shared, end_shared);
        if (response != NULL)
            answer->shared = NULL;
    } else if (answer->text != NULL) {
        response = MHD_create_response_from_buffer(answer->text_size, answer->text,
                                                   MHD_RESPMEM_MUST_FREE);
        if (response != NULL)
            answer->text = NULL;
    } else if (answer->status == 416) {
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else {
        response =
            MHD_create_response_from_fd_at_offset64(answer->length, answer->fd, answer->offset);
        if (response != NULL)
            answer->fd = -1;
    }
    return response;
}

static void add_headers(struct MHD_Response *response, const struct agn_answer *answer, bool file)
{
    char range[100];
    MHD_add_response_header(response, "Content-Type", answer->type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Content-Security-Policy",
                            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors "
                            "'none'; base-uri 'none'; form-action 'none'");
    if (!file)
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (answer->moves)
        MHD_add_response_header(response, "Refresh", "2");
    if (answer->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"snap\"");
    if (answer->status == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    if (answer->status == 405)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (!file)
        return;
    MHD_add_response_header(response, "Accept-Ranges", "bytes");
    MHD_add_response_header(response, "ETag", answer->etag);
    if (answer->status == 206)
        snprintf(range, sizeof range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, answer->offset,
                 answer->offset + answer->length - 1, answer->file_size);
    else
        snprintf(range, sizeof range, "bytes */%" PRIu64, answer->file_size);
    if (answer->status != 200)
        MHD_add_response_header(response, "Content-Range", range);
}

static enum MHD_Result give(struct agn_http *http, struct MHD_Connection *connection,
                            struct agn_answer *answer)
{
    bool file = answer->fd >= 0;
    unsigned status = answer->status;
    struct MHD_Response *response = make_response(answer);
    enum MHD_Result result = MHD_NO;
    if (response != NULL) {
        add_headers(response, answer, file);
        set_stage(http, connection, ANSWER_SENT);
        result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
    }
    agn_answer_release(answer);
    return result;
}

/* What forbids an answer: false when nothing does. */
static bool refuse(const struct agn_http *http, struct MHD_Connection *connection,
                   const char *path, const char *method, struct agn_answer *answer)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    const char *authorization =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    const char *coding =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        agn_answer_problem(answer, 405, "only GET and HEAD: nothing is changed from here");
    else if (coding != NULL || (length != NULL && strcmp(length, "0") != 0))
        agn_answer_problem(answer, 413, "a request has no body here");
    else if (!agn_access_knows_host(&http->access, host))
        agn_answer_problem(answer, 403, "without a token only an address, or localhost, is a host");
    else if (strcmp(path, "/healthz") != 0 && !agn_access_allows(&http->access, authorization))
        agn_answer_problem(answer, 401, "a token is needed: Authorization: Bearer TOKEN");
    else
        return false;
    return true;
}

static enum MHD_Result take_request(void *arg, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *data,
                                    size_t *data_size, void **context)
{
    struct agn_http *http = arg;
    struct agn_answer answer = AGN_ANSWER_INIT;
    struct agn_part part = {
        .range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range"),
        .if_range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Range")
    };
    (void)version;
    (void)data;
    set_stage(http, connection, ANSWER_MADE);
    if (refuse(http, connection, url, method, &answer))
        return give(http, connection, &answer); /* at once, and what else is sent is not read */
    if (*context == NULL) { /* the head is there: an answer now would end the connection */
        *context = http;
        return MHD_YES;
    }
    *data_size = 0;
    const struct agn_asker asker = { .pages = http->pages,
                                     .waiter = connection,
                                     .waited = *context == &http->pages };
    agn_answer_get(http->agent, &asker, url, &part, &answer);
    if (answer.later) {
        *context = &http->pages; /* its page is being made: it comes here again */
        return MHD_YES;
    }
    return give(http, connection, &answer);
}

/* A path with a byte of zeros would end there; it is left as it was sent, and nothing has that
 * name. */
static size_t unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}

/* ---- who waits for a page ---- */

static void hold(void *waiter)
{
    MHD_suspend_connection(waiter);
}

static void go_on(void *waiter)
{
    MHD_resume_connection(waiter);
}

static const struct agn_pages_waiting waiting = { hold, go_on };

/* ---- the server ---- */

static enum snap_status start_watch(struct agn_http *http, struct snap_error *err)
{
    pthread_mutex_init(&http->lock, NULL);
    agn_condition_init(&http->changed);
    int failed = pthread_create(&http->watch, NULL, watch, http);
    http->has_watch = failed == 0;
    return failed == 0 ? SNAP_OK
                       : snap_error_set_os(err, SNAP_IO, failed, "--listen: starting a thread");
}

/* Connections of all threads, each of which may have a file open: with those at most half of the
 * descriptors that the process may have, so that no crowd takes those of a save. */
static unsigned connections_most(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return THREADS;
    if (files.rlim_cur < FILES_WANTED) {
        struct rlimit more = files;
        more.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            files = more;
    }
    rlim_t most = files.rlim_cur / 4;
    return most < THREADS * CONNECTIONS_MOST ? (unsigned)most : THREADS * CONNECTIONS_MOST;
}

static enum snap_status start_daemon(struct agn_http *http, struct snap_error *err)
{
    const struct sockaddr *address = (const struct sockaddr *)&http->access.address;
    unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                     (address->sa_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, take_request, http, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, connections_most(), MHD_OPTION_THREAD_POOL_SIZE, THREADS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_S, OPTION_STRICT, 1, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, http, MHD_OPTION_UNESCAPE_CALLBACK,
        unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_ended, http, MHD_OPTION_END);
    if (http->daemon == NULL)
        return snap_error_set(err, SNAP_IO, "--listen: '%s' cannot be listened on: it is in use, "
                              "or no address of this machine",
                              http->agent->options->listen);
    return SNAP_OK;
}

void agn_http_say(const struct agn_http *http)
{
    if (http == NULL)
        return;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const char *listen = http->agent->options->listen;
    const char *colon = strrchr(listen, ':');
    agn_say(http->agent, "listening on http://%.*s:%u/",
            colon != NULL ? (int)(colon - listen) : (int)strlen("127.0.0.1"),
            colon != NULL ? listen : "127.0.0.1", info != NULL ? (unsigned)info->port : 0);
    if (!http->access.has_token)
        agn_say(http->agent, "every user of this machine can read the runs there: a token "
                             "(--token-file) keeps them to who has it");
}

enum snap_status agn_http_start(struct agn_agent *agent, struct agn_http **http,
                                struct snap_error *err)
{
    struct agn_http *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "--listen: out of memory");
    made->agent = agent;
    enum snap_status status = agn_access_read(agent->options->listen, agent->options->token_file,
                                              &made->access, err);
    if (status != SNAP_OK) {
        free(made);
        return status;
    }
    status = start_watch(made, err);
    if (status == SNAP_OK && agent->options->page != NULL)
        status = agn_pages_start(agent, &waiting, &made->pages, err);
    if (status == SNAP_OK)
        status = start_daemon(made, err);
    if (status != SNAP_OK) {
        agn_http_stop(made);
        return status;
    }
    *http = made;
    return SNAP_OK;
}

void agn_http_stop(struct agn_http *http)
{
    if (http == NULL)
        return;
    agn_pages_end_waiting(http->pages); /* the server cannot end while somebody is held */
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    agn_pages_stop(http->pages);
    pthread_mutex_lock(&http->lock);
    http->stopping = true;
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
    if (http->has_watch)
        pthread_join(http->watch, NULL);
    pthread_cond_destroy(&http->changed);
    pthread_mutex_destroy(&http->lock);
    free(http);
}
