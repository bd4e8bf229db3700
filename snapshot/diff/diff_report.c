/* SPDX-License-Identifier: Apache-2.0 */
/* The list of differences, and its two texts. */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/text.h"
#include "diff/diff_internal.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"

struct snap_diff {
    struct snap_diff_entry *entries;
    json_t **details; /* of each entry; NULL: none */
    size_t count;
    struct snap_buffer json;
    struct snap_buffer text;
};

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "differences: out of memory");
}

enum snap_status snap_diff_new(struct snap_diff **diff, struct snap_error *err)
{
    *diff = calloc(1, sizeof **diff);
    return *diff != NULL ? SNAP_OK : no_memory(err);
}

void snap_diff_free(struct snap_diff *diff)
{
    if (diff == NULL)
        return;
    for (size_t i = 0; i < diff->count; i++) {
        free((char *)(uintptr_t)diff->entries[i].name);
        free((char *)(uintptr_t)diff->entries[i].text);
        json_decref(diff->details[i]);
    }
    free(diff->entries);
    free(diff->details);
    snap_buffer_release(&diff->json);
    snap_buffer_release(&diff->text);
    free(diff);
}

enum snap_status snap_diff_add(struct snap_diff *diff, struct snap_error *err, const char *kind,
                               const char *name, json_t *detail, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    snap_text_clean_format(text, sizeof text, format, arguments); /* names may be hostile */
    va_end(arguments);
    void *entries = snap_array_grow(diff->entries, diff->count, sizeof *diff->entries);
    if (entries != NULL)
        diff->entries = entries;
    void *details = snap_array_grow(diff->details, diff->count, sizeof *diff->details);
    if (details != NULL)
        diff->details = details;
    char *name_copy = strdup(name);
    char *text_copy = strdup(text);
    if (entries == NULL || details == NULL || name_copy == NULL || text_copy == NULL) {
        free(name_copy);
        free(text_copy);
        json_decref(detail);
        return no_memory(err);
    }
    diff->entries[diff->count] =
        (struct snap_diff_entry){ sizeof *diff->entries, kind, name_copy, text_copy };
    diff->details[diff->count++] = detail;
    return SNAP_OK;
}

static enum snap_status make_json(struct snap_diff *diff, json_t *head, struct snap_error *err)
{
    json_t *list = json_array();
    enum snap_status status = snap_json_set(head, "differences", list, err);
    if (status == SNAP_OK)
        status = snap_json_set(head, "equal", json_boolean(diff->count == 0), err);
    if (status == SNAP_OK)
        status = snap_json_set(head, "format", json_string("snap-diff-1"), err);
    for (size_t i = 0; status == SNAP_OK && i < diff->count; i++) {
        const struct snap_diff_entry *entry = &diff->entries[i];
        json_t *object = json_pack("{s:s, s:s, s:s, s:O*}", "kind", entry->kind, "name",
                                   entry->name, "text", entry->text, "detail", diff->details[i]);
        status = snap_json_append(list, object, err);
    }
    if (status == SNAP_OK)
        status = snap_json_encode(head, &diff->json, err);
    return status;
}

enum snap_status snap_diff_finish(struct snap_diff *diff, json_t *head, const char *equal,
                                  struct snap_error *err)
{
    enum snap_status status = head == NULL ? no_memory(err) : make_json(diff, head, err);
    json_decref(head);
    if (status == SNAP_OK && diff->count == 0)
        status = snap_buffer_appendf(&diff->text, err, "%s\n", equal);
    for (size_t i = 0; status == SNAP_OK && i < diff->count; i++)
        status = snap_buffer_appendf(&diff->text, err, "%-8s %s\n", diff->entries[i].kind,
                                     diff->entries[i].text);
    return status;
}

size_t snap_diff_count(const struct snap_diff *diff)
{
    return diff == NULL ? 0 : diff->count;
}

const struct snap_diff_entry *snap_diff_at(const struct snap_diff *diff, size_t index)
{
    return diff == NULL || index >= diff->count ? NULL : &diff->entries[index];
}

const char *snap_diff_json(const struct snap_diff *diff)
{
    return (const char *)diff->json.data;
}

const char *snap_diff_text(const struct snap_diff *diff)
{
    return (const char *)diff->text.data;
}
