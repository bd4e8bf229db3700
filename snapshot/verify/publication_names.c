/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verify/publication_internal.h"

/* Shorter names are found in everything. */
enum { LEAST_NAME_BYTES = 3 };

/* Names that say nothing of anybody. */
static bool is_common(const char *name)
{
    static const char *const common[] = { "root",  "user",   "ubuntu",    "debian", "admin",
                                          "guest", "nobody", "localhost", "snap",   "home",
                                          "data",  "train",  "model" };
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        if (strcmp(name, common[i]) == 0)
            return true;
    return false;
}

static void add(struct snap_publication_names *names, size_t place, const char *what,
                const char *name)
{
    char *to = names->name[place];
    names->what[place] = what;
    to[0] = '\0';
    if (name == NULL || strlen(name) < LEAST_NAME_BYTES || strlen(name) >= sizeof names->name[0])
        return;
    for (size_t i = 0; i <= strlen(name); i++)
        to[i] = (char)tolower((unsigned char)name[i]);
    if (is_common(to) || (strcmp(to, "/root") == 0))
        to[0] = '\0';
}

void snap_publication_names_find(struct snap_publication_names *names)
{
    char host[256] = "";
    char record[4096];
    struct passwd entry, *found = NULL;
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    if (getpwuid_r(getuid(), &entry, record, sizeof record, &found) != 0)
        found = NULL;
    add(names, 0, "this host", host);
    add(names, 1, "this user", found != NULL ? found->pw_name : NULL);
    add(names, 2, "this user", getenv("LOGNAME"));
    add(names, 3, "this user", getenv("USER"));
    add(names, 4, "the home folder", getenv("HOME"));
}

static bool is_word(unsigned char c)
{
    return isalnum(c) != 0;
}

static bool has_word(const char *text, size_t size, const char *word)
{
    const size_t length = strlen(word);
    for (size_t i = 0; length > 0 && i + length <= size; i++) {
        size_t same = 0;
        while (same < length && tolower((unsigned char)text[i + same]) == word[same])
            same++;
        if (same == length && (i == 0 || !is_word((unsigned char)text[i - 1])) &&
            (i + length == size || !is_word((unsigned char)text[i + length])))
            return true;
    }
    return false;
}

enum snap_status snap_publication_names_check(const struct snap_publication_names *names,
                                              const char *where, const char *text,
                                              size_t size_bytes, struct snap_error *err)
{
    for (size_t i = 0; i < sizeof names->name / sizeof names->name[0]; i++)
        if (has_word(text, size_bytes, names->name[i]))
            return snap_error_set(err, SNAP_INVALID,
                                  "publish: %s has \"%s\" in it, the name of %s; it is part of "
                                  "what is hashed and cannot be changed now: train again without "
                                  "it, or publish without --anonymous",
                                  where, names->name[i], names->what[i]);
    return SNAP_OK;
}
