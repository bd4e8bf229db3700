/* SPDX-License-Identifier: Apache-2.0 */
/* `snap rng distance`: how far the streams of B are ahead of those of A. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

#define DEFAULT_LIMIT UINT64_C(100000000)

/* What was found out about one stream. */
struct finding {
    const char *name; /* NULL: of two files */
    const char *kind; /* NULL: it is in one of the two only, or of two kinds; see `fault` */
    const char *fault;
    bool equal; /* all bytes */
    bool related;
    int64_t steps;
    uint64_t limit;
};

static enum snap_status compare(const struct snap_stream *a, const struct snap_stream *b,
                                struct finding *finding, struct snap_error *err)
{
    void *left = NULL, *right = NULL;
    size_t left_size = 0, right_size = 0;
    enum snap_status status;

    if (strcmp(snap_stream_kind(a), snap_stream_kind(b)) != 0) {
        finding->fault = "streams of two kinds";
        return SNAP_OK;
    }
    finding->kind = snap_stream_kind(a);
    status = snap_stream_encode(a, &left, &left_size, err);
    if (status == SNAP_OK)
        status = snap_stream_encode(b, &right, &right_size, err);
    if (status == SNAP_OK)
        status = snap_stream_distance(finding->kind, left, left_size, right, right_size,
                                      finding->limit, &finding->steps, &finding->related, err);
    if (status == SNAP_OK)
        finding->equal = left_size == right_size && memcmp(left, right, left_size) == 0;
    free(left);
    free(right);
    return status;
}

/* "2 words (one 64-bit draw)" */
static void distance_text(const struct finding *finding, char *text, size_t text_size)
{
    uint64_t steps = finding->steps < 0 ? 0 - (uint64_t)finding->steps : (uint64_t)finding->steps;
    const char *unit = snap_stream_distance_unit(finding->kind, steps != 1);
    char wide[64] = "";

    if (strcmp(unit, "words") == 0 && steps == 2)
        snprintf(wide, sizeof wide, " (one 64-bit draw)");
    else if (strcmp(unit, "words") == 0 && steps % 2 == 0)
        snprintf(wide, sizeof wide, " (%" PRIu64 " 64-bit draws)", steps / 2);
    snprintf(text, text_size, "%" PRIu64 " %s%s", steps, unit, wide);
}

static void print_finding(const struct finding *finding)
{
    const char *label = finding->name ? finding->name : finding->kind ? finding->kind : "";
    char text[160];

    if (finding->kind == NULL) {
        cmd_print_line("%-12s %s", label, finding->fault);
    } else if (!finding->related) {
        cmd_print_line("%-12s no distance: another seed, or farther than %" PRIu64 " %s", label,
                       finding->limit, snap_stream_distance_unit(finding->kind, true));
    } else if (finding->steps != 0) {
        distance_text(finding, text, sizeof text);
        cmd_print_line("%-12s same seed, B is %s %s", label, text,
                       finding->steps > 0 ? "ahead" : "behind");
    } else {
        cmd_print_line("%-12s same seed, same place%s", label,
                       finding->equal ? ""
                                      : ", but not the same bytes: a normal or half a word that is "
                                        "left, or what it was seeded with");
    }
}

static json_t *finding_value(const struct finding *finding)
{
    char text[24];
    json_t *steps = json_null();

    if (finding->related) {
        snprintf(text, sizeof text, "%" PRId64, finding->steps);
        steps = finding->steps > (INT64_C(1) << 53) || finding->steps < -(INT64_C(1) << 53)
                    ? json_string(text)
                    : json_integer(finding->steps);
    }
    return json_pack("{s:o, s:b, s:o, s:o, s:o, s:b, s:o}", "distance", steps, "equal",
                     finding->equal, "fault", cmd_json_text(finding->fault), "kind",
                     cmd_json_text(finding->kind), "name", cmd_json_text(finding->name), "related",
                     finding->related, "unit",
                     cmd_json_text(finding->kind
                                       ? snap_stream_distance_unit(finding->kind, false)
                                       : NULL));
}

/* Say it, or put it into the list; *unrelated becomes true for a stream without a distance. */
static enum snap_status tell(const struct finding *finding, json_t *list, bool *unrelated,
                             struct snap_error *err)
{
    *unrelated = *unrelated || !finding->related;
    if (list == NULL) {
        print_finding(finding);
        return SNAP_OK;
    }
    if (json_array_append_new(list, finding_value(finding)) != 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "rng distance: no memory for the answer");
    return SNAP_OK;
}

static bool has_name(const struct cmd_rng_place *place, const char *name)
{
    const char *one;

    for (size_t i = 0; (one = cmd_rng_place_name(place, i)) != NULL; i++)
        if (strcmp(one, name) == 0)
            return true;
    return false;
}

/* One stream of each place; `name` is NULL for files. */
static enum snap_status compare_one(const struct cmd_rng_arguments *given,
                                    const struct cmd_rng_place *left,
                                    const struct cmd_rng_place *right, const char *name,
                                    json_t *list, bool *unrelated, struct snap_error *err)
{
    struct finding finding = { .name = name,
                               .limit = given->limit.is_set ? given->limit.value : DEFAULT_LIMIT };
    struct snap_stream *a = NULL, *b = NULL;
    enum snap_status status =
        cmd_rng_place_state(left, left->archive ? name : NULL, given->kind, given->form, &a, err);

    if (status != SNAP_OK)
        return status;
    status =
        cmd_rng_place_state(right, right->archive ? name : NULL, given->kind, given->form, &b, err);
    if (status == SNAP_OK)
        status = compare(a, b, &finding, err);
    if (status == SNAP_OK)
        status = tell(&finding, list, unrelated, err);
    snap_stream_free(a);
    snap_stream_free(b);
    return status;
}

/* All streams of two archives. */
static enum snap_status compare_all(const struct cmd_rng_arguments *given,
                                    const struct cmd_rng_place *left,
                                    const struct cmd_rng_place *right, json_t *list,
                                    bool *unrelated, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    const char *name;

    for (size_t i = 0; status == SNAP_OK && (name = cmd_rng_place_name(left, i)) != NULL; i++) {
        struct finding only = { .name = name, .fault = "only in A" };
        status = has_name(right, name)
                     ? compare_one(given, left, right, name, list, unrelated, err)
                     : tell(&only, list, unrelated, err);
    }
    for (size_t i = 0; status == SNAP_OK && (name = cmd_rng_place_name(right, i)) != NULL; i++) {
        struct finding only = { .name = name, .fault = "only in B" };
        if (!has_name(left, name))
            status = tell(&only, list, unrelated, err);
    }
    return status;
}

enum snap_status cmd_rng_distance(const struct cmd_rng_arguments *given,
                                  struct cmd_report *report, struct snap_error *err)
{
    struct cmd_rng_place left, right = { .archive = NULL };
    json_t *list = report->json ? json_array() : NULL;
    bool unrelated = false;
    enum snap_status status = cmd_rng_place_open(given->first, &left, err);

    if (status != SNAP_OK) {
        json_decref(list);
        return status;
    }
    status = cmd_rng_place_open(given->second, &right, err);
    if (status == SNAP_OK && report->json && list == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "rng distance: no memory for the answer");
    if (status == SNAP_OK && left.archive && right.archive && given->stream == NULL)
        status = compare_all(given, &left, &right, list, &unrelated, err);
    else if (status == SNAP_OK)
        status = compare_one(given, &left, &right, given->stream, list, &unrelated, err);
    if (status == SNAP_OK && report->json)
        status = cmd_report_set(report,
                                json_pack("{s:s, s:O}", "action", "distance", "streams", list),
                                err);
    json_decref(list);
    cmd_rng_place_close(&left);
    cmd_rng_place_close(&right);
    if (status == SNAP_OK && unrelated) {
        /* That there is none is the answer, and stands on stdout. */
        err->text[0] = '\0';
        return SNAP_DIFFERS;
    }
    return status;
}
