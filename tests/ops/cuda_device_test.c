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

#include "device/device_ops.h"
#include "digest/sha256.h"
#include "digest/tree_digest.h"
#include "golden_file.h"
#include "model_rig.h"
#include "op_cases.h"
#include "op_golden.h"
#include "ops/op_trace.h"

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

void cuda_test_operators(const struct trn_cuda_ways *ways, size_t first, size_t stride)
{
    struct snap_pool *pool = NULL;
    struct trn_backend *backend;
    struct op_words words = { 0 };
    size_t count = 0;
    struct op_case *cases = op_cases_new(&count);
    char where[40];
    snprintf(where, sizeof(where), "tile %u, split %d%s", ways->tile, ways->split,
             ways->wide ? ", wide" : "");
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    backend = cuda_test_open(pool, ways);
    for (size_t i = first; i < count; i += stride) {
        op_golden_check(&cases[i], backend, &words, where);
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

/* What the operators of a step wrote, in their order. */
struct written {
    unsigned char sha256[600][SNAP_DIGEST_BYTES];
    size_t count;
};

static enum snap_status note_output(void *arg, const struct trn_op_record *record,
                                    struct snap_error *err)
{
    struct written *written = arg;
    (void)err;
    assert_true(written->count < sizeof(written->sha256) / sizeof(written->sha256[0]));
    memcpy(written->sha256[written->count++], record->sha256, SNAP_DIGEST_BYTES);
    return SNAP_OK;
}

static void trace_step(enum rig_kind kind, struct written *written)
{
    const struct trn_op_observer observer = { written, note_output };
    struct record *record = calloc(1, sizeof(*record));
    struct rig rig;
    assert_non_null(record);
    written->count = 0;
    rig_ready_kind(&rig, kind, NULL, 1, 2, &rig_optimizers[3]);
    assert_int_equal(trn_op_trace_begin(rig.backend, &observer, NULL), SNAP_OK);
    rig_train_step(&rig, 0, record);
    trn_op_trace_end(rig.backend);
    rig_dismantle(&rig);
    free(record);
}

void cuda_test_trace(const struct trn_cuda_ways *ways)
{
    struct written *here = calloc(2, sizeof(*here)), *there = here + 1;
    assert_non_null(here);
    wanted_ways = ways;
    for (int kind = 0; kind < RIG_KINDS; kind++) {
        trace_step((enum rig_kind)kind, here);
        rig_backend_open = open_device;
        trace_step((enum rig_kind)kind, there);
        rig_backend_open = trn_backend_open;
        assert_true(here->count > 100);
        assert_int_equal(here->count, there->count);
        assert_memory_equal(here->sha256, there->sha256, here->count * SNAP_DIGEST_BYTES);
    }
    free(here);
}

static void check_leaves(const unsigned char *bytes, size_t size_bytes,
                         const unsigned char *digests)
{
    for (size_t at = 0; at < size_bytes; at += SNAP_TREE_LEAF_BYTES) {
        const size_t rest = size_bytes - at;
        unsigned char wanted[SNAP_DIGEST_BYTES];
        assert_int_equal(snap_sha256(bytes + at,
                                     rest < SNAP_TREE_LEAF_BYTES ? rest : SNAP_TREE_LEAF_BYTES,
                                     wanted, NULL),
                         SNAP_OK);
        assert_memory_equal(digests, wanted, sizeof(wanted));
        digests += SNAP_DIGEST_BYTES;
    }
}

void cuda_test_digests(void)
{
    static const size_t sizes[] = { 1,    3,    55,   56,   63,   64,   65,        119, 120,
                                    4032, 4087, 4088, 4095, 4096, 4097, 2 * 4096, 0,   100000 };
    enum { PIECES = sizeof(sizes) / sizeof(sizes[0]), GAP = 16 };
    static const struct trn_cuda_ways any = { 0, 0, false };
    const struct snap_device_ops *ops = snap_device_cuda();
    struct snap_device_piece pieces[PIECES];
    struct snap_device_digester *digester = NULL;
    struct snap_pool *pool = NULL;
    struct trn_backend *backend;
    unsigned char *bytes, *memory = NULL;
    size_t size_bytes = 0;
    assert_non_null(ops);
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    backend = cuda_test_open(pool, &any);
    for (size_t i = 0; i < PIECES; i++) {
        size_bytes += (sizes[i] / GAP + 2) * GAP;
    }
    bytes = malloc(size_bytes);
    assert_non_null(bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        bytes[i] = (unsigned char)(i * 2654435761u >> 11);
    }
    assert_int_equal(backend->ops->alloc(backend, size_bytes, (void **)&memory, NULL), SNAP_OK);
    assert_int_equal(backend->ops->upload(backend, memory, bytes, size_bytes, NULL), SNAP_OK);
    assert_int_equal(ops->digester_new(0, &digester, NULL), SNAP_OK);
    /* Few pieces, all at once, all from odd addresses. */
    for (size_t round = 0; round < 3; round++) {
        const size_t count = round == 0 ? 2 : PIECES, shift = round == 2 ? 5 : 0;
        const unsigned char *digests = NULL;
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            pieces[i] = (struct snap_device_piece){ memory + at + shift, sizes[i] };
            at += (sizes[i] / GAP + 2) * GAP;
        }
        assert_int_equal(ops->digest_leaves(digester, pieces, count, backend->stream, &digests,
                                            NULL),
                         SNAP_OK);
        for (size_t i = 0; i < count; i++) {
            check_leaves(bytes + ((const unsigned char *)pieces[i].device - memory), sizes[i],
                         digests);
            digests += snap_tree_leaf_count(sizes[i]) * SNAP_DIGEST_BYTES;
        }
    }
    ops->digester_free(digester);
    backend->ops->release(backend, memory);
    trn_backend_close(backend);
    snap_pool_free(pool);
    free(bytes);
}
