/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "format/limits.h"
#include "format/member_name.h"

/* The kinds in the order of the file. */
static const struct {
    enum snap_member_kind kind;
    const char *word;
    const char *name; /* of the one member of this kind; NULL when it has many */
    bool may_be_withheld;
    bool in_state;
    unsigned long long max_bytes;
} kinds[] = {
    { SNAP_MEMBER_README, "readme", "README", false, false, SNAP_MAX_README_BYTES },
    { SNAP_MEMBER_MANIFEST, "manifest", "manifest.json", false, false, SNAP_MAX_MANIFEST_BYTES },
    { SNAP_MEMBER_STATE_JSON, "state", "state.json", false, true, SNAP_MAX_STATE_JSON_BYTES },
    { SNAP_MEMBER_DATA, "data", "data.json", false, true, SNAP_MAX_DATA_JSON_BYTES },
    { SNAP_MEMBER_STREAM, "stream", NULL, true, true, SNAP_MAX_STREAM_BYTES },
    { SNAP_MEMBER_TENSOR, "tensor", NULL, true, true, SNAP_STORAGE_PART_BYTES },
    { SNAP_MEMBER_EXTRA, "extra", NULL, true, true, SNAP_MAX_MEMBER_BYTES },
    { SNAP_MEMBER_ENVIRONMENT, "environment", "env.json", true, false, SNAP_MAX_ENVIRONMENT_BYTES },
    { SNAP_MEMBER_LEDGER, "ledger", "ledger.jsonl", true, false, SNAP_MAX_LEDGER_BYTES },
    { SNAP_MEMBER_STATE_LISTING, "state_listing", "STATE", false, false, SNAP_MAX_LISTING_BYTES },
    { SNAP_MEMBER_LISTING, "listing", "SHA256SUMS", false, false, SNAP_MAX_LISTING_BYTES },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool are_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

bool snap_name_is_word(const char *text, size_t size_bytes)
{
    if (size_bytes == 0 || !(is_letter_or_digit(text[0]) || text[0] == '_'))
        return false;
    for (size_t i = 1; i < size_bytes; i++)
        if (!is_letter_or_digit(text[i]) && strchr("._-", text[i]) == NULL)
            return false;
    return memchr(text, '\0', size_bytes) == NULL;
}

bool snap_name_is_short_word(const char *text)
{
    size_t length = strlen(text);
    return length <= SNAP_MAX_WORD_BYTES && snap_name_is_word(text, length);
}

bool snap_root_name_is_legal(const char *root)
{
    size_t length = strlen(root);
    return length <= SNAP_MAX_ROOT_NAME_BYTES && snap_name_is_word(root, length);
}

/* shard-NNN, in capitals too: a folder of that name may be there. */
static bool is_shard_folder(const char *text, size_t size_bytes)
{
    return size_bytes == 9 && strncasecmp(text, "shard-", 6) == 0 && are_digits(text + 6, 3);
}

bool snap_stream_name_is_legal(const char *name)
{
    size_t length = strlen(name);
    if (length > SNAP_MAX_MEMBER_NAME_BYTES - strlen("rng/"))
        return false;
    const char *slash = strchr(name, '/');
    if (slash == NULL)
        return snap_name_is_word(name, length) && !is_shard_folder(name, length);
    return is_shard_folder(name, (size_t)(slash - name)) && strncmp(name, "shard-", 6) == 0 &&
           snap_name_is_word(slash + 1, strlen(slash + 1));
}

bool snap_extra_name_is_legal(const char *name)
{
    size_t length = strlen(name);
    return length <= SNAP_MAX_MEMBER_NAME_BYTES - strlen("extra/") &&
           snap_name_is_word(name, length);
}

/* ROOT/NAME, where NAME is a word or "~000000", and "~0000" may follow. */
static bool is_tensor_path(const char *path)
{
    const char *slash = strchr(path, '/');
    if (slash == NULL || (size_t)(slash - path) > SNAP_MAX_ROOT_NAME_BYTES ||
        !snap_name_is_word(path, (size_t)(slash - path)))
        return false;
    const char *name = slash + 1;
    size_t length = strlen(name);
    size_t whole = strlen("tensors/") + strlen(path);
    if (length > 5 && name[length - 5] == '~' && are_digits(name + length - 4, 4)) {
        length -= 5;
        whole -= 5;
    }
    if (whole > SNAP_MAX_STORAGE_NAME_BYTES)
        return false;
    if (length == 7 && name[0] == '~')
        return are_digits(name + 1, 6);
    return snap_name_is_word(name, length);
}

bool snap_member_kind_of(const char *name, enum snap_member_kind *kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].name != NULL && strcmp(kinds[i].name, name) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    if (strncmp(name, "rng/", 4) == 0 && snap_stream_name_is_legal(name + 4))
        *kind = SNAP_MEMBER_STREAM;
    else if (strncmp(name, "tensors/", 8) == 0 && is_tensor_path(name + 8))
        *kind = SNAP_MEMBER_TENSOR;
    else if (strncmp(name, "extra/", 6) == 0 && snap_extra_name_is_legal(name + 6))
        *kind = SNAP_MEMBER_EXTRA;
    else
        return false;
    return true;
}

/* Place in the table, which is the place in the file. */
static size_t kind_index(enum snap_member_kind kind)
{
    size_t i = 0;
    while (i < KINDS && kinds[i].kind != kind)
        i++;
    return i;
}

const char *snap_member_kind_name(enum snap_member_kind kind)
{
    size_t index = kind_index(kind);
    return index < KINDS ? kinds[index].word : NULL;
}

bool snap_member_kind_from_name(const char *word, enum snap_member_kind *kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].word, word) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

int snap_member_compare(const char *left, const char *right)
{
    enum snap_member_kind left_kind;
    enum snap_member_kind right_kind;
    size_t left_index = snap_member_kind_of(left, &left_kind) ? kind_index(left_kind) : KINDS;
    size_t right_index = snap_member_kind_of(right, &right_kind) ? kind_index(right_kind) : KINDS;
    if (left_index != right_index)
        return left_index < right_index ? -1 : 1;
    return strcmp(left, right);
}

bool snap_member_may_be_withheld(enum snap_member_kind kind)
{
    size_t index = kind_index(kind);
    return index < KINDS && kinds[index].may_be_withheld;
}

bool snap_member_is_in_state(enum snap_member_kind kind)
{
    size_t index = kind_index(kind);
    return index < KINDS && kinds[index].in_state;
}

unsigned long long snap_member_max_bytes(enum snap_member_kind kind)
{
    size_t index = kind_index(kind);
    return index < KINDS ? kinds[index].max_bytes : 0;
}

size_t snap_storage_part_count(unsigned long long size)
{
    if (size <= SNAP_STORAGE_PART_BYTES)
        return 1;
    return (size_t)((size - 1) / SNAP_STORAGE_PART_BYTES + 1);
}

size_t snap_storage_part_bytes(unsigned long long size, size_t part)
{
    unsigned long long before = part * SNAP_STORAGE_PART_BYTES;
    unsigned long long left = size > before ? size - before : 0;
    return (size_t)(left < SNAP_STORAGE_PART_BYTES ? left : SNAP_STORAGE_PART_BYTES);
}

void snap_storage_part_name(const char *storage, size_t part_count, size_t part,
                            char name[SNAP_MAX_MEMBER_NAME_BYTES + 1])
{
    if (part_count == 1)
        snprintf(name, SNAP_MAX_MEMBER_NAME_BYTES + 1, "%.*s", SNAP_MAX_STORAGE_NAME_BYTES,
                 storage);
    else
        snprintf(name, SNAP_MAX_MEMBER_NAME_BYTES + 1, "%.*s~%04u", SNAP_MAX_STORAGE_NAME_BYTES,
                 storage, (unsigned)(part % SNAP_MAX_STORAGE_PARTS));
}
