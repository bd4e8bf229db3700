/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `snap report`: what was read of each run, and the page. The same runs give the same
 * page, byte for byte. */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "metrics/run_metrics.h"
#include "process/run_notes.h"
#include "process/run_parting.h"

/* A page of two megabytes at most: so many bytes go to curves, and so many to tables. */
#define REPORT_CURVE_BYTES 1000000
#define REPORT_TABLE_BYTES 500000
/* Columns of a chart: what a wide screen shows. */
#define REPORT_COLUMNS_MOST 800
#define REPORT_COLUMNS_LEAST 60
/* Charts at most; the others are named. */
#define REPORT_CHARTS_MOST 16
/* With so many there is room for a few charts of the least columns. */
#define REPORT_RUNS_MOST 100
/* Colours of curves; the next run begins again. */
#define REPORT_COLOURS 8

struct report_run {
    const char *dir;  /* as it was given; borrowed */
    struct trn_metrics *metrics;
    struct trn_run_notes notes;
    char *config;     /* its training config without seeds: equal ones are a group; owned */
    char seeds[120];  /* "42", or one for each stream; "": not known */
    size_t group;     /* the first run with that config */
    size_t group_size; /* of the group's first run: how many they are; else 0 */
};

struct report {
    struct report_run *runs; /* `count` */
    size_t count;
    bool has_parting; /* there are two runs */
    struct trn_parting parting;
};

/* Read what the page needs of a run; to be released whatever the answer. */
enum snap_status report_read_run(struct report_run *run, const char *dir, bool use_index,
                                 struct snap_error *err);
void report_release_run(struct report_run *run);
/* The page of one run, to be freed with free(). */
enum snap_status report_page_of(const char *dir, char **text, struct snap_error *err);

/* Write the page. An error stays with the stream. False: no memory. */
bool report_write_page(FILE *file, const struct report *report);

/* The charts of all numbers, the most wanted first. False: no memory. */
bool report_write_charts(FILE *file, const struct report *report);

/* Text between tags and in attributes; bytes that are no text become U+FFFD. */
void report_write_text(FILE *file, const char *text);

/* The style sheet, for light and dark. */
extern const char report_style[];

#endif
