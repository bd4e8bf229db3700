/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "view.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_state.h"

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}"
    ".wide{overflow-x:auto}";

/* Between tags and in attributes. Bytes that are no ASCII go as they are: the page is UTF-8, and a
 * browser shows what is none as such. */
static void write_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++)
        if (strchr("&<>\"'", *text) != NULL || iscntrl((unsigned char)*text))
            fprintf(file, "&#%d;", (unsigned char)*text);
        else
            putc(*text, file);
}

/* In a path of an URL; slashes stay. */
static void write_path(FILE *file, const char *text)
{
    for (; *text != '\0'; text++)
        if (isalnum((unsigned char)*text) || strchr("-._~/", *text) != NULL)
            putc(*text, file);
        else
            fprintf(file, "%%%02X", (unsigned char)*text);
}

static void write_row(FILE *file, const struct agn_found *run)
{
    struct agn_run_state state;
    agn_run_state_read(run->dir, &state);
    fputs("<tr><td><a href=\"/runs/", file);
    write_path(file, run->name);
    fputs("/report\">", file);
    write_text(file, run->name);
    fprintf(file, "</a></td><td>%s</td><td class=\"n\">%" PRIu64, agn_run_stage_name(state.stage),
            state.step);
    if (state.last_step > 0)
        fprintf(file, " of %" PRIu64, state.last_step);
    fputs("</td><td>", file);
    if (state.latest[0] != '\0') {
        fputs("<a href=\"/runs/", file);
        write_path(file, run->name);
        fputs("/", file);
        write_path(file, state.latest);
        fputs("\">", file);
        write_text(file, state.latest);
        fputs("</a>", file);
    }
    fputs("</td><td><code>", file);
    write_text(file, state.hash);
    fputs("</code></td></tr>\n", file);
}

char *agn_view_index(struct agn_agent *agent, const struct agn_run_list *list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return NULL;
    fprintf(file,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<title>snap serve</title>\n<style>%s</style></head>\n<body><h1>",
            style);
    write_text(file, agent->root);
    fputs("</h1>\n<div class=\"wide\"><table><thead><tr><th>run</th><th>state</th>"
          "<th class=\"n\">step</th><th>last snapshot</th><th>its hash</th></tr></thead><tbody>\n",
          file);
    for (size_t i = 0; i < list->count; i++)
        write_row(file, &list->runs[i]);
    fprintf(file, "</tbody></table></div>\n<p>%zu runs; <a href=\"/runs\">as JSON</a>, "
                  "<a href=\"/metrics\">for Prometheus</a>.</p>\n</body></html>\n",
            list->count);
    bool good = !ferror(file);
    if (fclose(file) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
