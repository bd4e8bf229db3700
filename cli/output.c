/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/verify.h>

#include "output.h"

/* Width of the labels of cmd_print_field, the gap counted in. */
#define LABEL_COLUMNS 13

enum snap_status cmd_standard_files(struct snap_error *err)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        /* The wrong way round on purpose: what is read or written there fails. */
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return snap_error_set_os(err, SNAP_IO, errno, "/dev/null: opening it as descriptor %d",
                                     fd);
    }
    return SNAP_OK;
}

/* Bytes of the UTF-8 sequence that begins at `text`, 0 when none does. */
static size_t utf8_sequence(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t more;
    unsigned low = 0x80, high = 0xbf; /* of the second byte */

    if (byte[0] < 0x80)
        return 1;
    if (byte[0] >= 0xc2 && byte[0] <= 0xdf) {
        more = 1;
    } else if (byte[0] >= 0xe0 && byte[0] <= 0xef) {
        more = 2;
        low = byte[0] == 0xe0 ? 0xa0 : low;   /* shorter forms exist */
        high = byte[0] == 0xed ? 0x9f : high; /* surrogates */
    } else if (byte[0] >= 0xf0 && byte[0] <= 0xf4) {
        more = 3;
        low = byte[0] == 0xf0 ? 0x90 : low;
        high = byte[0] == 0xf4 ? 0x8f : high; /* past U+10FFFF */
    } else {
        return 0;
    }
    if (byte[1] < low || byte[1] > high)
        return 0;
    for (size_t i = 2; i <= more; i++)
        if (byte[i] < 0x80 || byte[i] > 0xbf)
            return 0;
    return more + 1;
}

/* C0, DEL, and C1 in UTF-8. */
static bool is_control(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;

    return byte[0] < 0x20 || byte[0] == 0x7f || (byte[0] == 0xc2 && byte[1] < 0xa0);
}

static void print_clean(FILE *stream, const char *text, bool newlines)
{
    while (*text) {
        size_t length = utf8_sequence(text);
        if (newlines && *text == '\n') {
            putc('\n', stream);
        } else if (length == 0 || is_control(text)) {
            length = length ? length : 1;
            for (size_t i = 0; i < length; i++)
                fprintf(stream, "\\x%02x", (unsigned char)text[i]);
        } else {
            fwrite(text, 1, length, stream);
        }
        text += length;
    }
}

static void print_formatted(const char *format, va_list values) SNAP_PRINTF(1, 0);

static void print_formatted(const char *format, va_list values)
{
    char *text = NULL;

    if (vasprintf(&text, format, values) < 0) {
        fprintf(stderr, "%s: no memory for a line of output\n", program_invocation_short_name);
        exit(CMD_EXIT_ENVIRONMENT);
    }
    print_clean(stdout, text, false);
    putc('\n', stdout);
    free(text);
}

void cmd_print_line(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    print_formatted(format, values);
    va_end(values);
}

void cmd_print_field(const char *label, const char *format, ...)
{
    va_list values;

    printf("%-*s", LABEL_COLUMNS, label);
    va_start(values, format);
    print_formatted(format, values);
    va_end(values);
}

void cmd_warn_left_over(const struct snap_error *left_over)
{
    if (left_over->status == SNAP_OK)
        return;
    fputs("snap: warning: the file is written; of the one before volumes stay that nothing names: ",
          stderr);
    print_clean(stderr, left_over->text, false);
    putc('\n', stderr);
}

void cmd_print_text(const char *text)
{
    print_clean(stdout, text, true);
}

const char *cmd_size_text(uint64_t bytes, char text[CMD_SIZE_TEXT_BYTES])
{
    static const char units[] = "KMGTPE";
    double size = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(text, CMD_SIZE_TEXT_BYTES, "%" PRIu64 " B", bytes);
        return text;
    }
    for (size /= 1024; size >= 1023.95; size /= 1024)
        unit++;
    snprintf(text, CMD_SIZE_TEXT_BYTES, "%.1f %ciB", size, units[unit]);
    return text;
}

const char *cmd_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

json_t *cmd_json_uint(uint64_t value)
{
    char digits[24];

    if (value <= (UINT64_C(1) << 53))
        return json_integer((json_int_t)value);
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    return json_string(digits);
}

json_t *cmd_json_f32(float value)
{
    uint32_t bits;
    char digits[9];

    memcpy(&bits, &value, sizeof bits);
    snprintf(digits, sizeof digits, "%08" PRIx32, bits);
    return json_string(digits);
}

json_t *cmd_json_f64(double value)
{
    uint64_t bits;
    char text[17];

    memcpy(&bits, &value, sizeof bits);
    snprintf(text, sizeof text, "%016" PRIx64, bits);
    return json_string(text);
}

json_t *cmd_json_text(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t used = 0;
    char *clean;
    json_t *value;

    if (text == NULL || *text == '\0')
        return json_null();
    clean = malloc(strlen(text) * (sizeof replacement - 1) + 1);
    if (clean == NULL)
        return NULL;
    while (*text) {
        size_t length = utf8_sequence(text);
        const char *from = length ? text : replacement;
        size_t count = length ? length : sizeof replacement - 1;
        memcpy(clean + used, from, count);
        used += count;
        text += length ? length : 1;
    }
    value = json_stringn(clean, used);
    free(clean);
    return value;
}

json_t *cmd_json_parse(const char *text)
{
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

enum snap_status cmd_report_set(struct cmd_report *report, json_t *result, struct snap_error *err)
{
    if (result == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "the JSON document: no memory for it");
    json_decref(report->result);
    report->result = result;
    return SNAP_OK;
}

/* The document that --json prints. */
static bool print_document(const char *command, const struct cmd_report *report,
                           enum snap_status status, const char *error_text, enum cmd_exit code)
{
    json_t *document = NULL, *error = json_null();
    char *text = NULL;

    if (error_text)
        error = json_pack("{s:s, s:o}", "status", snap_status_name(status), "text",
                          cmd_json_text(error_text));
    document = json_pack("{s:s, s:o, s:i, s:O}", "command", command, "error", error, "exit",
                         (int)code, "result", report->result ? report->result : json_null());
    if (document)
        text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
    if (text)
        puts(text);
    free(text);
    json_decref(document);
    return text != NULL;
}

static void print_error(const char *text)
{
    fprintf(stderr, "%s: ", program_invocation_short_name);
    print_clean(stderr, text, false);
    putc('\n', stderr);
}

enum snap_status cmd_report_verdict(struct cmd_report *report, const struct snap_verdict *verdict,
                                    json_t *extra, enum snap_status status,
                                    struct snap_error *err)
{
    if (verdict && report->json) {
        json_t *value = cmd_json_parse(snap_verdict_json(verdict));
        enum snap_status told;
        if (extra && value && json_object_update(value, extra) != 0) {
            json_decref(value);
            value = NULL;
        }
        told = cmd_report_set(report, value, status == SNAP_OK ? err : NULL);
        return status == SNAP_OK ? told : status;
    }
    if (verdict)
        cmd_print_text(snap_verdict_text(verdict));
    return status;
}

/* A failure of one rank alone is its own to tell. */
bool cmd_is_silent(const struct cmd_report *report, enum snap_status status)
{
    return snap_group_rank(report->group) != 0 &&
           (status == SNAP_OK || snap_group_agreed(report->group));
}

enum cmd_exit cmd_finish(const char *command, struct cmd_report *report, enum snap_status status,
                         const struct snap_error *err)
{
    enum cmd_exit code = cmd_exit_code(status);
    const char *error_text = status != SNAP_OK && err->text[0] ? err->text : NULL;
    bool failed;
    int os_error;

    if (status == SNAP_OK && report->stopped)
        code = CMD_EXIT_STOPPED;
    if (cmd_is_silent(report, status)) {
        json_decref(report->result);
        report->result = NULL;
        return code;
    }
    if (report->json && command &&
        !print_document(command, report, status, error_text, code)) {
        print_error("the JSON document: no memory for it");
        code = code == CMD_EXIT_YES ? CMD_EXIT_ENVIRONMENT : code;
    }
    json_decref(report->result);
    report->result = NULL;

    /* Before the line on stderr, so that both are in order where they meet. A full disk is seen
     * here, or when a network file system closes. */
    errno = 0;
    failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (!failed)
        failed = fclose(stdout) != 0;
    os_error = errno;
    if (error_text)
        print_error(error_text);
    if (failed) {
        struct snap_error lost = SNAP_ERROR_INIT;
        if (os_error)
            snap_error_set_os(&lost, SNAP_IO, os_error, "stdout: writing the output");
        else
            snap_error_set(&lost, SNAP_IO, "stdout: some of the output could not be written");
        print_error(lost.text);
        code = code == CMD_EXIT_YES ? CMD_EXIT_ENVIRONMENT : code;
    }
    return code;
}
