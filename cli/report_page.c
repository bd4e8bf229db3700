/* SPDX-License-Identifier: Apache-2.0 */
/* The page around the charts: what runs they are of, where two part, hashes, snapshots, receipts.
 * It has no script, and loads nothing. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <snapstate/snapstate.h>

#include "report.h"

/* A row of a table of snapshots, at most. */
#define ROW_BYTES 300

/* Bytes of the UTF-8 sequence at `text`, 0 when none begins there or it is a control character. */
static size_t sequence(const unsigned char *text)
{
    size_t size = text[0] < 0x80                      ? 1
                  : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                  : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                  : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                      : 0;
    if (size == 0 || text[0] < 0x20 || text[0] == 0x7f)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

void report_write_text(FILE *file, const char *text)
{
    static const char special[] = "&<>\"'";
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t size = sequence(at);
        if (size == 0)
            fputs("\xef\xbf\xbd", file);
        else if (size == 1 && strchr(special, *at))
            fprintf(file, "&#%d;", *at);
        else
            fwrite(at, 1, size, file);
        at += size ? size : 1;
    }
}

/* The name of a run: the last part of its path. */
static void write_name(FILE *file, const char *dir)
{
    size_t end = strlen(dir), begin;
    char name[256];
    while (end > 1 && dir[end - 1] == '/')
        end--;
    for (begin = end; begin > 0 && dir[begin - 1] != '/';)
        begin--;
    snprintf(name, sizeof name, "%.*s", (int)(end - begin), dir + begin);
    report_write_text(file, name);
}

static void write_key(FILE *file, size_t run)
{
    fprintf(file, "<span class=\"key\" style=\"background:var(--c%zu)\"></span>",
            run % REPORT_COLOURS);
}

/* The last finite value of a number, or a dash. */
static void write_last(FILE *file, const struct trn_metrics *metrics, const char *name)
{
    const struct trn_series *series = trn_metrics_find(metrics, name);
    size_t at = series != NULL ? series->count : 0;
    while (at > 0 && !isfinite(series->values[at - 1]))
        at--;
    if (at > 0)
        fprintf(file, "<td class=\"n\">%.4g</td>", series->values[at - 1]);
    else
        fputs("<td class=\"n\">-</td>", file);
}

static bool any_has(const struct report *report, const char *name)
{
    for (size_t i = 0; i < report->count; i++)
        if (trn_metrics_find(report->runs[i].metrics, name) != NULL)
            return true;
    return false;
}

static void write_summary(FILE *file, const struct report *report)
{
    static const char *const shown[] = { "loss", "eval_loss", "accuracy", "eval_accuracy" };
    bool has[sizeof shown / sizeof shown[0]];
    fputs("<h2>Runs</h2>\n<div class=\"wide\"><table class=\"rows\"><thead><tr><th>run</th>"
          "<th>seed</th><th class=\"n\">step</th>", file);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        has[i] = any_has(report, shown[i]);
        if (has[i])
            fprintf(file, "<th class=\"n\">%s</th>", shown[i]);
    }
    fputs("<th>ended</th><th>run hash</th></tr></thead><tbody>\n", file);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_run *run = &report->runs[i];
        fputs("<tr><td>", file);
        write_key(file, i);
        write_name(file, run->dir);
        fputs("</td><td>", file);
        report_write_text(file, run->seeds[0] ? run->seeds : "-");
        fprintf(file, "</td><td class=\"n\">%" PRIu64 "</td>", run->metrics->last_step);
        for (size_t k = 0; k < sizeof shown / sizeof shown[0]; k++)
            if (has[k])
                write_last(file, run->metrics, shown[k]);
        fputs("<td>", file);
        report_write_text(file, run->notes.ended ? run->notes.end_reason : "-");
        fprintf(file, "</td><td><code>run1:%.12s...</code></td></tr>\n", run->metrics->chain);
    }
    fputs("</tbody></table></div>\n", file);
}

static void write_difference(FILE *file, const struct snap_ledger_difference *d,
                             const struct report *report)
{
    fputs("<dl><dt>what</dt><dd>", file);
    report_write_text(file, d->kind);
    fputs(", field <code>", file);
    report_write_text(file, d->field);
    fputs("</code></dd>", file);
    for (int side = 0; side < 2; side++) {
        fputs("<dt>", file);
        write_key(file, (size_t)side);
        write_name(file, report->runs[side].dir);
        fputs("</dt><dd><code>", file);
        report_write_text(file, side == 0 ? d->left : d->right);
        fputs("</code></dd>", file);
    }
    fputs("</dl>\n", file);
}

static void write_parting(FILE *file, const struct report *report)
{
    const struct trn_parting *parting = &report->parting;
    fputs("<section class=\"part\"><h2>Where they part</h2>\n", file);
    if (parting->begin_apart) {
        fputs("<p>The two runs are set up differently", file);
        if (strcmp(report->runs[0].seeds, report->runs[1].seeds) != 0) {
            fputs(": their seeds are ", file);
            report_write_text(file, report->runs[0].seeds);
            fputs(" and ", file);
            report_write_text(file, report->runs[1].seeds);
        }
        fputs(". Their genesis lines differ first in:</p>\n", file);
        write_difference(file, &parting->genesis, report);
    }
    if (parting->part) {
        fprintf(file, "<p>The first step that differs is <strong>step %" PRIu64 "</strong>; "
                      "%" PRIu64 " step%s before it %s equal. What differs first:</p>\n",
                parting->step.step, parting->steps_equal, parting->steps_equal == 1 ? "" : "s",
                parting->steps_equal == 1 ? "is" : "are");
        write_difference(file, &parting->step, report);
    } else {
        fprintf(file, "<p>All %" PRIu64 " steps that both have are equal.</p>\n",
                parting->steps_equal);
    }
    fputs("</section>\n", file);
}

/* The rows of one kind, the last `most` of them. */
static void write_notes(FILE *file, const struct trn_run_notes *notes, enum trn_note_kind kind,
                        size_t most)
{
    static const struct {
        const char *title, *detail, *hash;
    } texts[] = {
        [TRN_NOTE_SAVE] = { "Snapshots", "file", "snapshot hash" },
        [TRN_NOTE_FAILURE] = { "Capsules", "file", "hash" },
        [TRN_NOTE_RESTORE] = { "Receipts of restores", "tier", "restored from" },
    };
    size_t count = 0, left_out = 0;
    for (size_t i = 0; i < notes->count; i++)
        count += notes->notes[i].kind == kind;
    if (count == 0)
        return;
    left_out = count > most ? count - most : 0;
    fprintf(file, "<h3>%s: %zu</h3>\n", texts[kind].title, count);
    if (left_out > 0)
        fprintf(file, "<p class=\"soft\">The last %zu; 'snap list' has all.</p>\n", most);
    fprintf(file, "<div class=\"wide\"><table class=\"rows\"><thead><tr><th class=\"n\">step</th>"
                  "<th>%s</th><th>%s</th><th>time</th></tr></thead><tbody>\n", texts[kind].detail,
            texts[kind].hash);
    for (size_t i = 0; i < notes->count; i++) {
        const struct trn_run_note *note = &notes->notes[i];
        if (note->kind != kind)
            continue;
        if (left_out > 0) {
            left_out--;
            continue;
        }
        fprintf(file, "<tr><td class=\"n\">%" PRIu64 "</td><td>", note->step);
        report_write_text(file, note->detail);
        fputs("</td><td><code>", file);
        report_write_text(file, note->hash);
        fputs("</code></td><td>", file);
        report_write_text(file, note->time);
        fputs("</td></tr>\n", file);
    }
    fputs("</tbody></table></div>\n", file);
}

static void write_details(FILE *file, const struct report *report)
{
    size_t most = REPORT_TABLE_BYTES / ROW_BYTES / report->count / 3;
    fputs("<h2>Hashes, snapshots and receipts</h2>\n<p class=\"soft\">As the ledgers and event "
          "logs have them; 'snap verify RUN' checks them.</p>\n", file);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_run *run = &report->runs[i];
        fprintf(file, "<details%s><summary>", report->count <= 2 ? " open" : "");
        write_key(file, i);
        report_write_text(file, run->dir);
        fprintf(file, "</summary>\n<dl><dt>run hash after step %" PRIu64 "</dt><dd><code>run1:%s"
                      "</code></dd><dt>run id</dt><dd><code>%.16s</code></dd></dl>\n",
                run->metrics->last_step, run->metrics->chain, run->metrics->genesis);
        write_notes(file, &run->notes, TRN_NOTE_SAVE, most);
        write_notes(file, &run->notes, TRN_NOTE_RESTORE, most);
        write_notes(file, &run->notes, TRN_NOTE_FAILURE, most);
        fputs("</details>\n", file);
    }
}

bool report_write_page(FILE *file, const struct report *report)
{
    bool bands = false, good;
    for (size_t i = 0; i < report->count; i++)
        bands = bands || (report->runs[i].group_size > 1 && !report->has_parting);
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          file);
    write_name(file, report->runs[0].dir);
    if (report->count > 1)
        fprintf(file, " and %zu more", report->count - 1);
    fprintf(file, " - snap report</title>\n<style>\n%s</style></head>\n<body><main>\n<h1>",
            report_style);
    if (report->count == 1)
        write_name(file, report->runs[0].dir);
    else
        fprintf(file, "%zu runs", report->count);
    fputs("</h1>\n", file);
    if (report->has_parting)
        write_parting(file, report);
    write_summary(file, report);
    fputs("<h2>Curves</h2>\n", file);
    if (bands)
        fputs("<p class=\"soft\">Runs that differ in their seeds alone are one band: their mean, "
              "and one deviation of the sample on each side. Each run is a thin line.</p>\n", file);
    fputs("<p class=\"soft\">Marks at the foot are snapshots. Where many steps share a column, "
          "their lowest and highest value are drawn.</p>\n", file);
    good = report_write_charts(file, report);
    write_details(file, report);
    fprintf(file, "<p class=\"soft\">Made by snap %s.</p>\n</main></body></html>\n",
            snap_version());
    return good;
}
