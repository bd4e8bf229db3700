/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "op_golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "golden_file.h"

void op_golden_hash(const struct op_words *words, char hex[65])
{
    /* Hosts are little-endian; configure says so. */
    golden_hash(words->words, words->count * sizeof(words->words[0]), hex);
}

void op_golden_check(const struct op_case *op_case, struct trn_backend *backend,
                     struct op_words *words, const char *where)
{
    char hex[65], kept[65];
    op_case_run(op_case, backend, words);
    op_golden_hash(words, hex);
    golden_find("goldens.txt", op_case->name, kept);
    if (strcmp(hex, kept) != 0) {
        struct op_words wanted = { 0 };
        size_t k = 0;
        op_case_run(op_case, NULL, &wanted);
        while (k < wanted.count && wanted.words[k] == words->words[k]) {
            k++;
        }
        fail_msg("%s: %s: word %zu of %zu is %08x, the oracle has %08x", where, op_case->name, k,
                 wanted.count, k < words->count ? words->words[k] : 0,
                 k < wanted.count ? wanted.words[k] : 0);
    }
}
