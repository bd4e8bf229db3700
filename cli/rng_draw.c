/* SPDX-License-Identifier: Apache-2.0 */
/* `snap rng draw`: the numbers that a stream gives next. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

#define DEFAULT_N 8
/* Numbers of one preview; they are held in memory, and in JSON as text. */
#define MOST_N 10000000u

/* The draw of that name, or the kind's first; NULL when there is none. */
static const struct snap_draw_info *find_draw(const char *kind, const char *name)
{
    const struct snap_draw_info *info = NULL;

    for (size_t i = 0; (info = snap_stream_draw_at(kind, i)) != NULL; i++)
        if (name == NULL || strcmp(info->name, name) == 0)
            return info;
    return NULL;
}

/* Number i as a 64-bit integer, with its sign where it has one. */
static uint64_t integer_at(enum snap_dtype dtype, const void *numbers, size_t i)
{
    switch (dtype) {
    case SNAP_U8:
        return ((const uint8_t *)numbers)[i];
    case SNAP_U16:
        return ((const uint16_t *)numbers)[i];
    case SNAP_U32:
        return ((const uint32_t *)numbers)[i];
    case SNAP_I32:
        return (uint64_t)(int64_t)((const int32_t *)numbers)[i];
    default:
        return ((const uint64_t *)numbers)[i];
    }
}

static bool is_signed(enum snap_dtype dtype)
{
    return dtype == SNAP_I32 || dtype == SNAP_I64;
}

/* With as few digits as are read back as the same number. */
static void print_f64(double number)
{
    char text[32];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    puts(text);
}

static void print_f32(float number)
{
    char text[32];

    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number)
            break;
    }
    puts(text);
}

static void print_numbers(enum snap_dtype dtype, const void *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (dtype == SNAP_F64)
            print_f64(((const double *)numbers)[i]);
        else if (dtype == SNAP_F32)
            print_f32(((const float *)numbers)[i]);
        else if (is_signed(dtype))
            printf("%" PRId64 "\n", (int64_t)integer_at(dtype, numbers, i));
        else
            printf("%" PRIu64 "\n", integer_at(dtype, numbers, i));
    }
}

/* Floats as their bits in hex; integers past 2^53 as decimal strings. */
static json_t *number_value(enum snap_dtype dtype, const void *numbers, size_t i)
{
    char text[24];
    uint64_t bits;
    int64_t integer;

    if (dtype == SNAP_F32)
        return cmd_json_f32(((const float *)numbers)[i]);
    if (dtype == SNAP_F64) {
        memcpy(&bits, (const double *)numbers + i, sizeof bits);
        snprintf(text, sizeof text, "%016" PRIx64, bits);
        return json_string(text);
    }
    integer = (int64_t)integer_at(dtype, numbers, i);
    if (!is_signed(dtype) || integer >= 0)
        return cmd_json_uint((uint64_t)integer);
    if (integer >= -(INT64_C(1) << 53))
        return json_integer(integer);
    snprintf(text, sizeof text, "%" PRId64, integer);
    return json_string(text);
}

static enum snap_status report_numbers(const struct cmd_rng_arguments *given, const char *kind,
                                       const struct snap_draw_info *info, const void *numbers,
                                       size_t n, struct cmd_report *report,
                                       struct snap_error *err)
{
    json_t *list = json_array();
    bool failed = list == NULL;

    for (size_t i = 0; !failed && i < n; i++)
        failed = json_array_append_new(list, number_value(info->dtype, numbers, i)) != 0;
    if (failed) {
        json_decref(list);
        list = NULL;
    }
    return cmd_report_set(report,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:o}", "action",
                                    "draw", "draw", info->name, "dtype",
                                    snap_dtype_name(info->dtype), "equals", info->equals, "kind",
                                    kind, "numbers", list, "out", cmd_json_text(given->out),
                                    "same_libm", info->same_libm, "source",
                                    cmd_json_text(given->first)),
                          err);
}

/* The stream that is drawn from: of a state, or of a kind and a seed, or of both. */
static enum snap_status open_stream(const struct cmd_rng_arguments *given,
                                    struct snap_stream **stream, struct snap_error *err)
{
    enum snap_status status;

    if (given->first)
        status = cmd_rng_state(given, given->first, stream, err);
    else if (given->kind && given->seed.is_set)
        status = cmd_rng_new(given->kind, stream, err);
    else
        return snap_error_set(err, SNAP_INVALID,
                              "rng draw: a STATE is wanted, or --kind KIND and --seed SEED; see "
                              "'snap rng --help'");
    if (status == SNAP_OK && given->seed.is_set) {
        status = snap_stream_seed(*stream, given->seed.value, err);
        if (status != SNAP_OK) {
            snap_stream_free(*stream);
            *stream = NULL;
        }
    }
    return status;
}

enum snap_status cmd_rng_draw(const struct cmd_rng_arguments *given, struct cmd_report *report,
                              struct snap_error *err)
{
    struct snap_stream *stream = NULL;
    const struct snap_draw_info *info;
    uint64_t n = given->n.is_set ? given->n.value : DEFAULT_N;
    void *numbers = NULL;
    const char *kind;
    enum snap_status status;

    if (n > MOST_N)
        return snap_error_set(err, SNAP_INVALID, "--n: at most %u numbers at once", MOST_N);
    if (given->to && !given->out)
        return snap_error_set(err, SNAP_INVALID,
                              "--to: 'rng draw' writes the state after it with --out FILE only");
    status = open_stream(given, &stream, err);
    if (status != SNAP_OK)
        return status;
    kind = snap_stream_kind(stream);
    info = find_draw(kind, given->what);
    if (info == NULL) {
        /* The library names those that there are. */
        status = snap_stream_draw(stream, given->what ? given->what : "next", NULL, 0, err);
        goto out;
    }
    numbers = calloc(n ? n : 1, snap_dtype_size_bytes(info->dtype));
    if (numbers == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "rng draw: no memory for the numbers");
        goto out;
    }
    status = snap_stream_draw(stream, info->name, numbers, n, err);
    if (status == SNAP_OK)
        status = cmd_rng_write_file(given, stream, err);
    if (status == SNAP_OK && report->json)
        status = report_numbers(given, kind, info, numbers, n, report, err);
    else if (status == SNAP_OK)
        print_numbers(info->dtype, numbers, n);
out:
    free(numbers);
    snap_stream_free(stream);
    return status;
}
