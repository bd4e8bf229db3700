/* SPDX-License-Identifier: Apache-2.0 */
/* A message on the agent's socket: its length in four bytes, little-endian, then that many bytes of
 * canonical JSON. Descriptors travel with its first byte. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <snapstate/agent.h>

#include "core/buffer.h"
#include "core/bytes.h"
#include "format/json_canonical.h"

#define LENGTH_BYTES 4

void snap_agent_message_release(struct snap_agent_message *message)
{
    free(message->text);
    for (size_t i = 0; i < message->file_count; i++)
        if (message->files[i] >= 0)
            close(message->files[i]); /* nothing was written through it */
    *message = (struct snap_agent_message)SNAP_AGENT_MESSAGE_INIT;
}

/* ---- time ---- */

static int64_t clock_ms(void)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* When `timeout_ms` from now is; -1: never. */
static int64_t deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
}

/* Wait until the socket is ready for `events`. */
static enum snap_status wait_ready(int fd, short events, int64_t deadline, struct snap_error *err)
{
    struct pollfd wait = { .fd = fd, .events = events };
    for (;;) {
        int64_t left = deadline < 0 ? -1 : deadline - clock_ms();
        int ready = deadline >= 0 && left < 0 ? 0 : poll(&wait, 1, (int)left);
        if (ready > 0)
            return SNAP_OK;
        if (ready == 0)
            return snap_error_set(err, SNAP_BUSY, "agent: message: the other side took too long");
        if (errno != EINTR)
            return snap_error_set_os(err, SNAP_IO, errno, "agent: message: waiting for it");
    }
}

static bool is_gone(int os_error)
{
    return os_error == EPIPE || os_error == ECONNRESET || os_error == ENOTCONN;
}

/* ---- sending ---- */

/* Room for the descriptors' header, aligned as the kernel wants it. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(SNAP_AGENT_MESSAGE_FILES * sizeof(int))];
};

static void attach(struct msghdr *message, union control *control, const int *files, size_t count)
{
    if (count == 0)
        return;
    memset(control, 0, sizeof *control);
    message->msg_control = control->bytes;
    message->msg_controllen = CMSG_SPACE(count * sizeof *files);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof *files);
    memcpy(CMSG_DATA(header), files, count * sizeof *files);
}

/* The length and the document, as they are sent. */
static enum snap_status make_frame(const char *text, struct snap_buffer *frame,
                                   struct snap_error *err)
{
    unsigned char length[LENGTH_BYTES] = { 0 };
    enum snap_status status = snap_buffer_append(frame, length, sizeof length, err);
    if (status == SNAP_OK)
        status = snap_json_canonicalise(text, "message", frame, err);
    if (status == SNAP_OK && frame->size - LENGTH_BYTES > SNAP_AGENT_MESSAGE_BYTES)
        status = snap_error_set(err, SNAP_INVALID, "agent: message: has more than %u bytes",
                                SNAP_AGENT_MESSAGE_BYTES);
    if (status == SNAP_OK)
        snap_put_u32(frame->data, (uint32_t)(frame->size - LENGTH_BYTES));
    return status;
}

static enum snap_status send_frame(int fd, const struct snap_buffer *frame, const int *files,
                                   size_t file_count, int64_t deadline, struct snap_error *err)
{
    union control control;
    size_t sent = 0;
    while (sent < frame->size) {
        struct iovec rest = { .iov_base = frame->data + sent, .iov_len = frame->size - sent };
        struct msghdr message = { .msg_iov = &rest, .msg_iovlen = 1 };
        attach(&message, &control, files, sent == 0 ? file_count : 0);
        ssize_t now = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now >= 0) {
            sent += (size_t)now;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            enum snap_status status = wait_ready(fd, POLLOUT, deadline, err);
            if (status != SNAP_OK)
                return status;
        } else if (errno != EINTR) {
            return snap_error_set_os(err, is_gone(errno) ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                     "agent: message: sending it");
        }
    }
    return SNAP_OK;
}

enum snap_status snap_agent_send(int fd, const char *text, const int *files, size_t file_count,
                                 int timeout_ms, struct snap_error *err)
{
    struct snap_buffer frame = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    if (text == NULL || file_count > SNAP_AGENT_MESSAGE_FILES)
        return snap_error_set(err, SNAP_INVALID, "agent: message: no text, or too many files");
    status = make_frame(text, &frame, err);
    if (status == SNAP_OK)
        status = send_frame(fd, &frame, files, file_count, deadline_of(timeout_ms), err);
    snap_buffer_release(&frame);
    return status;
}

/* ---- receiving ---- */

/* Keep the descriptors that came; more than fit are closed. The kernel cuts them off where more
 * came than there is room for (a control has some at its end, for alignment), and where this
 * process may open no more. */
static enum snap_status keep_files(struct msghdr *received, struct snap_agent_message *message,
                                   struct snap_error *err)
{
    const size_t room = (sizeof(union control) - CMSG_LEN(0)) / sizeof(int);
    bool is_cut = (received->msg_flags & MSG_CTRUNC) != 0;
    bool too_many = false;
    size_t came = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(received); header != NULL;
         header = CMSG_NXTHDR(received, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        came += count;
        for (size_t i = 0; i < count; i++) {
            int file;
            memcpy(&file, CMSG_DATA(header) + i * sizeof file, sizeof file);
            if (message->file_count < SNAP_AGENT_MESSAGE_FILES) {
                message->files[message->file_count++] = file;
            } else {
                close(file); /* nothing was written through it */
                too_many = true;
            }
        }
    }
    if (is_cut && came < room)
        return snap_error_set(err, SNAP_IO, "agent: message: its files cannot be received: this "
                              "process may open no more (ulimit -n)");
    if (is_cut || too_many)
        return snap_error_set(err, SNAP_CORRUPT, "agent: message: brings more than %u files",
                              SNAP_AGENT_MESSAGE_FILES);
    return SNAP_OK;
}

/* Exactly `size` bytes. *first: none of the message has come yet. */
static enum snap_status receive_bytes(int fd, unsigned char *bytes, size_t size, int64_t deadline,
                                      struct snap_agent_message *message, bool *first,
                                      struct snap_error *err)
{
    union control control;
    size_t have = 0;
    while (have < size) {
        enum snap_status status = wait_ready(fd, POLLIN, deadline, err);
        if (status != SNAP_OK)
            return status;
        struct iovec rest = { .iov_base = bytes + have, .iov_len = size - have };
        struct msghdr received = { .msg_iov = &rest,
                                   .msg_iovlen = 1,
                                   .msg_control = control.bytes,
                                   .msg_controllen = sizeof control.bytes };
        ssize_t now = recvmsg(fd, &received, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (now < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
            continue;
        if (now < 0)
            return snap_error_set_os(err, is_gone(errno) ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                     "agent: message: receiving it");
        status = keep_files(&received, message, err);
        if (status != SNAP_OK)
            return status;
        if (now == 0 && *first)
            return snap_error_set(err, SNAP_NOT_FOUND, "agent: message: the other side is gone");
        if (now == 0)
            return snap_error_set(err, SNAP_CORRUPT, "agent: message: ends in the middle");
        *first = false;
        have += (size_t)now;
    }
    return SNAP_OK;
}

static enum snap_status receive(int fd, int64_t deadline, struct snap_agent_message *message,
                                struct snap_error *err)
{
    unsigned char length[LENGTH_BYTES];
    bool first = true;
    json_t *document = NULL;
    enum snap_status status =
        receive_bytes(fd, length, sizeof length, deadline, message, &first, err);
    if (status != SNAP_OK)
        return status;
    uint32_t size = snap_get_u32(length);
    if (size == 0 || size > SNAP_AGENT_MESSAGE_BYTES)
        return snap_error_set(err, SNAP_CORRUPT, "agent: message: says that it has %u bytes, of at "
                              "most %u", size, SNAP_AGENT_MESSAGE_BYTES);
    message->text = malloc((size_t)size + 1);
    if (message->text == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "agent: message: out of memory");
    status = receive_bytes(fd, (unsigned char *)message->text, size, deadline, message, &first,
                           err);
    if (status != SNAP_OK)
        return status;
    message->text[size] = '\0';
    message->size_bytes = size;
    status = snap_json_decode(message->text, size, "message", &document, err);
    if (status == SNAP_OK && !json_is_object(document))
        status = snap_error_set(err, SNAP_CORRUPT, "agent: message: is no object");
    json_decref(document);
    return status;
}

enum snap_status snap_agent_receive(int fd, int timeout_ms, struct snap_agent_message *message,
                                    struct snap_error *err)
{
    enum snap_status status = receive(fd, deadline_of(timeout_ms), message, err);
    if (status != SNAP_OK)
        snap_agent_message_release(message);
    return status;
}
