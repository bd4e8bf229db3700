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
                           stretch->equal ? "equal" : "not equal", stretch->first + 1,
                           stretch->last, start_text(stretch));
    }
}

json_t *cmd_json_stretches(const struct trn_stretches_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->count; i++) {
        const struct trn_stretch *stretch = &result->stretches[i];
        if (json_array_append_new(
                list, json_pack("{s:o, s:b, s:b, s:o, s:o}", "archive",
                                cmd_json_text(stretch->archive), "chosen", stretch->chosen,
                                "equal", stretch->equal, "first", cmd_json_uint(stretch->first),
                                "last", cmd_json_uint(stretch->last)))) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:s, s:b, s:o}", "challenge", result->challenge, "drawn", result->drawn,
                     "stretches", list);
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
