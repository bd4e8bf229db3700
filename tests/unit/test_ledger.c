/* SPDX-License-Identifier: Apache-2.0 */
/* Ledgers: lines made and read, both chains, what is refused, what differs first. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/hex.h"
#include "digest/sha256.h"
#include "format/json_canonical.h"
#include "ledger/ledger_line.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* A genesis line and the lines of steps 1 to `steps`; the loss of step `bent` is another one. */
static void make_ledger(struct snap_buffer *text, unsigned steps, unsigned bent)
{
    struct snap_chain_heads heads;
    json_t *host = json_pack("{s:[], s:n, s:{s:s}}", "data", "parent", "training", "lr", "0.05");
    json_t *floats =
        json_pack("{s:{}, s:s, s:s}", "binding", "profile", "portable-1", "state",
                  "tree1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    CHECK_OK(snap_ledger_genesis_encode(host, floats, &heads, text, &err));
    json_decref(host);
    json_decref(floats);
    for (unsigned step = 1; step <= steps; step++) {
        host = json_pack("{s:{s:i}, s:i, s:{s:s}, s:i}", "draws", "python", 4, "epoch", 0,
                         "scalars", "lr", "3d800000", "step", (int)step);
        floats = json_pack("{s:{s:i}, s:{s:s, s:s}}", "draws", "device", 2, "scalars", "grad_norm",
                           "3f800000", "loss", step == bent ? "40000001" : "40000000");
        CHECK_OK(snap_ledger_step_encode(&heads, host, floats, &heads, text, &err));
        json_decref(host);
        json_decref(floats);
    }
}

/* The chain by its definition, from the text alone. */
static void test_chains(void **state)
{
    (void)state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    struct snap_ledger *ledger;
    unsigned char run[SNAP_DIGEST_BYTES];
    unsigned char host[SNAP_DIGEST_BYTES];
    char hex[65];
    make_ledger(&text, 3, 0);
    CHECK_OK(snap_ledger_decode(text.data, text.size, "here", &ledger, &err));
    assert_int_equal(snap_ledger_line_count(ledger), 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *document;
        CHECK_OK(snap_ledger_document(ledger, i, &document, &err));
        json_object_del(document, "chain");
        json_object_del(document, "host_chain");
        snap_buffer_clear(&bytes);
        if (i == 0)
            CHECK_OK(snap_buffer_append_text(&bytes, "snap-ledger-1\n", &err));
        else
            CHECK_OK(snap_buffer_append(&bytes, run, sizeof run, &err));
        CHECK_OK(snap_json_encode(document, &bytes, &err));
        CHECK_OK(snap_sha256(bytes.data, bytes.size, run, &err));
        snap_hex_encode(run, sizeof run, hex);
        assert_string_equal(snap_ledger_chain(ledger, i), hex);
        snap_buffer_clear(&bytes);
        if (i == 0)
            CHECK_OK(snap_buffer_append_text(&bytes, "snap-host-1\n", &err));
        else
            CHECK_OK(snap_buffer_append(&bytes, host, sizeof host, &err));
        CHECK_OK(snap_json_encode(json_object_get(document, "host"), &bytes, &err));
        CHECK_OK(snap_sha256(bytes.data, bytes.size, host, &err));
        snap_hex_encode(host, sizeof host, hex);
        assert_string_equal(snap_ledger_host_chain(ledger, i), hex);
        json_decref(document);
    }
    snap_ledger_free(ledger);
    snap_buffer_release(&text);
    snap_buffer_release(&bytes);
}

static void test_places(void **state)
{
    (void)state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_ledger *ledger;
    struct snap_ledger *part;
    struct snap_chain_heads heads;
    size_t index = 99;
    size_t size;
    make_ledger(&text, 3, 0);
    CHECK_OK(snap_ledger_decode(text.data, text.size, "here", &ledger, &err));
    assert_int_equal(snap_ledger_first_step(ledger), 0);
    assert_int_equal(snap_ledger_last_step(ledger), 3);
    assert_true(snap_ledger_find(ledger, 0, &index));
    assert_int_equal(index, 0);
    assert_true(snap_ledger_find(ledger, 3, &index));
    assert_int_equal(index, 3);
    assert_false(snap_ledger_find(ledger, 4, &index));
    const char *line = snap_ledger_line(ledger, 2, &size);
    assert_int_equal(strlen(line), size);
    assert_int_equal(line[size - 1], '\n');
    assert_null(snap_ledger_line(ledger, 4, &size));
    assert_null(snap_ledger_chain(ledger, 4));
    /* The lines after step 1, as an archive holds them. */
    snap_ledger_heads(ledger, 1, &heads);
    size_t after =
        (size_t)(strchr(strchr((char *)text.data, '\n') + 1, '\n') + 1 - (char *)text.data);
    CHECK_OK(snap_ledger_decode_after(&heads, 1, text.data + after, text.size - after, "part",
                                      &part, &err));
    assert_false(snap_ledger_has_genesis(part));
    assert_int_equal(snap_ledger_line_count(part), 2);
    assert_int_equal(snap_ledger_last_step(part), 3);
    assert_false(snap_ledger_find(part, 1, &index));
    assert_true(snap_ledger_find(part, 2, &index));
    assert_int_equal(index, 0);
    assert_string_equal(snap_ledger_chain(part, 1), snap_ledger_chain(ledger, 3));
    snap_ledger_free(part);
    CHECK_OK(snap_ledger_decode_after(&heads, 1, "", 0, "part", &part, &err));
    assert_int_equal(snap_ledger_last_step(part), 1);
    snap_ledger_free(part);
    snap_ledger_heads(ledger, 0, &heads);
    CHECK_FAILS(SNAP_CORRUPT, "host.step is 2",
                snap_ledger_decode_after(&heads, 0, text.data + after, text.size - after, "part",
                                         &part, &err));
    CHECK_FAILS(SNAP_CORRUPT, "off the chain",
                snap_ledger_decode_after(&heads, 1, text.data + after, text.size - after, "part",
                                         &part, &err));
    snap_ledger_free(ledger);
    snap_buffer_release(&text);
}

/* Cut at every byte: what is whole is read, the rest is torn; nothing may be torn in decode. */
static void test_torn(void **state)
{
    (void)state;
    char *dir = toy_folder();
    const char *path = toy_path(dir, "ledger.jsonl");
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_ledger *ledger;
    uint64_t torn;
    size_t lines = 0;
    make_ledger(&text, 2, 0);
    for (size_t size = 0; size <= text.size; size++) {
        size_t whole = size;
        while (whole > 0 && text.data[whole - 1] != '\n')
            whole--;
        lines += size > 0 && text.data[size - 1] == '\n';
        toy_write(path, text.data, size);
        CHECK_OK(snap_ledger_open(path, &ledger, &torn, &err));
        assert_int_equal(torn, size - whole);
        assert_int_equal(snap_ledger_line_count(ledger), lines);
        snap_ledger_free(ledger);
        if (size != whole || lines == 0)
            CHECK_FAILS(SNAP_CORRUPT, "here",
                        snap_ledger_decode(text.data, size, "here", &ledger, &err));
    }
    CHECK_FAILS(SNAP_NOT_FOUND, NULL, snap_ledger_open(toy_path(dir, "none"), &ledger, NULL, &err));
    snap_buffer_release(&text);
    toy_remove(dir);
    free(dir);
}

/* One byte of the text changed, each in turn: always refused, and no crash. */
static void test_every_byte(void **state)
{
    (void)state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_ledger *ledger;
    make_ledger(&text, 2, 0);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char held = text.data[i];
        text.data[i] ^= 1;
        enum snap_status status = snap_ledger_decode(text.data, text.size, "here", &ledger, &err);
        /* "snap-ledger-0" would be another version. */
        assert_true(status == SNAP_CORRUPT || status == SNAP_UNSUPPORTED);
        text.data[i] = held;
    }
    snap_buffer_release(&text);
}

/* Lines that are on their chain, and not of the grammar. */
static void refuse_step(const char *host_text, const char *floats_text, const char *fragment)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_chain_heads heads;
    struct snap_ledger *ledger;
    json_t *host = json_loads(host_text, 0, NULL);
    json_t *floats = json_loads(floats_text, 0, NULL);
    make_ledger(&text, 0, 0);
    CHECK_OK(snap_ledger_decode(text.data, text.size, "here", &ledger, &err));
    snap_ledger_heads(ledger, 0, &heads);
    snap_ledger_free(ledger);
    CHECK_OK(snap_ledger_step_encode(&heads, host, floats, &heads, &text, &err));
    CHECK_FAILS(SNAP_CORRUPT, fragment,
                snap_ledger_decode(text.data, text.size, "here", &ledger, &err));
    json_decref(host);
    json_decref(floats);
    snap_buffer_release(&text);
}

static void test_grammar(void **state)
{
    (void)state;
    static const char host[] = "{\"draws\":{},\"epoch\":0,\"scalars\":{},\"step\":1}";
    static const char floats[] = "{\"draws\":{},\"scalars\":{}}";
    refuse_step("{\"draws\":{},\"epoch\":0,\"scalars\":{},\"step\":2}", floats,
                "step 1 is the next");
    refuse_step("{\"draws\":{},\"epoch\":0,\"scalars\":{}}", floats, "step");
    refuse_step("{\"draws\":{},\"epoch\":-1,\"scalars\":{},\"step\":1}", floats, "epoch");
    refuse_step("{\"draws\":{},\"epoch\":0,\"more\":1,\"scalars\":{},\"step\":1}", floats, "more");
    refuse_step("{\"draws\":{\"a\":-1},\"epoch\":0,\"scalars\":{},\"step\":1}", floats, "draws.a");
    refuse_step("{\"batch\":\"0\",\"draws\":{},\"epoch\":0,\"scalars\":{},\"step\":1}", floats,
                "batch");
    refuse_step("{\"draws\":{},\"epoch\":0,\"samples\":5,\"scalars\":{},\"step\":1}", floats,
                "samples");
    refuse_step(host, "{\"draws\":{},\"scalars\":{\"loss\":\"3F800000\"}}", "scalars.loss");
    refuse_step(host, "{\"draws\":{},\"scalars\":{\"loss\":\"9007199254740993\",\"n\":true}}",
                "scalars.n");
    refuse_step(host, "{\"draws\":{},\"scalars\":{},\"skipped\":false}", "skipped");
    refuse_step(host, "{\"draws\":{},\"scalars\":{},\"state\":\"state1:00\"}", "state");
    refuse_step(host, "{\"draws\":{}}", "scalars");
}

static void check_kind(const char *left, const char *right, const char *kind, const char *field)
{
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    CHECK_FAILS(SNAP_DIFFERS, kind, snap_ledger_compare_lines(left, right, &difference, &err));
    assert_string_equal(difference.kind, kind);
    assert_string_equal(difference.field, field);
    assert_int_equal(difference.step, 7);
}

/* What a line says, with pieces exchanged. */
#define LINE(batch, draws, loss, lr, samples)                                                      \
    "{\"chain\":\"" loss                                                                           \
    "\",\"float\":{\"draws\":{\"device\":2},\"scalars\":{\"eval\":\"00000000\","                   \
    "\"grad_norm\":\"00000000\",\"loss\":\"" loss "\"}},\"host\":{\"batch\":\"" batch              \
    "\",\"draws\":{\"python\":" draws "},\"epoch\":0,\"samples\":\"" samples                       \
    "\",\"scalars\":{\"lr\":\"" lr "\"},\"step\":7}}\n"

static void test_compare_lines(void **state)
{
    (void)state;
    static const char line[] = LINE("b", "1", "c", "d", "e");
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    check_kind(line, LINE("X", "1", "c", "d", "e"), "batch", "host.batch");
    check_kind(line, LINE("b", "2", "c", "d", "e"), "stream", "host.draws.python");
    check_kind(line, LINE("b", "1", "X", "d", "e"), "loss", "float.scalars.loss");
    check_kind(line, LINE("b", "1", "c", "X", "e"), "schedule", "host.scalars.lr");
    check_kind(line, LINE("b", "1", "c", "d", "X"), "order", "host.samples");
    /* The cause before its consequences. */
    check_kind(line, LINE("X", "2", "X", "X", "e"), "batch", "host.batch");
    check_kind(line, LINE("b", "2", "X", "d", "e"), "stream", "host.draws.python");
    /* Chain fields alone are no difference. */
    CHECK_OK(snap_ledger_compare_lines("{\"chain\":\"a\",\"host\":{\"step\":7}}\n",
                                       "{\"chain\":\"b\",\"host\":{\"step\":7}}\n", &difference,
                                       &err));
    check_kind("{\"float\":{\"state\":\"a\"},\"host\":{\"step\":7}}\n",
               "{\"float\":{},\"host\":{\"step\":7}}\n", "state", "float.state");
    check_kind("{\"float\":{\"x\":{\"a\":1}},\"host\":{\"step\":7}}\n",
               "{\"float\":{\"x\":{\"a\":2}},\"host\":{\"step\":7}}\n", "other", "float.x.a");
    assert_int_equal(snap_ledger_compare_lines("{}", "{}\n", &difference, NULL), SNAP_CORRUPT);
    assert_int_equal(snap_ledger_compare_lines(NULL, line, &difference, NULL), SNAP_INVALID);
}

static void test_compare(void **state)
{
    (void)state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_ledger *one;
    struct snap_ledger *longer;
    struct snap_ledger *bent;
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    uint64_t compared = 0;
    make_ledger(&text, 5, 0);
    CHECK_OK(snap_ledger_decode(text.data, text.size, "one", &one, &err));
    snap_buffer_clear(&text);
    make_ledger(&text, 9, 0);
    CHECK_OK(snap_ledger_decode(text.data, text.size, "longer", &longer, &err));
    snap_buffer_clear(&text);
    make_ledger(&text, 9, 4);
    CHECK_OK(snap_ledger_decode(text.data, text.size, "bent", &bent, &err));
    CHECK_OK(snap_ledger_compare(one, longer, &compared, &difference, &err));
    assert_int_equal(compared, 5);
    CHECK_FAILS(SNAP_DIFFERS,
                "step 4: loss: float.scalars.loss is 40000000 on the left and 40000001",
                snap_ledger_compare(one, bent, &compared, &difference, &err));
    assert_int_equal(compared, 4);
    assert_int_equal(difference.step, 4);
    assert_string_equal(difference.left, "40000000");
    assert_string_equal(difference.right, "40000001");
    snap_ledger_free(one);
    snap_ledger_free(longer);
    snap_ledger_free(bent);
    snap_buffer_release(&text);
}

#define STATE_A "tree1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define STATE_B "tree1:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* One line of a step, its float.scalars as given. */
static char *make_line(const char *lr, const char *scalars, const char *state_digest)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_chain_heads heads;
    json_t *host = json_pack("{s:[], s:n, s:n}", "data", "parent", "training");
    json_t *floats =
        json_pack("{s:{}, s:s, s:s}", "binding", "profile", "torch-1", "state", STATE_A);
    json_t *values = json_loads(scalars, 0, NULL);
    assert_non_null(values);
    CHECK_OK(snap_ledger_genesis_encode(host, floats, &heads, &text, &err));
    json_decref(host);
    json_decref(floats);
    snap_buffer_clear(&text);
    host = json_pack("{s:{s:i}, s:i, s:{s:s}, s:i}", "draws", "python", 4, "epoch", 0, "scalars",
                     "lr", lr, "step", 1);
    floats = json_pack("{s:{}, s:o, s:s}", "draws", "scalars", values, "state", state_digest);
    CHECK_OK(snap_ledger_step_encode(&heads, host, floats, &heads, &text, &err));
    json_decref(host);
    json_decref(floats);
    return (char *)text.data;
}

/* Host parts are equal or not; floats are measured. */
static void test_compare_hosts(void **state)
{
    (void)state;
    struct snap_float_deviation found = SNAP_FLOAT_DEVIATION_INIT;
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    /* 2, 1.0 as f64, 3 */
    char *recorded = make_line("3d800000",
                               "{\"loss\":\"40000000\",\"wide\":\"3ff0000000000000\",\"n\":3}",
                               STATE_A);
    char *now = make_line("3d800000",
                          "{\"loss\":\"3fc00000\",\"wide\":\"3ff0000000000000\",\"n\":4}",
                          STATE_B);
    char *nan = make_line("3d800000", "{\"loss\":\"7fc00000\",\"wide\":\"3ff0000000000000\"}",
                          STATE_A);
    char *other = make_line("3d800001", "{\"loss\":\"40000000\"}", STATE_A);

    CHECK_OK(snap_ledger_compare_hosts(recorded, recorded, &found, &difference, &err));
    assert_int_equal(found.lines, 1);
    assert_int_equal(found.numbers, 3);
    assert_int_equal(found.numbers_unequal, 0);
    assert_int_equal(found.states, 1);
    assert_int_equal(found.states_unequal, 0);
    assert_string_equal(found.field, "");

    CHECK_OK(snap_ledger_compare_hosts(recorded, now, &found, &difference, &err));
    assert_int_equal(found.lines, 2);
    assert_int_equal(found.numbers_unequal, 2);
    assert_int_equal(found.states_unequal, 1);
    assert_string_equal(found.field, "float.scalars.loss"); /* 0.5 / 2, and 1 / 4 is no more */
    assert_true(found.largest == 0.25 && found.recorded == 2.0 && found.now == 1.5);
    assert_int_equal(found.step, 1);

    CHECK_OK(snap_ledger_compare_hosts(recorded, nan, &found, &difference, &err));
    assert_int_equal(found.numbers_unequal, 4); /* n is not there at all */
    assert_true(found.largest > 1e308 && found.recorded == 2.0 && found.now != found.now);

    found = (struct snap_float_deviation)SNAP_FLOAT_DEVIATION_INIT;
    assert_int_equal(snap_ledger_compare_hosts(recorded, other, &found, &difference, &err),
                     SNAP_DIFFERS);
    assert_string_equal(difference.field, "host.scalars.lr");
    assert_string_equal(difference.kind, "schedule");
    assert_int_equal(found.lines, 0);
    assert_int_equal(found.numbers, 0);
    /* The same host part behind another one. */
    char *chain = strstr(now, "\"host_chain\":\"") + 14;
    chain[0] = chain[0] == '0' ? '1' : '0';
    assert_int_equal(snap_ledger_compare_hosts(recorded, now, &found, &difference, &err),
                     SNAP_DIFFERS);
    assert_string_equal(difference.field, "host_chain");
    free(recorded);
    free(now);
    free(nan);
    free(other);
}

static void test_file(void **state)
{
    (void)state;
    char *dir = toy_folder();
    const char *path = toy_path(dir, "ledger.jsonl");
    struct snap_ledger_file file = SNAP_LEDGER_FILE_INIT;
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
    size_t size;
    assert_true(dirfd >= 0);
    CHECK_OK(snap_ledger_file_open(&file, dirfd, path, 0, 0, &err));
    CHECK_OK(snap_ledger_file_append(&file, "one\n", 4, &err));
    CHECK_OK(snap_ledger_file_append(&file, "two\n", 4, &err));
    CHECK_OK(snap_ledger_file_sync(&file, &err));
    CHECK_OK(snap_ledger_file_close(&file, &err));
    /* A torn line is cut off. */
    CHECK_OK(snap_ledger_file_open(&file, dirfd, path, 4, 4, &err));
    CHECK_OK(snap_ledger_file_append(&file, "three\n", 6, &err));
    CHECK_OK(snap_ledger_file_close(&file, &err));
    char *bytes = toy_read(path, &size);
    assert_string_equal(bytes, "one\nthree\n");
    free(bytes);
    CHECK_FAILS(SNAP_IO, "shorter", snap_ledger_file_open(&file, dirfd, path, 11, 0, &err));
    CHECK_FAILS(SNAP_IO, "longer", snap_ledger_file_open(&file, dirfd, path, 4, 5, &err));
    /* A full disk. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/full", path), 0);
    CHECK_OK(snap_ledger_file_open(&file, dirfd, path, 0, 0, &err));
    CHECK_FAILS(SNAP_IO, "No space left", snap_ledger_file_append(&file, "one\n", 4, &err));
    snap_ledger_file_close(&file, NULL);
    close(dirfd);
    toy_remove(dir);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),  cmocka_unit_test(test_places),
        cmocka_unit_test(test_torn),    cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_grammar), cmocka_unit_test(test_compare_lines),
        cmocka_unit_test(test_compare), cmocka_unit_test(test_compare_hosts),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
