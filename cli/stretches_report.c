/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "output.h"
#include "stretches_report.h"

static const char *start_text(const struct trn_stretch *stretch)
{
    return stretch->archive[0] ? stretch->archive : "what config, seeds and data make";
}

void cmd_print_stretches(const struct trn_stretches_result *result)
{
    cmd_print_line("challenge %s, %s", result->challenge,
                   result->drawn ? "drawn now: nobody could know it before"
                                 : "given: whoever knew it before could avoid what it chooses");
    cmd_print_line("%zu stretch%s to choose from", result->count, result->count == 1 ? "" : "es");
    for (size_t i = 0; i < result->count; i++) {
        const struct trn_stretch *stretch = &result->stretches[i];
        if (stretch->chosen)
            cmd_print_line("%-9s steps %" PRIu64 " to %" PRIu64 ", from %s",
                           stretch->equal        ? "equal"
                           : stretch->host_equal ? "host part"
                                                 : "not equal",
                           stretch->first + 1, stretch->last, start_text(stretch));
    }
}

static json_t *json_deviation(const struct snap_float_deviation *found)
{
    bool any = found->field[0] != '\0';

    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "field", cmd_json_text(found->field),
        "largest", any ? cmd_json_f64(found->largest) : json_null(), "lines",
        cmd_json_uint(found->lines), "now", any ? cmd_json_f64(found->now) : json_null(), "numbers",
        cmd_json_uint(found->numbers), "numbers_unequal", cmd_json_uint(found->numbers_unequal),
        "recorded", any ? cmd_json_f64(found->recorded) : json_null(), "states",
        cmd_json_uint(found->states), "states_unequal", cmd_json_uint(found->states_unequal),
        "step", any ? cmd_json_uint(found->step) : json_null());
}

json_t *cmd_json_stretches(const struct trn_stretches_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->count; i++) {
        const struct trn_stretch *stretch = &result->stretches[i];
        if (json_array_append_new(
                list, json_pack("{s:o, s:b, s:b, s:o, s:b, s:o}", "archive",
                                cmd_json_text(stretch->archive), "chosen", stretch->chosen,
                                "equal", stretch->equal, "first", cmd_json_uint(stretch->first),
                                "host_equal", stretch->host_equal, "last",
                                cmd_json_uint(stretch->last)))) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:b, s:o}", "challenge", result->challenge, "deviation",
                     result->host_part ? json_deviation(&result->deviation) : json_null(), "drawn",
                     result->drawn, "stretches", list);
}

/* What is not proven of a run whose floats this machine cannot make again. */
static void floats_text(const struct trn_stretches_result *result, char *text, size_t size)
{
    const struct snap_float_deviation *found = &result->deviation;
    char most[300] = "";

    if (found->field[0])
        snprintf(most, sizeof most,
                 "; the largest deviation is %.3g, at step %" PRIu64 ": %.160s was %.9g, and is "
                 "%.9g here",
                 found->largest, found->step, found->field, found->recorded, found->now);
    snprintf(text, size,
             "the floats: of %" PRIu64 " numbers %" PRIu64 " are others here, and of %" PRIu64
             " state digests %" PRIu64 "%s",
             found->numbers, found->numbers_unequal, found->states, found->states_unequal, most);
}

/* Proven is the host part, never more. */
static enum snap_status host_replayed(struct snap_verdict *verdict,
                                      const struct trn_stretches_result *result, uint64_t all,
                                      struct snap_error *err)
{
    char host[300], floats[600];

    snprintf(host, sizeof host,
             "of %" PRIu64 " steps of %" PRIu64 ", %zu of %zu stretches, order, samples, schedule, "
             "draws and host chain were made again, and are equal",
             result->steps, all, result->replayed, result->count);
    floats_text(result, floats, sizeof floats);
    return snap_verdict_host_replayed(verdict, result->why, host, floats, err);
}

enum snap_status cmd_verdict_replayed(struct snap_verdict *verdict,
                                      const struct trn_stretches_result *result,
                                      enum snap_status status, struct snap_error *err)
{
    char text[300], rest[200];
    uint64_t first = result->count ? result->stretches[0].first : 0;
    uint64_t all = result->count ? result->stretches[result->count - 1].last - first : 0;

    if (status != SNAP_OK)
        return snap_verdict_replayed(verdict, status, err->text, NULL, NULL);
    if (result->host_part)
        return host_replayed(verdict, result, all, err);
    snprintf(text, sizeof text,
             "%" PRIu64 " steps of %" PRIu64 " were made again, %zu of %zu stretches, and all of "
             "it is equal, bit for bit",
             result->steps, all, result->replayed, result->count);
    snprintf(rest, sizeof rest, "of the other %" PRIu64 " steps; %s", all - result->steps,
             result->drawn ? "which are made again is drawn anew each time"
                           : "the challenge was given, and may have been known to the author");
    return snap_verdict_replayed(verdict, SNAP_OK, text,
                                 result->replayed < result->count ? rest : NULL, err);
}
