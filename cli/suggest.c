/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "suggest.h"

/* Longer names are not compared: no command or option comes near. */
#define LONGEST 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two words: the optimal string alignment distance. */
static size_t distance(const char *left, const char *right)
{
    size_t rows = strlen(left), columns = strlen(right);
    size_t d[LONGEST + 1][LONGEST + 1];

    for (size_t i = 0; i <= rows; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= columns; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        for (size_t j = 1; j <= columns; j++) {
            size_t changed = d[i - 1][j - 1] + (left[i - 1] != right[j - 1]);
            d[i][j] = least(changed, 1 + least(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[rows][columns];
}

const char *cmd_nearer(const char *typed, const char *best, const char *name)
{
    size_t length = strlen(name), allowed = length < 6 ? 1 : length / 3;

    if (strlen(typed) > LONGEST || length > LONGEST || distance(typed, name) > allowed)
        return best;
    return best && distance(typed, best) <= distance(typed, name) ? best : name;
}
