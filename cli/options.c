/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/pool.h>
#include <snapstate/receipt.h>
#include <snapstate/snapstate.h>

#include "options.h"
#include "suggest.h"

/* Most options of a command: a bound for the table that argp gets. */
#define MOST_OPTIONS 32

/* Keys that argp gives back: 'h' and 'o', the options with a letter, or the place in the table that
 * argp gets. */
#define FIRST_KEY 0x100

/* The options that every command has, behind its own. */
static const struct cmd_option common_options[] = {
    { "json", NULL, CMD_OPTION_FLAG, 0, false, "print one JSON document, also for a failure" },
    { "help", NULL, CMD_OPTION_FLAG, 0, false, "print this help" },
    { "version", NULL, CMD_OPTION_FLAG, 0, false, "print the version" },
    { NULL, NULL, CMD_OPTION_FLAG, 0, false, NULL },
};

/* A parse under way: also what argp hands to parse_one. */
struct parse {
    const struct cmd_command *command;
    char *arguments;
    size_t operands;      /* that were given */
    bool *json;
    enum cmd_request *request;
    bool given[MOST_OPTIONS];
    bool failed;          /* err is written */
    struct snap_error *err;
};

static size_t option_count(const struct cmd_option *options)
{
    size_t count = 0;

    while (options[count].name)
        count++;
    return count;
}

/* The option at `index` of the command's table with the common ones behind it; NULL past it. */
static const struct cmd_option *option_at(const struct cmd_command *command, size_t index)
{
    size_t own = option_count(command->options);

    if (index < own)
        return &command->options[index];
    index -= own;
    return index < option_count(common_options) ? &common_options[index] : NULL;
}

static error_t fail(struct parse *parse, const char *text)
{
    if (!parse->failed)
        snap_error_set(parse->err, SNAP_INVALID, "%s; see '%s %s --help'", text,
                       program_invocation_short_name, parse->command->name);
    parse->failed = true;
    return EINVAL;
}

static bool read_number(const char *text, uint64_t most, uint64_t *value)
{
    uint64_t number = 0;

    if (*text == '\0')
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';
        if (digit > 9 || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

static bool read_tier(const char *text, enum snap_tier *tier)
{
    static const enum snap_tier tiers[] = { SNAP_TIER_EXACT, SNAP_TIER_STREAMS,
                                            SNAP_TIER_WEIGHTS };

    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++) {
        if (strcmp(text, snap_tier_name(tiers[i])) == 0) {
            *tier = tiers[i];
            return true;
        }
    }
    return false;
}

/* Put the value of an option of the command where it belongs. */
static error_t set_option(struct parse *parse, const struct cmd_option *option, const char *value)
{
    void *place = parse->arguments + option->offset;
    struct cmd_number number = { .is_set = true };
    const char *expected = NULL;
    char text[400];

    switch (option->type) {
    case CMD_OPTION_FLAG:
        *(bool *)place = true;
        break;
    case CMD_OPTION_TEXT:
        if (*value == '\0')
            expected = "a name";
        *(const char **)place = value;
        break;
    case CMD_OPTION_NUMBER:
        if (read_number(value, UINT64_MAX, &number.value))
            *(struct cmd_number *)place = number;
        else
            expected = "a whole number below 2^64";
        break;
    case CMD_OPTION_THREADS:
        if (read_number(value, SNAP_POOL_MAX_THREADS, &number.value) && number.value > 0)
            *(unsigned *)place = (unsigned)number.value;
        else
            expected = "a number of threads from 1 to 1024";
        break;
    case CMD_OPTION_TIER:
        if (!read_tier(value, place))
            expected = "exact, streams or weights";
        break;
    }
    if (expected == NULL)
        return 0;
    snprintf(text, sizeof text, "--%s: '%.200s' is not %s", option->name, value, expected);
    return fail(parse, text);
}

static bool is_list(const struct cmd_operand *operand)
{
    size_t length = strlen(operand->name);

    return length > 3 && strcmp(operand->name + length - 3, "...") == 0;
}

static error_t set_list(struct parse *parse, const struct cmd_operand *operand, const char *value)
{
    struct cmd_list *list = (void *)(parse->arguments + operand->offset);
    char text[400];

    if (list->count == CMD_LIST_MOST) {
        snprintf(text, sizeof text, "%s: more than %d", operand->name, CMD_LIST_MOST);
        return fail(parse, text);
    }
    list->items[list->count++] = value;
    return 0;
}

static error_t set_operand(struct parse *parse, const char *value)
{
    const struct cmd_operand *operand = &parse->command->operands[parse->operands];
    char text[400];

    if (operand->name == NULL) {
        snprintf(text, sizeof text, "'%.200s': an argument too many", value);
        return fail(parse, text);
    }
    if (*value == '\0') {
        snprintf(text, sizeof text, "%s: an empty name", operand->name);
        return fail(parse, text);
    }
    if (is_list(operand))
        return set_list(parse, operand, value);
    *(const char **)(void *)(parse->arguments + operand->offset) = value;
    parse->operands++;
    return 0;
}

/* Was anything given for it? */
static bool is_given(const struct parse *parse, const struct cmd_operand *operand)
{
    const struct cmd_list *list = (const void *)(parse->arguments + operand->offset);

    return is_list(operand) && list->count > 0;
}

/* The place of the option "output" in the table of the command; MOST_OPTIONS when it has none. */
static size_t output_index(const struct cmd_command *command)
{
    for (size_t i = 0; command->options[i].name; i++)
        if (strcmp(command->options[i].name, "output") == 0)
            return i;
    return MOST_OPTIONS;
}

/* argp stopped at `word`, which it could not read as an option: find out why. */
static error_t explain(struct parse *parse, const char *word)
{
    const char *name = word + strspn(word, "-"), *nearest = NULL;
    const struct cmd_option *option, *meant = NULL;
    size_t length = strcspn(name, "="), alike = 0;
    char typed[64], text[400];

    snprintf(typed, sizeof typed, "%.*s", (int)(length < 60 ? length : 60), name);
    for (size_t i = 0; (option = option_at(parse->command, i)) != NULL; i++) {
        nearest = cmd_nearer(typed, nearest, option->name);
        if (strncmp(option->name, typed, strlen(typed)) != 0)
            continue;
        alike++;
        if (meant == NULL || strcmp(option->name, typed) == 0)
            meant = option;
    }
    if (strncmp(word, "--", 2) == 0 && meant && (alike == 1 || strcmp(meant->name, typed) == 0)) {
        if (meant->value)
            snprintf(text, sizeof text, "--%s: its value %s is missing", meant->name,
                     meant->value);
        else
            snprintf(text, sizeof text, "--%s: it takes no value", meant->name);
    } else if (strncmp(word, "--", 2) == 0 && alike > 1) {
        snprintf(text, sizeof text, "--%s: more than one option begins so", typed);
    } else if (nearest) {
        snprintf(text, sizeof text, "'%.200s': no such option, but there is '--%s'", word,
                 nearest);
    } else {
        snprintf(text, sizeof text, "'%.200s': no such option", word);
    }
    return fail(parse, text);
}

/* The word that argp did not understand: it has gone past it, unless that is one of several short
 * options ("-xh"). */
static const char *culprit(const struct argp_state *state)
{
    const char *word = state->argv[state->next - 1];

    return word[0] == '-' || state->next >= state->argc ? word : state->argv[state->next];
}

static error_t parse_one(int key, char *value, struct argp_state *state)
{
    struct parse *parse = state->input;
    const struct cmd_option *option;
    size_t index;

    switch (key) {
    case 'h':
        *parse->request = CMD_REQUEST_HELP;
        return 0;
    case ARGP_KEY_ARG:
        return set_operand(parse, value);
    case ARGP_KEY_ERROR:
        return parse->failed ? 0 : explain(parse, culprit(state));
    default:
        break;
    }
    if (key == 'o')
        index = output_index(parse->command);
    else if (key >= FIRST_KEY && key < FIRST_KEY + MOST_OPTIONS)
        index = (size_t)(key - FIRST_KEY);
    else
        return ARGP_ERR_UNKNOWN;
    option = option_at(parse->command, index);
    if (index < option_count(parse->command->options)) {
        parse->given[index] = true;
        return set_option(parse, option, value);
    }
    if (strcmp(option->name, "json") == 0)
        *parse->json = true;
    else
        *parse->request = CMD_REQUEST_VERSION;
    return 0;
}

/* The tables as argp wants them. Each option is a group of its own: that keeps our order. */
static void argp_table(const struct cmd_command *command, struct argp_option *table)
{
    const struct cmd_option *option;
    size_t i;

    for (i = 0; i < MOST_OPTIONS && (option = option_at(command, i)) != NULL; i++) {
        bool letter = strcmp(option->name, "help") == 0 || strcmp(option->name, "output") == 0;
        table[i] = (struct argp_option){ .name = option->name,
                                         .key = letter ? option->name[0] : FIRST_KEY + (int)i,
                                         .arg = option->value,
                                         .doc = option->help,
                                         .group = (int)i + 1 };
    }
    table[i] = (struct argp_option){ .name = NULL };
}

static enum snap_status check_required(struct parse *parse)
{
    const struct cmd_command *command = parse->command;
    const struct cmd_operand *operand = &command->operands[parse->operands];
    char text[200];

    if (operand->name && operand->required && !is_given(parse, operand)) {
        snprintf(text, sizeof text, "%s is missing", operand->name);
        fail(parse, text);
        return SNAP_INVALID;
    }
    for (size_t i = 0; command->options[i].name; i++) {
        const struct cmd_option *option = &command->options[i];
        if (option->required && !parse->given[i]) {
            snprintf(text, sizeof text, "--%s %s is missing", option->name, option->value);
            fail(parse, text);
            return SNAP_INVALID;
        }
    }
    return SNAP_OK;
}

enum snap_status cmd_options_parse(const struct cmd_command *command, int argc, char **argv,
                                   void *arguments, bool *json, enum cmd_request *request,
                                   struct snap_error *err)
{
    struct parse parse = { .command = command,
                           .arguments = arguments,
                           .json = json,
                           .request = request,
                           .err = err };
    struct argp_option table[MOST_OPTIONS + 1];
    const struct argp argp = { .options = table, .parser = parse_one };

    argp_table(command, table);
    /* Who reads JSON gets JSON, also about a mistake that stands before --json. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            *json = true;
    if (argp_parse(&argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &parse)) {
        if (!parse.failed)
            fail(&parse, "the options could not be read");
        return SNAP_INVALID;
    }
    return *request == CMD_REQUEST_RUN ? check_required(&parse) : SNAP_OK;
}

/* "ARCHIVE [HASH] --dir DIR": operands, then options that must be given. */
static void synopsis(const struct cmd_command *command, char *text, size_t text_size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; command->operands[i].name && used < text_size; i++) {
        const struct cmd_operand *operand = &command->operands[i];
        used += (size_t)snprintf(text + used, text_size - used,
                                 operand->required ? "%s%s" : "%s[%s]", i ? " " : "",
                                 operand->name);
    }
    for (size_t i = 0; command->options[i].name && used < text_size; i++) {
        const struct cmd_option *option = &command->options[i];
        if (option->required)
            used += (size_t)snprintf(text + used, text_size - used, " --%s %s", option->name,
                                     option->value);
    }
}

void cmd_options_help(const struct cmd_command *command)
{
    struct argp_option table[MOST_OPTIONS + 1];
    char arguments[200], doc[2000], name[200];
    struct argp argp = { .options = table, .parser = parse_one, .args_doc = arguments,
                         .doc = doc };

    argp_table(command, table);
    synopsis(command, arguments, sizeof arguments);
    snprintf(doc, sizeof doc, "%s\vThe manual page %s-%s(1) has examples and the exit codes.",
             command->description, program_invocation_short_name, command->name);
    snprintf(name, sizeof name, "%.100s %s", program_invocation_short_name, command->name);
    argp_help(&argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, name);
}

void cmd_program_help(void)
{
    char arguments[200];

    printf("Usage: %s COMMAND [OPTION...] ARGUMENT...\n"
           "Freeze all that decides the next training step into one hashed archive: save, resume,\n"
           "replay and check a training, bit for bit.\n\n",
           program_invocation_short_name);
    for (size_t i = 0; cmd_table[i]; i++) {
        synopsis(cmd_table[i], arguments, sizeof arguments);
        printf("  %-8s %-21s %s\n", cmd_table[i]->name, arguments, cmd_table[i]->summary);
    }
    printf("\n'%s COMMAND --help' lists the options of a command. Every command takes --json.\n"
           "Exit codes: 0 yes, 1 differs, 2 usage, 3 environment, 4 unsupported, 5 corrupt,\n"
           "6 intact but incomplete, 7 stopped on NaN with a capsule, 70 our bug, 75 stopped by a\n"
           "signal after a snapshot. The manual page %s(1) says more.\n",
           program_invocation_short_name, program_invocation_short_name);
}

void cmd_program_version(void)
{
    printf("snap %s (libsnapstate %s)\n", PACKAGE_VERSION, snap_version());
}
