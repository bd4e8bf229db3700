/* SPDX-License-Identifier: Apache-2.0 */
/* The curves of a run: what is read from a ledger, and when an index stands in for it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/run_metrics.h"
#include "process/run_notes.h"

#define CHAIN(digit) \
    digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit digit
#define CHAIN64(digit) CHAIN(digit) CHAIN(digit) CHAIN(digit) CHAIN(digit)

static const char genesis[] =
    "{\"chain\":\"" CHAIN64("0") "\",\"float\":{\"binding\":{},\"profile\":\"portable-1\"},"
    "\"format\":\"snap-ledger-1\",\"host\":{\"data\":[{\"name\":\"a\\\"}]\",\"size\":7}],"
    "\"parent\":null,\"training\":{\"scalars\":{\"loss\":\"3f800000\"}}},\"host_chain\":\""
    CHAIN64("0") "\"}\n";
#define STEP(digit, floats, lr, step)                                                            \
    "{\"chain\":\"" CHAIN64(digit) "\",\"float\":{\"draws\":{\"device\":1},\"scalars\":{" floats \
    "},\"state\":\"tree1:00\",\"tensors\":[[\"output\",\"\\\"scalars\\\":{\",\"00\"]]},"         \
    "\"host\":{\"draws\":{},\"epoch\":0,\"scalars\":{\"beta1\":\"3f666666\",\"lr\":\"" lr        \
    "\"},\"step\":" step "},\"host_chain\":\"" CHAIN64(digit) "\"}\n"
static const char first[] = STEP("1", "\"loss\":\"3fc00000\"", "3dcccccd", "1");
static const char second[] =
    STEP("2", "\"eval_correct\":17,\"loss\":\"3ff8000000000000\"", "3dcccccd", "2");
static const char third[] = STEP("3", "\"loss\":\"7fc00000\"", "00000000", "4");

static char dir[] = "/tmp/snap_run_metrics_XXXXXX";
static char ledger[64], index_path[64], events[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(ledger, sizeof(ledger), "%s/ledger.jsonl", dir);
    snprintf(index_path, sizeof(index_path), "%s/metrics.index", dir);
    snprintf(events, sizeof(events), "%s/events.jsonl", dir);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(ledger);
    unlink(index_path);
    unlink(events);
    return rmdir(dir);
}

static void put(const char *path, const char *mode, const char *text)
{
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void write_ledger(const char *last)
{
    put(ledger, "w", genesis);
    put(ledger, "a", first);
    put(ledger, "a", second);
    put(ledger, "a", last);
}

static struct trn_metrics *read_metrics(bool use_index)
{
    struct trn_metrics *metrics = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    if (trn_metrics_read(dir, use_index, &metrics, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    return metrics;
}

/* What the three lines say. */
static void check_three(const struct trn_metrics *m)
{
    const struct trn_series *loss = trn_metrics_find(m, "loss");
    const struct trn_series *correct = trn_metrics_find(m, "eval_correct");
    const struct trn_series *rate = trn_metrics_find(m, "lr");
    assert_int_equal(m->series_count, 3);
    assert_int_equal(m->last_step, 4);
    assert_string_equal(m->genesis, CHAIN64("0"));
    assert_string_equal(m->chain, CHAIN64("3"));
    assert_int_equal(loss->count, 3);
    assert_int_equal(loss->steps[2], 4);
    assert_true(loss->values[0] == 1.5 && loss->values[1] == 1.5);
    assert_true(loss->values[2] != loss->values[2]);
    assert_int_equal(correct->count, 1);
    assert_int_equal(correct->steps[0], 2);
    assert_true(correct->values[0] == 17);
    assert_int_equal(rate->count, 3);
    assert_true(rate->values[0] == (double)0.1f && rate->values[2] == 0);
    assert_null(trn_metrics_find(m, "beta1"));
}

static void lines(void **state)
{
    (void)state;
    write_ledger(third);
    struct trn_metrics *m = read_metrics(false);
    check_three(m);
    assert_false(m->from_index);
    trn_metrics_free(m);
    assert_int_not_equal(access(index_path, F_OK), 0);

    /* a torn line, cut anywhere, is none */
    for (size_t size = 1; size < sizeof(third) - 1; size++) {
        char torn[sizeof(third)] = "";
        memcpy(torn, third, size);
        write_ledger(torn);
        m = read_metrics(false);
        assert_int_equal(m->last_step, 2);
        trn_metrics_free(m);
    }
}

static void refused(void **state)
{
    (void)state;
    struct trn_metrics *metrics = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    static const char *const wrong[] = {
        "\n",
        "{}\n",
        STEP("3", "\"loss\":\"3fc0000\"", "3dcccccd", "3"),
        STEP("3", "\"loss\":1.5", "3dcccccd", "3"),
        STEP("3", "\"loss\":\"3fc00000\"", "3dcccccd", "2"),
        STEP("3", "\"loss\":\"3fc00000\"", "3dcccccd", "18446744073709551616"),
        "{\"chain\":\"" CHAIN64("3") "\",\"float\":{\"scalars\":{\"loss\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        write_ledger(wrong[i]);
        assert_int_equal(trn_metrics_read(dir, true, &metrics, &err), SNAP_CORRUPT);
        assert_non_null(strstr(err.text, "ledger.jsonl: line 4: not a line of a ledger"));
    }
    assert_null(metrics);
    put(ledger, "w", "");
    assert_int_equal(trn_metrics_read(dir, true, &metrics, &err), SNAP_NOT_FOUND);
    unlink(ledger);
    assert_int_equal(trn_metrics_read(dir, true, &metrics, &err), SNAP_NOT_FOUND);
}

static void indexed(void **state)
{
    (void)state;
    write_ledger("");
    struct trn_metrics *m = read_metrics(true);
    assert_false(m->from_index);
    trn_metrics_free(m);
    m = read_metrics(true);
    assert_true(m->from_index);
    assert_int_equal(m->last_step, 2);
    trn_metrics_free(m);

    /* the ledger goes on, and so does the index */
    put(ledger, "a", third);
    for (int i = 0; i < 2; i++) {
        m = read_metrics(true);
        assert_true(m->from_index);
        check_three(m);
        trn_metrics_free(m);
    }

    /* each damaged byte, and each cut, is a reason to read the ledger */
    unsigned char bytes[2048];
    FILE *file = fopen(index_path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_in_range(size, 500, sizeof(bytes) - 1);
    for (size_t i = 0; i < 2 * size; i++) {
        file = fopen(index_path, "wb");
        assert_non_null(file);
        bytes[i % size] ^= i < size;
        fwrite(bytes, 1, i < size ? size : i - size, file);
        bytes[i % size] ^= i < size;
        fclose(file);
        m = read_metrics(true);
        assert_false(m->from_index);
        check_three(m);
        trn_metrics_free(m);
    }
}

/* A ledger of the same size in the place of the one that was indexed. */
static void replaced(void **state)
{
    (void)state;
    const struct timespec other[2] = { { 1000, 0 }, { 1000, 0 } };
    write_ledger(third);
    trn_metrics_free(read_metrics(true));
    static const char changed[] = STEP("1", "\"loss\":\"40000000\"", "3dcccccd", "1");
    put(ledger, "w", genesis);
    put(ledger, "a", changed);
    put(ledger, "a", second);
    put(ledger, "a", third);
    assert_int_equal(utimensat(AT_FDCWD, ledger, other, 0), 0);
    struct trn_metrics *m = read_metrics(true);
    assert_false(m->from_index);
    assert_true(trn_metrics_find(m, "loss")->values[0] == 2);
    trn_metrics_free(m);

    /* and one that went back behind the index */
    write_ledger("");
    m = read_metrics(true);
    assert_false(m->from_index);
    assert_int_equal(m->last_step, 2);
    trn_metrics_free(m);
}

static void notes(void **state)
{
    (void)state;
    struct trn_run_notes read;
    put(events, "w",
        "{\"event\":\"train\",\"held_out\":359,\"last_step\":9,\"step\":0,\"time\":\"t\"}\n"
        "{\"event\":\"save\",\"file\":\"snapshots/a\",\"hash\":\"snap1:aa\",\"step\":5}\n"
        "torn\n"
        "{\"event\":\"end\",\"reason\":\"signal\",\"status\":\"ok\",\"step\":5}\n"
        "{\"event\":\"restore\",\"hash\":\"snap1:aa\",\"step\":5,\"tier\":\"exact\"}\n");
    assert_int_equal(trn_run_notes_read(dir, &read, NULL), SNAP_OK);
    assert_int_equal(read.count, 2);
    assert_int_equal(read.held_out, 359);
    assert_true(read.ended && read.end_step == 5);
    assert_string_equal(read.end_reason, "signal");
    assert_int_equal(read.notes[0].kind, TRN_NOTE_SAVE);
    assert_string_equal(read.notes[0].detail, "snapshots/a");
    assert_int_equal(read.notes[1].kind, TRN_NOTE_RESTORE);
    assert_string_equal(read.notes[1].detail, "exact");
    trn_run_notes_release(&read);

    put(events, "a", "{\"event\":\"train\",\"held_out\":359,\"last_step\":9,\"step\":5}\n");
    assert_int_equal(trn_run_notes_read(dir, &read, NULL), SNAP_OK);
    assert_false(read.ended);
    trn_run_notes_release(&read);
    unlink(events);
    assert_int_equal(trn_run_notes_read(dir, &read, NULL), SNAP_OK);
    assert_int_equal(read.count, 0);
    trn_run_notes_release(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),    cmocka_unit_test(refused), cmocka_unit_test(indexed),
        cmocka_unit_test(replaced), cmocka_unit_test(notes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
