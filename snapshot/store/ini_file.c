/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "store/ini_file.h"

struct piece {
    const char *text;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct piece trim(const char *text, size_t size)
{
    while (size > 0 && is_blank(text[0])) {
        text++;
        size--;
    }
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    return (struct piece){ text, size };
}

static bool equals(struct piece piece, const char *word)
{
    return piece.size == strlen(word) && memcmp(piece.text, word, piece.size) == 0;
}

/* Is the line "[SECTION]"? Words inside are one blank apart. */
static bool is_heading(struct piece line, const char *section)
{
    struct piece name = trim(line.text + 1, line.size - 2);
    size_t at = 0;
    for (size_t i = 0; section[i] != '\0'; i++, at++) {
        if (at >= name.size)
            return false;
        if (section[i] == ' ' && is_blank(name.text[at])) {
            while (at + 1 < name.size && is_blank(name.text[at + 1]))
                at++;
        } else if (section[i] != name.text[at]) {
            return false;
        }
    }
    return at == name.size;
}

bool snap_ini_find(const char *text, size_t size_bytes, const char *section, const char *key,
                   const char **value, size_t *value_bytes)
{
    bool inside = false;
    bool found = false;
    while (size_bytes > 0) {
        const char *newline = memchr(text, '\n', size_bytes);
        size_t length = newline != NULL ? (size_t)(newline - text) : size_bytes;
        struct piece line = trim(text, length);
        bool indented = length > 0 && is_blank(text[0]);
        const char *equal = line.size > 0 ? memchr(line.text, '=', line.size) : NULL;
        text += length + (newline != NULL);
        size_bytes -= length + (newline != NULL);
        if (line.size == 0 || indented || line.text[0] == '#' || line.text[0] == ';')
            continue;
        if (line.text[0] == '[' && line.text[line.size - 1] == ']' && line.size >= 2) {
            inside = is_heading(line, section);
        } else if (inside && equal != NULL &&
                   equals(trim(line.text, (size_t)(equal - line.text)), key)) {
            struct piece right =
                trim(equal + 1, (size_t)(line.text + line.size - equal - 1));
            found = right.size > 0;
            *value = right.text;
            *value_bytes = right.size;
        }
    }
    return found;
}
