/* SPDX-License-Identifier: Apache-2.0 */
/* What comes through the agent's socket. The first byte says which half is meant: messages (the
 * second byte: how many files come with them), or the documents of a save (the next two: bytes of
 * the head; the next: bytes of staging memory), whose members must lie in what was given. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_target.h"
#include "request.h"
#include "save/handover.h"

#define FILES_MOST 5

/* Any bytes, with descriptors, as a client may send them. */
static void send_all(int fd, const uint8_t *data, size_t size, size_t file_count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FILES_MOST * sizeof(int))];
    } control;
    struct iovec all = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
    struct msghdr message = { .msg_iov = &all, .msg_iovlen = 1 };
    int files[FILES_MOST];
    for (size_t i = 0; i < file_count; i++)
        files[i] = fd;
    if (file_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(file_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(file_count * sizeof(int));
        memcpy(CMSG_DATA(header), files, file_count * sizeof(int));
    }
    (void)sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void take_messages(const uint8_t *data, size_t size)
{
    int pair[2];
    struct snap_error err = SNAP_ERROR_INIT;
    struct agn_request request;
    enum snap_status status = SNAP_OK;
    if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return;
    send_all(pair[0], data + 1, size - 1, data[0] % (FILES_MOST + 1));
    shutdown(pair[0], SHUT_WR);
    while (status == SNAP_OK) {
        struct snap_agent_message message = SNAP_AGENT_MESSAGE_INIT;
        status = snap_agent_receive(pair[1], 1000, &message, &err);
        if (status == SNAP_OK && agn_request_read(&message, &request, &err) == SNAP_OK &&
            (request.kind < AGN_REQUEST_OFFER || request.kind > AGN_REQUEST_STATUS ||
             request.files != message.file_count))
            abort();
        snap_agent_message_release(&message);
    }
    if (status == SNAP_BUSY) /* all of it was there */
        abort();
    close(pair[0]);
    close(pair[1]);
}

static bool lies_in(const void *data, uint64_t bytes, const uint8_t *from, size_t size)
{
    const uint8_t *begin = data;
    return begin >= from && begin <= from + size && bytes <= (uint64_t)(from + size - begin);
}

static void take_documents(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_handover_head head = { .thin = 0 };
    if (size < 3)
        return;
    size_t head_bytes = (size_t)data[0] | (size_t)data[1] << 8;
    size_t staging_bytes = data[2] * (size_t)64;
    uint8_t *staging = malloc(staging_bytes + 1);
    const uint8_t *documents = data + 3;
    size -= 3;
    if (staging != NULL &&
        snap_handover_decode(documents, size, head_bytes, staging_bytes > 0 ? staging : NULL,
                             staging_bytes, &head, &err) == SNAP_OK) {
        for (size_t i = 0; i < head.job.member_count; i++) {
            const struct snap_write_member *member = &head.job.members[i];
            if (member->size > 0 && !lies_in(member->data, member->size, documents, size) &&
                !lies_in(member->data, member->size, staging, staging_bytes))
                abort();
        }
        snap_handover_head_release(&head);
    }
    free(staging);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] % 2 == 0)
        take_messages(data + 1, size - 1);
    else if (size > 0)
        take_documents(data + 1, size - 1);
    return 0;
}
