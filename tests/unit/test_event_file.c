/* SPDX-License-Identifier: Apache-2.0 */
/* TensorBoard's event files: the checksum, the bytes of a record, and what fails. What is in them
 * is read back by tests/resume/test_event_files.py. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/event_file.h"

/* RFC 3720, B.4, and the check value of the catalogue of CRCs. */
static void checksums(void **state)
{
    (void)state;
    unsigned char bytes[32];
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(trn_crc32c(bytes, sizeof(bytes)), 0x8a9136aau);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(trn_crc32c(bytes, sizeof(bytes)), 0x62a8ab43u);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(trn_crc32c(bytes, sizeof(bytes)), 0x46dd794eu);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(trn_crc32c(bytes, sizeof(bytes)), 0x113fdb5cu);
    assert_int_equal(trn_crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(trn_crc32c("", 0), 0);
    /* of the length 24, which begins every event file of TensorFlow */
    assert_int_equal(trn_crc32c_masked("\x18\0\0\0\0\0\0\0", 8), 0x224b7fa3u);
}

/* The bytes of the only file in `dir`, which is emptied. */
static size_t take_file(const char *dir, unsigned char *bytes, size_t capacity)
{
    char path[512];
    size_t size = 0;
    DIR *stream = opendir(dir);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strncmp(entry->d_name, "events.out.tfevents.", 20) != 0)
            continue;
        assert_int_equal(size, 0);
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size = fread(bytes, 1, capacity, file);
        fclose(file);
        unlink(path);
    }
    closedir(stream);
    return size;
}

/* Everything but the times, byte for byte. */
static void records(void **state)
{
    (void)state;
    static const unsigned char scalar[] = {
        0x10, 0xac, 0x02, /* step = 300 */
        0x2a, 0x0a,       /* summary */
        0x0a, 0x08,       /* value */
        0x0a, 0x01, 'a', 0x15, 0x00, 0x00, 0xc0, 0x3f, /* tag, simple_value = 1.5f */
    };
    char dir[] = "/tmp/snap_event_file_XXXXXX";
    unsigned char bytes[512];
    struct trn_event_file *file = NULL;
    struct trn_event_scalar value = { "a", 1.5f };
    assert_non_null(mkdtemp(dir));
    assert_int_equal(trn_event_file_open(dir, 7, &file, NULL), SNAP_OK);
    assert_int_equal(trn_event_file_scalars(file, 300, &value, 1, NULL), SNAP_OK);
    assert_int_equal(trn_event_file_close(file, NULL), SNAP_OK);
    size_t size = take_file(dir, bytes, sizeof(bytes));
    rmdir(dir);

    /* 16 bytes around each message; 9 of each are the time */
    const size_t version = 9 + 2 + 15, start = 9 + 2 + 4, last = 9 + sizeof(scalar);
    assert_int_equal(size, 3 * 16 + version + start + last);
    assert_memory_equal(bytes, "\x1a\0\0\0\0\0\0\0", 8);
    assert_memory_equal(bytes + 12 + 9, "\x10\0\x1a\x0d" "brain.Event:2", 17);
    assert_memory_equal(bytes + 16 + version + 12 + 9, "\x10\x07\x3a\x02\x08\x01", 6);
    assert_memory_equal(bytes + 32 + version + start + 12 + 9, scalar, sizeof(scalar));
}

static void failures(void **state)
{
    (void)state;
    struct trn_event_file *file = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    assert_int_equal(trn_event_file_open("/nowhere", 1, &file, &err), SNAP_IO);
    assert_null(file);
    assert_non_null(strstr(err.text, "/nowhere/events.out.tfevents."));
    assert_non_null(strstr(err.text, "making it"));
    assert_int_equal(trn_event_file_close(NULL, NULL), SNAP_OK);
}

/* A message that does not fit is no message, and leaves what was written as it is. */
static void too_long(void **state)
{
    (void)state;
    char dir[] = "/tmp/snap_event_file_XXXXXX";
    unsigned char bytes[512];
    static char path[20000];
    struct trn_event_file *file = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    memset(path, 'x', sizeof(path) - 1);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(trn_event_file_open(dir, 7, &file, NULL), SNAP_OK);
    assert_int_equal(trn_event_file_snapshot(file, 1, "snap1:", path, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "an event of more than"));
    assert_int_equal(trn_event_file_close(file, NULL), SNAP_OK);
    assert_int_equal(take_file(dir, bytes, sizeof(bytes)), 2 * 16 + 26 + 15);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums),
        cmocka_unit_test(records),
        cmocka_unit_test(failures),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
