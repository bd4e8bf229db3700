/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "metrics/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process/run_paths.h"

/* Longest message: a snapshot's mark has a path, and all else is shorter. */
#define MESSAGE_MOST (3 * TRN_PATH_SIZE)

struct trn_event_file {
    FILE *stream;
    char path[TRN_PATH_SIZE];
};

/* A protobuf message under construction. What does not fit is noticed once, at the end. */
struct message {
    unsigned char bytes[MESSAGE_MOST];
    size_t size;
    bool overflow;
};

/* Field numbers and values of event.proto, summary.proto and tensor.proto. */
enum {
    EVENT_WALL_TIME = 1,
    EVENT_STEP = 2,
    EVENT_FILE_VERSION = 3,
    EVENT_SUMMARY = 5,
    EVENT_SESSION_LOG = 7,
    SESSION_LOG_STATUS = 1,
    SESSION_LOG_CHECKPOINT_PATH = 2,
    SESSION_START = 1,
    SESSION_CHECKPOINT = 3,
    SUMMARY_VALUE = 1,
    VALUE_TAG = 1,
    VALUE_SIMPLE_VALUE = 2,
    VALUE_TENSOR = 8,
    VALUE_METADATA = 9,
    METADATA_PLUGIN_DATA = 1,
    METADATA_DATA_CLASS = 4,
    DATA_CLASS_TENSOR = 2,
    PLUGIN_NAME = 1,
    TENSOR_DTYPE = 1,
    TENSOR_SHAPE = 2,
    TENSOR_STRING_VAL = 8,
    DT_STRING = 7
};
enum { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_BYTES = 2, WIRE_32_BITS = 5 };

uint32_t trn_crc32c(const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= byte[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

uint32_t trn_crc32c_masked(const void *bytes, size_t size)
{
    uint32_t crc = trn_crc32c(bytes, size);
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static void put_bytes(struct message *m, const void *bytes, size_t size)
{
    if (size > sizeof(m->bytes) - m->size) {
        m->overflow = true;
        return;
    }
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void put_little_endian(struct message *m, uint64_t value, size_t size)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    put_bytes(m, bytes, size);
}

static void put_varint(struct message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_little_endian(m, (value & 0x7f) | 0x80, 1);
    put_little_endian(m, value, 1);
}

static void put_key(struct message *m, unsigned field, unsigned wire)
{
    put_varint(m, field << 3 | wire);
}

static void put_number(struct message *m, unsigned field, uint64_t value)
{
    put_key(m, field, WIRE_VARINT);
    put_varint(m, value);
}

static void put_block(struct message *m, unsigned field, const void *bytes, size_t size)
{
    put_key(m, field, WIRE_BYTES);
    put_varint(m, size);
    put_bytes(m, bytes, size);
}

static void put_text(struct message *m, unsigned field, const char *text)
{
    put_block(m, field, text, strlen(text));
}

static void put_message(struct message *m, unsigned field, const struct message *inner)
{
    m->overflow = m->overflow || inner->overflow;
    put_block(m, field, inner->bytes, inner->size);
}

static void put_float(struct message *m, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put_key(m, field, WIRE_32_BITS);
    put_little_endian(m, bits, 4);
}

/* An Event that says when, and at which step. */
static void begin_event(struct message *m, uint64_t step)
{
    struct timespec now;
    double seconds;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &seconds, sizeof(bits));
    m->size = 0;
    m->overflow = false;
    put_key(m, EVENT_WALL_TIME, WIRE_64_BITS);
    put_little_endian(m, bits, 8);
    put_number(m, EVENT_STEP, step);
}

static enum snap_status write_event(struct trn_event_file *file, const struct message *event,
                                    struct snap_error *err)
{
    struct message head = { .size = 0 };
    struct message tail = { .size = 0 };
    if (event->overflow)
        return snap_error_set(err, SNAP_INVALID, "%s: an event of more than %d bytes", file->path,
                              MESSAGE_MOST);
    put_little_endian(&head, event->size, 8);
    put_little_endian(&head, trn_crc32c_masked(head.bytes, 8), 4);
    put_little_endian(&tail, trn_crc32c_masked(event->bytes, event->size), 4);
    errno = 0;
    if (fwrite(head.bytes, head.size, 1, file->stream) != 1 ||
        fwrite(event->bytes, event->size, 1, file->stream) != 1 ||
        fwrite(tail.bytes, tail.size, 1, file->stream) != 1)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: writing an event", file->path);
    return SNAP_OK;
}

static enum snap_status begin_file(struct trn_event_file *file, uint64_t first_step,
                                   struct snap_error *err)
{
    struct message event;
    struct message log = { .size = 0 };
    begin_event(&event, 0);
    put_text(&event, EVENT_FILE_VERSION, "brain.Event:2");
    enum snap_status status = write_event(file, &event, err);
    if (status != SNAP_OK)
        return status;
    put_number(&log, SESSION_LOG_STATUS, SESSION_START);
    begin_event(&event, first_step);
    put_message(&event, EVENT_SESSION_LOG, &log);
    status = write_event(file, &event, err);
    return status == SNAP_OK ? trn_event_file_flush(file, err) : status;
}

enum snap_status trn_event_file_open(const char *dir, uint64_t first_step,
                                     struct trn_event_file **file, struct snap_error *err)
{
    struct timespec now;
    char name[80];
    int fd;
    struct trn_event_file *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for an event file", dir);
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(name, sizeof(name), "events.out.tfevents.%010lld.%09ld", (long long)now.tv_sec,
             now.tv_nsec);
    enum snap_status status = trn_join_path(dir, name, made->path, err);
    if (status != SNAP_OK) {
        free(made);
        return status;
    }
    fd = open(made->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    made->stream = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (made->stream == NULL) {
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: making it", made->path);
        if (fd >= 0)
            close(fd); /* nothing was written */
        free(made);
        return status;
    }
    status = begin_file(made, first_step, err);
    if (status != SNAP_OK) {
        trn_event_file_close(made, NULL); /* the first failure is the one to tell */
        return status;
    }
    *file = made;
    return SNAP_OK;
}

enum snap_status trn_event_file_scalars(struct trn_event_file *file, uint64_t step,
                                        const struct trn_event_scalar *scalars, size_t count,
                                        struct snap_error *err)
{
    struct message event;
    struct message summary = { .size = 0 };
    for (size_t i = 0; i < count; i++) {
        struct message value = { .size = 0 };
        put_text(&value, VALUE_TAG, scalars[i].tag);
        put_float(&value, VALUE_SIMPLE_VALUE, scalars[i].value);
        put_message(&summary, SUMMARY_VALUE, &value);
    }
    begin_event(&event, step);
    put_message(&event, EVENT_SUMMARY, &summary);
    return write_event(file, &event, err);
}

/* A text as the text plugin takes it: a tensor of one string. */
static void put_text_value(struct message *summary, const char *tag, const char *text)
{
    struct message plugin = { .size = 0 };
    struct message metadata = { .size = 0 };
    struct message tensor = { .size = 0 };
    struct message value = { .size = 0 };
    put_text(&plugin, PLUGIN_NAME, "text");
    put_message(&metadata, METADATA_PLUGIN_DATA, &plugin);
    put_number(&metadata, METADATA_DATA_CLASS, DATA_CLASS_TENSOR);
    put_number(&tensor, TENSOR_DTYPE, DT_STRING);
    put_block(&tensor, TENSOR_SHAPE, "", 0); /* a scalar */
    put_text(&tensor, TENSOR_STRING_VAL, text);
    put_text(&value, VALUE_TAG, tag);
    put_message(&value, VALUE_METADATA, &metadata);
    put_message(&value, VALUE_TENSOR, &tensor);
    put_message(summary, SUMMARY_VALUE, &value);
}

enum snap_status trn_event_file_snapshot(struct trn_event_file *file, uint64_t step,
                                         const char *hash, const char *path,
                                         struct snap_error *err)
{
    const char *slash = strrchr(path, '/');
    char text[TRN_PATH_SIZE];
    struct message event;
    struct message log = { .size = 0 };
    struct message summary = { .size = 0 };
    put_number(&log, SESSION_LOG_STATUS, SESSION_CHECKPOINT);
    put_text(&log, SESSION_LOG_CHECKPOINT_PATH, path);
    begin_event(&event, step);
    put_message(&event, EVENT_SESSION_LOG, &log);
    enum snap_status status = write_event(file, &event, err);
    if (status != SNAP_OK)
        return status;
    snprintf(text, sizeof(text), "%s %s", hash, slash != NULL ? slash + 1 : path);
    put_text_value(&summary, "snapshot", text);
    begin_event(&event, step);
    put_message(&event, EVENT_SUMMARY, &summary);
    status = write_event(file, &event, err);
    return status == SNAP_OK ? trn_event_file_flush(file, err) : status;
}

enum snap_status trn_event_file_flush(struct trn_event_file *file, struct snap_error *err)
{
    if (fflush(file->stream) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: writing an event", file->path);
    return SNAP_OK;
}

enum snap_status trn_event_file_close(struct trn_event_file *file, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (file == NULL)
        return SNAP_OK;
    if (fclose(file->stream) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: writing its end", file->path);
    free(file);
    return status;
}
