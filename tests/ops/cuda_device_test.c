/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cuda_device_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_file.h"
#include "model_rig.h"
#include "op_cases.h"

static const struct trn_cuda_ways *wanted_ways;

static enum snap_status open_device(const char *isa, struct snap_pool *pool,
                                    struct trn_backend **backend, struct snap_error *err)
{
    const enum snap_status status = trn_device_backend_open(0, pool, backend, err);
    (void)isa;
    if (status == SNAP_OK) {
        trn_cuda_choose(*backend, wanted_ways);
    }
    return status;
}

struct trn_backend *cuda_test_open(struct snap_pool *pool, const struct trn_cuda_ways *ways)
{
    struct trn_backend *backend = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    wanted_ways = ways;
    if (open_device(NULL, pool, &backend, &err) != SNAP_OK) {
        fail_msg("%s", err.text);
    }
    return backend;
}

static void hash_words(const struct op_words *words, char hex[65])
{
    /* Hosts are little-endian; configure says so. */
    golden_hash(words->words, words->count * sizeof(words->words[0]), hex);
}

void cuda_test_operators(const struct trn_cuda_ways *ways, size_t first, size_t stride)
{
    struct snap_pool *pool = NULL;
    struct trn_backend *backend;
    struct op_words words = { 0 };
    size_t count = 0;
    struct op_case *cases = op_cases_new(&count);
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    backend = cuda_test_open(pool, ways);
    for (size_t i = first; i < count; i += stride) {
        char hex[65], kept[65];
        op_case_run(&cases[i], backend, &words);
        hash_words(&words, hex);
        golden_find("goldens.txt", cases[i].name, kept);
        if (strcmp(hex, kept) != 0) {
            struct op_words wanted = { 0 };
            size_t k = 0;
            op_case_run(&cases[i], NULL, &wanted);
            while (k < wanted.count && wanted.words[k] == words.words[k]) {
                k++;
            }
            fail_msg("tile %u, split %d: %s: word %zu of %zu is %08x, the oracle has %08x",
                     ways->tile, ways->split, cases[i].name, k, wanted.count,
                     k < words.count ? words.words[k] : 0, k < wanted.count ? wanted.words[k] : 0);
        }
    }
    free(words.words);
    free(cases);
    trn_backend_close(backend);
    snap_pool_free(pool);
}

void cuda_test_steps(const struct trn_cuda_ways *ways, size_t first, size_t stride)
{
    static const unsigned shards[] = { 1, 2, 4 };
    struct record *record = calloc(1, sizeof(*record));
    assert_non_null(record);
    wanted_ways = ways;
    rig_backend_open = open_device;
    for (size_t i = first; i < 2 * RIG_OPTIMIZERS * 3; i += stride) {
        const enum rig_kind kind = i % 2 == 0 ? RIG_IMAGES : RIG_SEQUENCES;
        const size_t optimizer = i / 2 / 3;
        const unsigned parts = shards[i / 2 % 3];
        char name[80], hex[65], kept[65];
        struct rig rig;
        snprintf(name, sizeof(name), "%s, %s, shards=%u", rig_kind_names[kind],
                 rig_optimizer_names[optimizer], parts);
        golden_find("model_goldens.txt", name, kept);
        record->size_bytes = 0;
        rig_ready_kind(&rig, kind, NULL, 1, parts, &rig_optimizers[optimizer]);
        for (unsigned step = 0; step < RIG_STEPS; step++) {
            rig_train_step(&rig, step, record);
        }
        record_state(record, &rig);
        golden_hash(record->bytes, record->size_bytes, hex);
        rig_dismantle(&rig);
        if (strcmp(hex, kept) != 0) {
            fail_msg("%s, tile %u, split %d: %s, kept %s", name, ways->tile, ways->split, hex,
                     kept);
        }
    }
    rig_backend_open = trn_backend_open;
    free(record);
}
