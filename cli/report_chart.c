/* SPDX-License-Identifier: Apache-2.0 */
/* Curves as SVG. A chart has a column for each pixel of a wide screen; of the values that fall into
 * a column the lowest and the highest are kept, in the order in which they came, so that no spike
 * is lost. Lines are drawn in units of columns and of a thousandth of the height, and stretched by
 * the browser; letters stand beside them as text, and keep their size on a phone. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/statistics.h"
#include "report.h"

#define HEIGHT 1000
/* Curves of so few points are drawn with them. */
#define DOTS_MOST 60
/* Columns of all curves together: each has at most two points, of at most 12 bytes ("l1 -1000" and
 * less). */
#define CURVE_COLUMNS (REPORT_CURVE_BYTES / 24)

struct chart {
    const struct report *report;
    const char *name;
    size_t columns;
    uint64_t first_step, last_step; /* of all runs */
    double low, high;               /* of what is drawn */
};

/* What a run has in a column. */
struct column {
    size_t count; /* finite values */
    double low, high, sum;
    bool low_first;
};

static const char *const wanted_first[] = { "loss", "eval_loss", "accuracy", "eval_accuracy",
                                            "grad_norm", "lr" };

static size_t column_of(const struct chart *chart, uint64_t step)
{
    uint64_t span = chart->last_step - chart->first_step;
    if (span == 0)
        return 0;
    return (size_t)((double)(step - chart->first_step) / (double)span *
                    (double)(chart->columns - 1));
}

static long height_of(const struct chart *chart, double value)
{
    double share = (value - chart->low) / (chart->high - chart->low);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return lround(HEIGHT * (1 - share));
}

static void fill_columns(const struct chart *chart, const struct trn_series *series,
                         struct column *columns)
{
    memset(columns, 0, chart->columns * sizeof *columns);
    for (size_t i = 0; series != NULL && i < series->count; i++) {
        struct column *c = &columns[column_of(chart, series->steps[i])];
        double value = series->values[i];
        if (!isfinite(value))
            continue;
        if (c->count == 0) {
            c->low = c->high = value;
        } else if (value < c->low) {
            c->low = value;
            c->low_first = false;
        } else if (value > c->high) {
            c->high = value;
            c->low_first = true;
        }
        c->sum += value;
        c->count++;
    }
}

/* A pen that writes SVG path data, relative to where it stands. */
struct pen {
    FILE *file;
    long x, y;
    bool down;
};

static void pen_to(struct pen *pen, long x, long y)
{
    if (!pen->down)
        fprintf(pen->file, "M%ld %ld", x, y);
    else
        fprintf(pen->file, "l%ld %ld", x - pen->x, y - pen->y);
    pen->x = x;
    pen->y = y;
    pen->down = true;
}

static void draw_curve(FILE *file, const struct chart *chart, const struct column *columns,
                       size_t run, bool thin)
{
    struct pen pen = { .file = file };
    size_t points = 0;
    fprintf(file, "<path class=\"%s\" stroke=\"var(--c%zu)\" d=\"", thin ? "thin" : "run",
            run % REPORT_COLOURS);
    for (size_t i = 0; i < chart->columns; i++) {
        const struct column *c = &columns[i];
        if (c->count == 0)
            continue;
        points += c->count;
        pen_to(&pen, (long)i, height_of(chart, c->low_first ? c->low : c->high));
        if (c->low != c->high)
            pen_to(&pen, (long)i, height_of(chart, c->low_first ? c->high : c->low));
    }
    fputs("\"/>\n", file);
    if (thin || points > DOTS_MOST)
        return;
    fprintf(file, "<path class=\"dot\" stroke=\"var(--c%zu)\" d=\"", run % REPORT_COLOURS);
    for (size_t i = 0; i < chart->columns; i++)
        if (columns[i].count > 0)
            fprintf(file, "M%zu %ldh0", i, height_of(chart, columns[i].sum /
                                                                (double)columns[i].count));
    fputs("\"/>\n", file);
}

/* The mean over the runs of a group, and one deviation of the sample on each side of it. `columns`
 * are of all runs; `values` has room for one of each. */
static void draw_band(FILE *file, const struct chart *chart, const struct column *columns,
                      size_t group, double *values, struct trn_summary *summaries)
{
    const struct report *report = chart->report;
    struct pen pen = { .file = file };
    for (size_t i = 0; i < chart->columns; i++) {
        size_t count = 0;
        for (size_t run = 0; run < report->count; run++) {
            const struct column *c = &columns[run * chart->columns + i];
            if (report->runs[run].group == group && c->count > 0)
                values[count++] = c->sum / (double)c->count;
        }
        summaries[i].count = 0;
        if (count >= 2)
            trn_summarize(values, count, 0, &summaries[i]);
    }
    fprintf(file, "<path class=\"band\" style=\"fill:var(--c%zu)\" d=\"", group % REPORT_COLOURS);
    for (size_t i = 0; i < chart->columns; i++)
        if (summaries[i].count > 0)
            pen_to(&pen, (long)i, height_of(chart, summaries[i].mean + summaries[i].deviation));
    for (size_t i = chart->columns; i-- > 0;)
        if (summaries[i].count > 0)
            pen_to(&pen, (long)i, height_of(chart, summaries[i].mean - summaries[i].deviation));
    fprintf(file, "%s\"/>\n<path class=\"mean\" stroke=\"var(--c%zu)\" d=\"", pen.down ? "z" : "",
            group % REPORT_COLOURS);
    pen.down = false;
    for (size_t i = 0; i < chart->columns; i++)
        if (summaries[i].count > 0)
            pen_to(&pen, (long)i, height_of(chart, summaries[i].mean));
    fputs("\"/>\n", file);
}

/* The distance of about five lines over `span`: 1, 2 or 5 times a power of ten. */
static double nice_distance(double span)
{
    double power = pow(10, floor(log10(span / 4)));
    double factor = span / 4 / power;
    return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

/* Lines of the grid and their letters; the latter go to `labels`. */
static void draw_grid(FILE *file, FILE *labels, const struct chart *chart)
{
    double distance = nice_distance(chart->high - chart->low);
    fputs("<path class=\"grid\" d=\"", file);
    for (double at = ceil(chart->low / distance); at * distance <= chart->high; at++) {
        long y = height_of(chart, at * distance);
        fprintf(file, "M0 %ldH%zu", y, chart->columns - 1);
        fprintf(labels, "<span class=\"y\" style=\"top:%.1f%%\">%.4g</span>",
                (double)y * 100 / HEIGHT, at == 0 ? 0.0 : at * distance);
    }
    fputs("\"/>\n", file);
    for (int quarter = 0; quarter <= 4; quarter += 2) {
        uint64_t step = quarter == 0   ? chart->first_step
                        : quarter == 4 ? chart->last_step
                                       : chart->first_step +
                                             (chart->last_step - chart->first_step) / 2;
        fprintf(labels, "<span class=\"x%s\" style=\"left:%d%%\">%s%" PRIu64 "</span>",
                quarter == 0 ? " first" : quarter == 4 ? " last" : "", quarter * 25,
                quarter == 0 ? "step " : "", step);
    }
}

/* A mark at the foot for each column in which a run took a snapshot. */
static void draw_snapshots(FILE *file, const struct chart *chart, bool *marked)
{
    memset(marked, 0, chart->columns * sizeof *marked);
    for (size_t run = 0; run < chart->report->count; run++) {
        const struct trn_run_notes *notes = &chart->report->runs[run].notes;
        for (size_t i = 0; i < notes->count; i++)
            if (notes->notes[i].kind == TRN_NOTE_SAVE &&
                notes->notes[i].step >= chart->first_step &&
                notes->notes[i].step <= chart->last_step)
                marked[column_of(chart, notes->notes[i].step)] = true;
    }
    fputs("<path class=\"mark\" d=\"", file);
    for (size_t i = 0; i < chart->columns; i++)
        if (marked[i])
            fprintf(file, "M%zu %dv-30", i, HEIGHT);
    fputs("\"/>\n", file);
}

/* Lowest and highest finite value; false: there is none. */
static bool find_range(struct chart *chart)
{
    bool found = false;
    for (size_t run = 0; run < chart->report->count; run++) {
        const struct trn_series *series =
            trn_metrics_find(chart->report->runs[run].metrics, chart->name);
        for (size_t i = 0; series != NULL && i < series->count; i++) {
            double value = series->values[i];
            if (!isfinite(value))
                continue;
            chart->low = !found || value < chart->low ? value : chart->low;
            chart->high = !found || value > chart->high ? value : chart->high;
            found = true;
        }
    }
    if (found) {
        double room = (chart->high - chart->low) / 40; /* for the width of a line */
        if (room == 0)
            room = chart->low == 0 ? 1 : fabs(chart->low) / 2;
        chart->low -= room;
        chart->high += room;
    }
    return found;
}

static bool draw(FILE *file, struct chart *chart)
{
    const struct report *report = chart->report;
    struct column *columns = calloc(report->count * chart->columns, sizeof *columns);
    struct trn_summary *summaries = calloc(chart->columns, sizeof *summaries);
    double *values = calloc(report->count, sizeof *values);
    bool *marked = calloc(chart->columns, sizeof *marked);
    char *labels = NULL;
    size_t labels_size = 0;
    FILE *labels_file = open_memstream(&labels, &labels_size);
    bool good = columns && summaries && values && marked && labels_file;
    if (!good)
        goto out;
    fputs("<figure><figcaption>", file);
    report_write_text(file, chart->name);
    fputs("</figcaption>\n<div class=\"plot\"><svg role=\"img\" preserveAspectRatio=\"none\" "
          "aria-label=\"", file);
    report_write_text(file, chart->name);
    fprintf(file, " over steps %" PRIu64 " to %" PRIu64 ", from %.4g to %.4g\" viewBox=\"0 0 %zu "
                  "%d\">\n", chart->first_step, chart->last_step, chart->low, chart->high,
            chart->columns - 1, HEIGHT);
    draw_grid(file, labels_file, chart);
    for (size_t run = 0; run < report->count; run++) {
        struct column *own = columns + run * chart->columns;
        fill_columns(chart, trn_metrics_find(report->runs[run].metrics, chart->name), own);
        draw_curve(file, chart, own, run,
                   report->runs[report->runs[run].group].group_size > 1 && !report->has_parting);
    }
    for (size_t run = 0; run < report->count; run++)
        if (report->runs[run].group_size > 1 && !report->has_parting)
            draw_band(file, chart, columns, run, values, summaries);
    draw_snapshots(file, chart, marked);
    good = fclose(labels_file) == 0;
    labels_file = NULL;
    if (good)
        fprintf(file, "</svg>%s</div></figure>\n", labels);
out:
    if (labels_file != NULL)
        fclose(labels_file); /* memory is out already */
    free(labels);
    free(columns);
    free(summaries);
    free(values);
    free(marked);
    return good;
}

/* The names of all numbers of all runs, the most wanted first. */
static size_t collect_names(const struct report *report, const char **names, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof wanted_first / sizeof wanted_first[0]; i++)
        for (size_t run = 0; run < report->count; run++)
            if (trn_metrics_find(report->runs[run].metrics, wanted_first[i]) != NULL) {
                names[count++] = wanted_first[i];
                break;
            }
    for (size_t run = 0; run < report->count; run++) {
        const struct trn_metrics *metrics = report->runs[run].metrics;
        for (size_t i = 0; i < metrics->series_count; i++) {
            const char *name = metrics->series[i].name;
            bool known = false;
            for (size_t k = 0; k < count && !known; k++)
                known = strcmp(names[k], name) == 0;
            /* the share is shown */
            known = known || (strcmp(name, "eval_correct") == 0 &&
                              trn_metrics_find(metrics, "eval_accuracy") != NULL);
            if (!known && count < most)
                names[count++] = name;
        }
    }
    return count;
}

bool report_write_charts(FILE *file, const struct report *report)
{
    const char *names[REPORT_CHARTS_MOST];
    struct chart chart = { .report = report, .first_step = UINT64_MAX };
    size_t count = collect_names(report, names, REPORT_CHARTS_MOST);
    bool good = true;
    for (size_t run = 0; run < report->count; run++) {
        const struct trn_metrics *metrics = report->runs[run].metrics;
        for (size_t i = 0; i < metrics->series_count; i++)
            if (metrics->series[i].steps[0] < chart.first_step)
                chart.first_step = metrics->series[i].steps[0];
        if (metrics->last_step > chart.last_step)
            chart.last_step = metrics->last_step;
    }
    if (count == 0)
        return true;
    /* With many runs first columns are saved, and then charts. */
    if (count > CURVE_COLUMNS / REPORT_COLUMNS_LEAST / report->count)
        count = CURVE_COLUMNS / REPORT_COLUMNS_LEAST / report->count;
    chart.columns = CURVE_COLUMNS / (report->count * count);
    if (chart.columns > REPORT_COLUMNS_MOST)
        chart.columns = REPORT_COLUMNS_MOST;
    fputs("<div class=\"charts\">\n", file);
    for (size_t i = 0; i < count && good; i++) {
        chart.name = names[i];
        if (find_range(&chart))
            good = draw(file, &chart);
    }
    fputs("</div>\n", file);
    return good;
}
