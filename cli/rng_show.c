/* SPDX-License-Identifier: Apache-2.0 */
/* `snap rng show`: a state for people; what a kind can do; the kinds. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rng.h"

/* Numbers of a list that are printed; the rest is counted. */
#define MOST_SHOWN 8

static bool is_kind(const char *name)
{
    const char *kind;

    for (size_t i = 0; (kind = snap_stream_kind_at(i)) != NULL; i++)
        if (strcmp(kind, name) == 0)
            return true;
    return false;
}

/* ---- tables ---- */

static json_t *draws_value(const char *kind)
{
    const struct snap_draw_info *draw;
    json_t *list = json_array();

    for (size_t i = 0; list && (draw = snap_stream_draw_at(kind, i)) != NULL; i++) {
        json_t *row = json_pack("{s:s, s:s, s:s, s:b}", "dtype", snap_dtype_name(draw->dtype),
                                "equals", draw->equals, "name", draw->name, "same_libm",
                                draw->same_libm);
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *forms_value(const char *kind)
{
    const struct snap_form_info *form;
    json_t *list = json_array();

    for (size_t i = 0; list && (form = snap_stream_form_at(kind, i)) != NULL; i++) {
        json_t *row = json_pack("{s:s, s:s}", "equals", form->equals, "name", form->name);
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static void print_tables(const char *kind)
{
    const struct snap_draw_info *draw;
    const struct snap_form_info *form;

    for (size_t i = 0; (draw = snap_stream_draw_at(kind, i)) != NULL; i++)
        cmd_print_field(i ? "" : "draws", "%-12s %s%s", draw->name, draw->equals,
                        draw->same_libm ? " (same libm)" : "");
    for (size_t i = 0; (form = snap_stream_form_at(kind, i)) != NULL; i++)
        cmd_print_field(i ? "" : "forms", "%-12s %s", form->name, form->equals);
}

static enum snap_status show_kinds(struct cmd_report *report, struct snap_error *err)
{
    json_t *list = json_array();
    const char *kind;

    for (size_t i = 0; (kind = snap_stream_kind_at(i)) != NULL; i++) {
        const struct snap_draw_info *draw = snap_stream_draw_at(kind, 0);
        if (report->json && list && json_array_append_new(list, json_string(kind)) != 0) {
            json_decref(list);
            list = NULL;
        }
        if (!report->json)
            cmd_print_line("%-21s %s", kind, draw ? draw->equals : "draws nothing by name");
    }
    if (!report->json) {
        json_decref(list);
        return SNAP_OK;
    }
    return cmd_report_set(report, json_pack("{s:s, s:o}", "action", "show", "kinds", list), err);
}

/* ---- a state ---- */

/* The state as JSON: its member, or its form for people; null when it has neither. */
static enum snap_status state_value(const struct snap_stream *stream, json_t **value,
                                    struct snap_error *err)
{
    const char *kind = snap_stream_kind(stream);
    const struct snap_form_info *form;
    const char *name = "member";
    char *text = NULL;
    size_t size = 0;
    enum snap_status status;

    for (size_t i = 0; (form = snap_stream_form_at(kind, i)) != NULL; i++)
        if (strcmp(form->name, "json") == 0)
            name = form->name;
    status = snap_stream_export(stream, name, (void **)&text, &size, err);
    if (status != SNAP_OK)
        return status;
    *value = json_loadb(text, size, 0, NULL);
    if (*value == NULL)
        *value = json_null();
    free(text);
    return SNAP_OK;
}

static char *short_text(const json_t *value)
{
    size_t count = json_array_size(value);
    json_t *begin;
    char *text;

    if (count <= MOST_SHOWN)
        return json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    begin = json_array();
    for (size_t i = 0; begin && i < MOST_SHOWN; i++)
        json_array_append(begin, json_array_get(value, i));
    text = json_dumps(begin, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    json_decref(begin);
    return text;
}

/* A key and its value; objects inside have their keys behind a dot. */
static void print_fields(const char *prefix, const json_t *object)
{
    json_t *writable = (json_t *)(uintptr_t)object; /* the iterator's type; nothing is changed */

    for (void *i = json_object_iter(writable); i; i = json_object_iter_next(writable, i)) {
        const json_t *value = json_object_iter_value(i);
        size_t count = json_array_size(value);
        char label[80];
        char *text;
        snprintf(label, sizeof label, "%s%s%s", prefix, *prefix ? "." : "",
                 json_object_iter_key(i));
        if (strcmp(label, "kind") == 0)
            continue;
        if (json_is_object(value)) {
            print_fields(label, value);
            continue;
        }
        if (json_is_object(json_array_get(value, 0))) {
            cmd_print_line("%-12s %zu, of which the first is", label, count);
            print_fields(label, json_array_get(value, 0));
            continue;
        }
        text = short_text(value);
        if (text && count > MOST_SHOWN)
            cmd_print_line("%-12s %.*s, ... %zu in all]", label, (int)strlen(text) - 1, text,
                           count);
        else if (text && strlen(text) > 200)
            cmd_print_line("%-12s %.160s ... %zu characters", label, text, strlen(text));
        else
            cmd_print_line("%-12s %s", label, text ? text : "?");
        free(text);
    }
}

static enum snap_status show_state(const struct cmd_rng_arguments *given,
                                   struct cmd_report *report, struct snap_error *err)
{
    struct snap_stream *stream = NULL;
    json_t *state = NULL;
    const char *kind;
    enum snap_status status = cmd_rng_state(given, given->first, &stream, err);

    if (status != SNAP_OK)
        return status;
    kind = snap_stream_kind(stream);
    status = state_value(stream, &state, err);
    if (status == SNAP_OK && report->json) {
        status = cmd_report_set(report,
                                json_pack("{s:s, s:o, s:o, s:s, s:o, s:O}", "action", "show",
                                          "draws", draws_value(kind), "forms", forms_value(kind),
                                          "kind", kind, "source", cmd_json_text(given->first),
                                          "state", state),
                                err);
    } else if (status == SNAP_OK) {
        cmd_print_field("kind", "%s", kind);
        print_fields("", state);
        print_tables(kind);
    }
    json_decref(state);
    snap_stream_free(stream);
    return status;
}

enum snap_status cmd_rng_show(const struct cmd_rng_arguments *given, struct cmd_report *report,
                              struct snap_error *err)
{
    if (given->first == NULL)
        return show_kinds(report, err);
    /* A file of that name is a state. */
    if (!is_kind(given->first) || access(given->first, F_OK) == 0)
        return show_state(given, report, err);
    if (report->json)
        return cmd_report_set(report,
                              json_pack("{s:s, s:o, s:o, s:s, s:n, s:n}", "action", "show",
                                        "draws", draws_value(given->first), "forms",
                                        forms_value(given->first), "kind", given->first, "source",
                                        "state"),
                              err);
    cmd_print_field("kind", "%s", given->first);
    print_tables(given->first);
    return SNAP_OK;
}
