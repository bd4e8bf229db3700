/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "rng.h"
#include "suggest.h"

/* Options, as bits. */
enum {
    STREAM = 1,
    KIND = 2,
    FORM = 4,
    TO = 8,
    WHAT = 16,
    OUT = 32,
    N = 64,
    SEED = 128,
    LIMIT = 256
};

/* What an action takes. */
static const struct action {
    const char *name;
    const char *operands; /* for messages */
    unsigned least, most; /* of operands */
    unsigned options;
    cmd_rng_action *run;
} actions[] = {
    { "seed", "KIND SEED", 2, 2, TO | OUT, cmd_rng_seed },
    { "draw", "[STATE]", 0, 1, STREAM | KIND | FORM | TO | WHAT | OUT | N | SEED, cmd_rng_draw },
    { "show", "[STATE|KIND]", 0, 1, STREAM | KIND | FORM, cmd_rng_show },
    { "convert", "STATE", 1, 1, STREAM | KIND | FORM | TO | OUT, cmd_rng_convert },
    { "distance", "A B", 2, 2, STREAM | KIND | FORM | LIMIT, cmd_rng_distance },
};
#define ACTIONS (sizeof actions / sizeof actions[0])

bool cmd_rng_read_number(const char *text, uint64_t *value)
{
    uint64_t number = 0;

    if (*text == '\0')
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';
        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

/* The name of an option that was given and is not among those allowed; NULL: there is none. */
static const char *stray_option(const struct cmd_rng_arguments *given, unsigned allowed)
{
    const struct {
        const char *name;
        unsigned bit;
        bool is_given;
    } options[] = {
        { "stream", STREAM, given->stream != NULL }, { "kind", KIND, given->kind != NULL },
        { "form", FORM, given->form != NULL },       { "to", TO, given->to != NULL },
        { "what", WHAT, given->what != NULL },       { "out", OUT, given->out != NULL },
        { "n", N, given->n.is_set },                 { "seed", SEED, given->seed.is_set },
        { "limit", LIMIT, given->limit.is_set },
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].is_given && (options[i].bit & allowed) == 0)
            return options[i].name;
    return NULL;
}

static enum snap_status no_action(const char *name, struct snap_error *err)
{
    const char *nearest = NULL;

    for (size_t i = 0; i < ACTIONS; i++)
        nearest = cmd_nearer(name, nearest, actions[i].name);
    if (nearest)
        return snap_error_set(err, SNAP_INVALID,
                              "'%.64s': no such action, but there is '%s'; see 'snap rng --help'",
                              name, nearest);
    return snap_error_set(err, SNAP_INVALID,
                          "'%.64s': no such action: seed, draw, show, convert or distance; see "
                          "'snap rng --help'", name);
}

static enum snap_status rng(const void *arguments, struct cmd_report *report,
                            struct snap_error *err)
{
    const struct cmd_rng_arguments *given = arguments;
    unsigned operands = (given->first != NULL) + (given->second != NULL);
    const char *stray;

    for (size_t i = 0; i < ACTIONS; i++) {
        const struct action *action = &actions[i];
        if (strcmp(action->name, given->action) != 0)
            continue;
        if (operands < action->least || operands > action->most)
            return snap_error_set(err, SNAP_INVALID,
                                  "rng %s: %u argument%s where %s is wanted; see 'snap rng --help'",
                                  action->name, operands, cmd_plural(operands), action->operands);
        stray = stray_option(given, action->options);
        if (stray)
            return snap_error_set(err, SNAP_INVALID,
                                  "--%s: no option of 'rng %s'; see 'snap rng --help'", stray,
                                  action->name);
        return action->run(given, report, err);
    }
    return no_action(given->action, err);
}

#define PLACE(field) offsetof(struct cmd_rng_arguments, field)

static const struct cmd_option options[] = {
    { "stream", "NAME", CMD_OPTION_TEXT, PLACE(stream), false,
      "the stream of an archive that is meant" },
    { "kind", "KIND", CMD_OPTION_TEXT, PLACE(kind), false, "the kind of the state in a file" },
    { "form", "FORM", CMD_OPTION_TEXT, PLACE(form), false, "the form of the state in a file" },
    { "what", "DRAW", CMD_OPTION_TEXT, PLACE(what), false,
      "what to draw: u32, u64, f32, f64, normal, ...; 'snap rng show KIND' lists a kind's" },
    { "n", "N", CMD_OPTION_NUMBER, PLACE(n), false, "how many numbers to draw [8]" },
    { "seed", "SEED", CMD_OPTION_NUMBER, PLACE(seed), false, "seed before drawing" },
    { "to", "FORM", CMD_OPTION_TEXT, PLACE(to), false, "the form to write [member]" },
    { "out", "FILE", CMD_OPTION_TEXT, PLACE(out), false, "write the state to this file" },
    { "limit", "N", CMD_OPTION_NUMBER, PLACE(limit), false,
      "how far to look for a distance that must be stepped [100000000]" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "ACTION", PLACE(action), true },
    { "A", PLACE(first), false },
    { "B", PLACE(second), false },
    { .name = NULL },
};

const struct cmd_command cmd_rng = {
    .name = "rng",
    .summary = "seed, preview, show, convert, compare streams",
    .description =
        "Work with the states of random generators, without the libraries that they belong to. "
        "'rng seed KIND SEED' writes a state; 'rng draw STATE' prints the numbers that come next; "
        "'rng show STATE' prints the state, 'rng show KIND' what can be drawn and written, 'rng "
        "show' the kinds; 'rng convert STATE --to FORM' writes it in another form; 'rng distance A "
        "B' says how far B is ahead. A STATE is an archive or a run (with --stream NAME), or a "
        "file with a state in a form of its library.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct cmd_rng_arguments),
    .run = rng,
};
