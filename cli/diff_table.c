/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff_table.h"
#include "output.h"

enum { MAX_COLUMNS = 4 };

/* One line of a table: the texts of its columns, and what it is ordered by. */
struct row {
    char *cells[MAX_COLUMNS]; /* owned; NULL from the first that is not used on */
    /* Larger ones come first: not comparable at all, distance, count. */
    uint64_t keys[3];
    size_t nth; /* as found, where all keys are equal */
};

struct table {
    const char *titles[MAX_COLUMNS];
    struct row *rows;
    size_t count;
    bool failed; /* memory was out */
};

static void table_release(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        for (int c = 0; c < MAX_COLUMNS; c++)
            free(table->rows[i].cells[c]);
    free(table->rows);
}

/* `cells` ends with NULL, after MAX_COLUMNS texts at most. */
static struct row *add_row(struct table *table, const char *const *cells)
{
    struct row *rows = realloc(table->rows, (table->count + 1) * sizeof *rows);
    struct row *row;
    if (rows == NULL) {
        table->failed = true;
        return NULL;
    }
    table->rows = rows;
    row = &rows[table->count++];
    *row = (struct row){ .nth = table->count };
    for (int c = 0; c < MAX_COLUMNS && cells[c]; c++) {
        row->cells[c] = strdup(cells[c]);
        table->failed |= row->cells[c] == NULL;
    }
    return row;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    for (int k = 0; k < 3; k++)
        if (a->keys[k] != b->keys[k])
            return a->keys[k] > b->keys[k] ? -1 : 1;
    return a->nth < b->nth ? -1 : 1;
}

static int width_of(const struct table *table, int column)
{
    size_t width = table->titles[column] ? strlen(table->titles[column]) : 0;
    for (size_t i = 0; i < table->count; i++) {
        const char *cell = table->rows[i].cells[column];
        if (cell && strlen(cell) > width)
            width = strlen(cell);
    }
    return width < 60 ? (int)width : 60;
}

static void print_cells(const char *indent, const char *const cells[MAX_COLUMNS],
                        const int widths[MAX_COLUMNS])
{
    char line[4096];
    size_t at = (size_t)snprintf(line, sizeof line, "%s", indent);
    for (int c = 0; c < MAX_COLUMNS && cells[c] && at < sizeof line; c++)
        at += (size_t)snprintf(line + at, sizeof line - at, "%-*s  ", widths[c], cells[c]);
    if (at >= sizeof line)
        at = sizeof line - 1;
    while (at > 0 && line[at - 1] == ' ')
        at--;
    line[at] = '\0';
    cmd_print_line("%s", line);
}

static void print_table(struct table *table)
{
    int widths[MAX_COLUMNS];
    if (table->count == 0 || table->failed)
        return;
    qsort(table->rows, table->count, sizeof *table->rows, compare_rows);
    for (int c = 0; c < MAX_COLUMNS; c++)
        widths[c] = width_of(table, c);
    widths[0] += 2; /* the titles are not indented, and the rows are */
    print_cells("", table->titles, widths);
    widths[0] -= 2;
    for (size_t i = 0; i < table->count; i++)
        print_cells("  ", (const char *const *)table->rows[i].cells, widths);
}

/* ---- reading the document ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* An integer, or its digits in a string. */
static uint64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10);
    return (uint64_t)json_integer_value(value);
}

static bool is_kind(const json_t *entry, const char *kind)
{
    return strcmp(text_of(entry, "kind"), kind) == 0;
}

/* What an entry's text says after "stream python: ". */
static const char *rest_of_text(const json_t *entry)
{
    const char *text = text_of(entry, "text");
    const char *end = strstr(text, ": ");
    return end ? end + 2 : text;
}

/* ---- a table for each kind ---- */

static void add_key(struct table *table, const json_t *name, const json_t *values)
{
    const char *cells[] = { json_string_value(name), text_of(values, "left"),
                            text_of(values, "right"), NULL };
    add_row(table, cells);
}

static void add_stream(struct table *table, const json_t *entry)
{
    const char *cells[] = { text_of(entry, "name"), rest_of_text(entry), NULL };
    const json_t *words = json_object_get(json_object_get(entry, "detail"), "words");
    struct row *row = add_row(table, cells);
    if (!row)
        return;
    row->keys[0] = words == NULL;
    row->keys[1] = (uint64_t)llabs(json_integer_value(words));
}

static void add_tensor(struct table *table, const json_t *entry)
{
    const json_t *detail = json_object_get(entry, "detail");
    const bool is_float = json_object_get(detail, "max_ulp") != NULL;
    const bool is_integer = json_object_get(detail, "max_difference") != NULL;
    const char *name = text_of(entry, "name");
    char differing[64], apart[80] = "", first[512];
    struct row *row;
    if (!detail) {
        row = add_row(table, (const char *[]){ name, "", "", rest_of_text(entry), NULL });
    } else {
        uint64_t pairs = number_of(detail, "nan_pairs");
        snprintf(differing, sizeof differing, "%" PRIu64 " of %" PRIu64,
                 number_of(detail, "differing"), number_of(detail, "elements"));
        if (pairs > 0)
            snprintf(apart, sizeof apart, "%" PRIu64 " NaN, %" PRIu64 " ulp", pairs,
                     number_of(detail, "max_ulp"));
        else if (is_float)
            snprintf(apart, sizeof apart, "%" PRIu64 " ulp", number_of(detail, "max_ulp"));
        else if (is_integer)
            snprintf(apart, sizeof apart, "%" PRIu64, number_of(detail, "max_difference"));
        snprintf(first, sizeof first, "%s: %s and %s", text_of(detail, "index"),
                 text_of(detail, "left"), text_of(detail, "right"));
        row = add_row(table, (const char *[]){ name, differing, apart, first, NULL });
    }
    if (!row)
        return;
    row->keys[0] = !detail ? 2 : number_of(detail, "nan_pairs") > 0;
    row->keys[1] = is_float ? number_of(detail, "max_ulp") : number_of(detail, "max_difference");
    row->keys[2] = number_of(detail, "differing");
}

static void add_text(struct table *table, const json_t *entry)
{
    add_row(table, (const char *[]){ text_of(entry, "text"), NULL });
}

/* ---- the tables in their order ---- */

enum { LEDGER, CONFIG, ENVIRONMENT, DATA, STREAMS, FLOATS, OTHERS, REST, TABLES };

static void add_entry(struct table tables[TABLES], const json_t *entry)
{
    const json_t *detail = json_object_get(entry, "detail");
    if (is_kind(entry, "ledger"))
        add_text(&tables[LEDGER], entry);
    else if (is_kind(entry, "config") || is_kind(entry, "profile"))
        add_key(&tables[CONFIG], json_object_get(entry, "name"), detail);
    else if (is_kind(entry, "data"))
        add_text(&tables[DATA], entry);
    else if (is_kind(entry, "stream"))
        add_stream(&tables[STREAMS], entry);
    else if (is_kind(entry, "tensor"))
        add_tensor(&tables[detail && json_object_get(detail, "max_ulp") ? FLOATS : OTHERS], entry);
    else
        add_text(&tables[REST], entry);
}

static void print_snapshots(const json_t *document)
{
    const json_t *snapshots = json_object_get(document, "snapshots");
    if (!json_is_object(snapshots))
        return;
    cmd_print_line("snapshots of step %" PRIu64 ", the first from there on that both have%s",
                   number_of(snapshots, "step"),
                   json_is_true(json_object_get(snapshots, "equal")) ? ", are equal" : ":");
}

enum snap_status cmd_print_diff(const json_t *document, struct snap_error *err)
{
    struct table tables[TABLES] = {
        [LEDGER] = { .titles = { "ledgers" } },
        [CONFIG] = { .titles = { "config and binding", "left", "right" } },
        [ENVIRONMENT] = { .titles = { "environment", "left", "right" } },
        [DATA] = { .titles = { "data" } },
        [STREAMS] = { .titles = { "streams", "distance" } },
        [FLOATS] = { .titles = { "tensors of floats", "differ", "largest", "first" } },
        [OTHERS] = { .titles = { "other tensors", "differ", "largest", "first" } },
        [REST] = { .titles = { "values and extras" } },
    };
    bool failed = false;
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(document, "differences"), i, entry) {
        add_entry(tables, entry);
    }
    json_array_foreach(json_object_get(document, "environment"), i, entry) {
        add_key(&tables[ENVIRONMENT], json_object_get(entry, "name"), entry);
    }
    for (int t = 0; t < TABLES; t++) {
        if (t == CONFIG)
            print_snapshots(document);
        print_table(&tables[t]);
        failed |= tables[t].failed;
        table_release(&tables[t]);
    }
    return failed ? snap_error_set(err, SNAP_NO_MEMORY, "diff: no memory for its tables") : SNAP_OK;
}
