/* SPDX-License-Identifier: Apache-2.0 */
/* Draws and forms that are asked for by name: looked up in the tables of the stream's family. */
#include "config.h"

#include <snapstate/stream.h>
#include <stdio.h>
#include <string.h>

#include "stream/stream_family.h"

/* The names of a table for a message: "u32, u64, f64". */
#define NAMES_BYTES 240

static const struct snap_form_info member_form = { sizeof(struct snap_form_info), "member",
                                                   "the bytes of the member rng/NAME" };

static void add_name(char names[NAMES_BYTES], const char *name)
{
    size_t used = strlen(names);

    snprintf(names + used, NAMES_BYTES - used, "%s%s", used > 0 ? ", " : "", name);
}

const struct snap_draw_info *snap_stream_draw_at(const char *kind, size_t index)
{
    const struct snap_stream_family *family = snap_stream_family_find(kind);

    if (family == NULL || family->draws == NULL) {
        return NULL;
    }
    for (const struct snap_stream_draw_row *row = family->draws; row->draw != NULL; row++) {
        if (index-- == 0) {
            return &row->info;
        }
    }
    return NULL;
}

enum snap_status snap_stream_draw(struct snap_stream *stream, const char *name, void *out, size_t n,
                                  struct snap_error *err)
{
    const struct snap_stream_family *family = stream->family;
    const struct snap_stream_draw_row *row = family->draws;
    char names[NAMES_BYTES] = "";

    for (; row != NULL && row->draw != NULL; row++) {
        if (strcmp(row->info.name, name) == 0) {
            return n > 0 ? row->draw(stream->state, out, n, err) : SNAP_OK;
        }
        add_name(names, row->info.name);
    }
    return snap_error_set(err, SNAP_INVALID, "stream %s: draw %.64s: there is no such draw%s%s",
                          family->name, name, names[0] != 0 ? ", but " : " of this kind", names);
}

const struct snap_form_info *snap_stream_form_at(const char *kind, size_t index)
{
    const struct snap_stream_family *family = snap_stream_family_find(kind);

    if (family == NULL) {
        return NULL;
    }
    if (index == 0) {
        return &member_form;
    }
    for (const struct snap_stream_form_row *row = family->forms; row != NULL && row->encode != NULL;
         row++) {
        if (--index == 0) {
            return &row->info;
        }
    }
    return NULL;
}

/* The row of a form; NULL, and *is_member true, for the member; NULL, and a message, for none. */
static const struct snap_stream_form_row *find_form(const struct snap_stream_family *family,
                                                    const char *form, bool *is_member,
                                                    struct snap_error *err)
{
    char names[NAMES_BYTES] = "";

    *is_member = strcmp(form, member_form.name) == 0;
    if (*is_member) {
        return NULL;
    }
    add_name(names, member_form.name);
    for (const struct snap_stream_form_row *row = family->forms; row != NULL && row->encode != NULL;
         row++) {
        if (strcmp(row->info.name, form) == 0) {
            return row;
        }
        add_name(names, row->info.name);
    }
    snap_error_set(err, SNAP_INVALID, "stream %s: form %.64s: there is no such form, but %s",
                   family->name, form, names);
    return NULL;
}

enum snap_status snap_stream_export(const struct snap_stream *stream, const char *form,
                                    void **bytes, size_t *size_bytes, struct snap_error *err)
{
    const struct snap_stream_family *family = stream->family;
    bool is_member;
    const struct snap_stream_form_row *row = find_form(family, form, &is_member, err);

    if (is_member) {
        return family->encode(stream->state, bytes, size_bytes, err);
    }
    return row != NULL ? row->encode(stream->state, bytes, size_bytes, err) : SNAP_INVALID;
}

enum snap_status snap_stream_import(struct snap_stream *stream, const char *form, const void *bytes,
                                    size_t size_bytes, struct snap_error *err)
{
    const struct snap_stream_family *family = stream->family;
    bool is_member;
    const struct snap_stream_form_row *row = find_form(family, form, &is_member, err);

    if (is_member) {
        return family->decode(stream->state, bytes, size_bytes, err);
    }
    return row != NULL ? row->decode(stream->state, bytes, size_bytes, err) : SNAP_INVALID;
}

const char *snap_stream_distance_unit(const char *kind, bool plural)
{
    const struct snap_stream_family *family = snap_stream_family_find(kind);

    if (family == NULL) {
        return NULL;
    }
    if (family->unit == NULL) {
        return plural ? "words" : "word";
    }
    return plural ? family->units : family->unit;
}
