/* SPDX-License-Identifier: Apache-2.0 */
/* `snap rng seed` and `snap rng convert`: a state, in a form, into a file or to stdout. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rng.h"

static enum snap_status write_all(int fd, const char *path, const unsigned char *data, size_t size,
                                  struct snap_error *err)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "%s: writing it", path);
        data += done;
        size -= (size_t)done;
    }
    return SNAP_OK;
}

/* Into a file beside it, which then takes its name: nobody sees half a state. */
static enum snap_status write_file(const char *path, const void *data, size_t size,
                                   struct snap_error *err)
{
    char beside[PATH_MAX];
    enum snap_status status;
    struct stat info;
    int fd;

    /* A device would become a file, for all programs. */
    if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return snap_error_set(err, SNAP_INVALID,
                              "--out: %s is there, and no regular file: name another", path);
    if (snprintf(beside, sizeof beside, "%s.tmp-%ld", path, (long)getpid()) >= (int)sizeof beside)
        return snap_error_set(err, SNAP_INVALID, "--out: the name is too long");
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making it", path);
    status = write_all(fd, path, data, size, err);
    if (status == SNAP_OK && fsync(fd) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: syncing it", path);
    if (close(fd) != 0 && status == SNAP_OK)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: closing it", path);
    if (status == SNAP_OK && rename(beside, path) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: giving it its name", path);
    if (status != SNAP_OK)
        unlink(beside); /* what it is there for failed already */
    return status;
}

static json_t *content_value(const unsigned char *data, size_t size, const char **encoding)
{
    static const char digits[] = "0123456789abcdef";
    json_t *value = memchr(data, '\0', size) ? NULL : json_stringn((const char *)data, size);
    char *hex;

    *encoding = "text";
    if (value)
        return value;
    *encoding = "hex";
    hex = malloc(2 * size + 1);
    if (hex == NULL)
        return NULL;
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = digits[data[i] >> 4];
        hex[2 * i + 1] = digits[data[i] & 15];
    }
    hex[2 * size] = '\0';
    value = json_string(hex);
    free(hex);
    return value;
}

static const char *form_of(const struct cmd_rng_arguments *given)
{
    return given->to ? given->to : "member";
}

static enum snap_status write_state(const struct cmd_rng_arguments *given,
                                    const struct snap_stream *stream, struct cmd_report *report,
                                    struct snap_error *err)
{
    const char *encoding = "text";
    void *data = NULL;
    size_t size = 0;
    enum snap_status status = snap_stream_export(stream, form_of(given), &data, &size, err);

    if (status == SNAP_OK && given->out)
        status = write_file(given->out, data, size, err);
    else if (status == SNAP_OK && report && !report->json)
        fwrite(data, 1, size, stdout); /* that it came through is looked at in the end */
    if (status == SNAP_OK && report && report->json) {
        json_t *content = given->out ? json_null() : content_value(data, size, &encoding);
        status = cmd_report_set(report,
                                json_pack("{s:s, s:o, s:o, s:s, s:s, s:o, s:o}", "action",
                                          given->action, "content", content, "encoding",
                                          given->out ? json_null() : json_string(encoding), "form",
                                          form_of(given), "kind", snap_stream_kind(stream), "out",
                                          cmd_json_text(given->out), "size",
                                          cmd_json_uint(size)),
                                err);
    }
    free(data);
    return status;
}

enum snap_status cmd_rng_write(const struct cmd_rng_arguments *given,
                               const struct snap_stream *stream, struct cmd_report *report,
                               struct snap_error *err)
{
    return write_state(given, stream, report, err);
}

enum snap_status cmd_rng_write_file(const struct cmd_rng_arguments *given,
                                    const struct snap_stream *stream, struct snap_error *err)
{
    return given->out ? write_state(given, stream, NULL, err) : SNAP_OK;
}

enum snap_status cmd_rng_seed(const struct cmd_rng_arguments *given, struct cmd_report *report,
                              struct snap_error *err)
{
    struct snap_stream *stream = NULL;
    uint64_t seed;
    enum snap_status status;

    if (!cmd_rng_read_number(given->second, &seed))
        return snap_error_set(err, SNAP_INVALID, "SEED: '%.64s' is not a whole number below 2^64",
                              given->second);
    status = cmd_rng_new(given->first, &stream, err);
    if (status == SNAP_OK)
        status = snap_stream_seed(stream, seed, err);
    if (status == SNAP_OK)
        status = cmd_rng_write(given, stream, report, err);
    snap_stream_free(stream);
    return status;
}

enum snap_status cmd_rng_convert(const struct cmd_rng_arguments *given, struct cmd_report *report,
                                 struct snap_error *err)
{
    struct snap_stream *stream = NULL;
    enum snap_status status = cmd_rng_state(given, given->first, &stream, err);

    if (status != SNAP_OK)
        return status;
    status = cmd_rng_write(given, stream, report, err);
    snap_stream_free(stream);
    return status;
}
