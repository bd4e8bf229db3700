/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hex.h"
#include "digest/chain.h"
#include "digest/sha256.h"
#include "digest/tree_digest.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/listing.h"
#include "io/write_file.h"
#include "sample_archive.h"

/* Elements of the tensors, little-endian. */
static const unsigned char weight[16] = { 0, 0, 0x80, 0x3F, 0, 0, 0,    0x40,
                                          0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40 }; /* 1, 2, 3, 4 */
static const unsigned char bias[8] = { 0, 0, 0, 0x3F, 0, 0, 0, 0xBF };           /* 0.5, -0.5 */
static const unsigned char scale[4] = { 0x18, 0x2D, 0x54, 0x40 };                /* an f16 pair */
static const unsigned char order_state[5] = { 0x00, 0x01, 0x02, 0xFE, 0xFF };
static const char device_state[] = "{\"counter\":1,\"kind\":\"philox_dropout\",\"seed\":7}\n";
static const char notes[] = "a note of the author\n";
static const unsigned char replay[3] = { 9, 8, 7 };
static const char environment[] =
    "{\"architecture\":\"x86_64\",\"device\":null,\"format\":\"snap-environment-1\","
    "\"libraries\":{},\"snapstate\":\"0.1.0\",\"variables\":{}}\n";
static const char training[] =
    "{\"batch\":2,\"ledger\":{\"batch_bytes\":false,\"state_every\":1},\"seed\":7}";
static const unsigned char sample_ids[16] = { 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0 };

static struct snap_node *tensor(enum snap_dtype dtype, uint32_t storage, size_t ndim,
                                uint64_t rows, uint64_t columns, uint64_t row_stride,
                                uint64_t column_stride)
{
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    view.dtype = dtype;
    view.storage = storage;
    view.ndim = ndim;
    view.shape[0] = rows;
    view.shape[1] = columns;
    view.strides[0] = row_stride;
    view.strides[1] = column_stride;
    view.requires_grad = true;
    return snap_node_new_tensor(&view);
}

/* The roots; *model and *optimizer are the caller's. */
static enum snap_status make_roots(struct snap_node *model, struct snap_node *optimizer,
                                   struct snap_error *err)
{
    struct snap_node *momentum = snap_node_new_list();
    enum snap_status status =
        snap_node_append(momentum, tensor(SNAP_F32, 3, 1, 0, 0, 1, 0), err);
    if (status != SNAP_OK) {
        snap_node_free(momentum);
        return status;
    }
    status = snap_node_set(optimizer, "step", snap_node_new_int(1), err);
    if (status != SNAP_OK) {
        snap_node_free(momentum);
        return status;
    }
    status = snap_node_set(optimizer, "momentum", momentum, err);
    if (status == SNAP_OK)
        status = snap_node_set(optimizer, "lr", snap_node_new_float(0.125), err);
    if (status == SNAP_OK)
        status = snap_node_set_int_key(optimizer, 0, snap_node_new_bytes("\x01\xFF", 2), err);
    if (status == SNAP_OK)
        status = snap_node_set(optimizer, "seen", snap_node_new_uint(9007199254740993u), err);
    if (status == SNAP_OK)
        status = snap_node_set(model, "fc.weight", tensor(SNAP_F32, 0, 2, 2, 2, 2, 1), err);
    if (status == SNAP_OK)
        status = snap_node_set(model, "fc.bias", tensor(SNAP_F32, 1, 1, 2, 0, 1, 0), err);
    /* Tied: the transpose of fc.weight. */
    if (status == SNAP_OK)
        status = snap_node_set(model, "head.weight", tensor(SNAP_F32, 0, 2, 2, 2, 1, 2), err);
    /* A name that no member can have. */
    if (status == SNAP_OK)
        status = snap_node_set(model, "gr\xC3\xB6\xC3\x9F" "e", tensor(SNAP_F16, 2, 1, 2, 0, 1, 0),
                               err);
    return status;
}

static enum snap_status make_state(struct snap_state_doc *doc, struct snap_error *err)
{
    static const uint64_t sizes[] = { sizeof weight, sizeof bias, sizeof scale, 0 };
    struct snap_node *roots[] = { snap_node_new_map(), snap_node_new_map() };
    static const char *const names[] = { "model", "optimizer" };
    json_t *config = NULL;
    enum snap_status status = make_roots(roots[0], roots[1], err);
    for (size_t i = 0; i < 2; i++) {
        if (status == SNAP_OK)
            status = snap_state_doc_add_root(doc, names[i], roots[i], err);
        else
            snap_node_free(roots[i]);
    }
    if (status == SNAP_OK)
        status = snap_json_parse(training, "training", &config, err);
    if (status == SNAP_OK)
        status = snap_state_doc_set(doc, "portable-1", NULL, config, err);
    json_decref(config);
    for (size_t i = 0; i < 4 && status == SNAP_OK; i++)
        status = snap_state_doc_add_storage(doc, sizes[i], err);
    if (status == SNAP_OK)
        status = snap_state_doc_add_stream(doc, "order", "opaque", err);
    if (status == SNAP_OK)
        status = snap_state_doc_add_stream(doc, "device", "philox_dropout", err);
    if (status == SNAP_OK)
        status = snap_state_doc_finish(doc, err);
    return status;
}

static enum snap_status make_data(struct snap_data_doc *doc, struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    doc->position = 2;
    enum snap_status status = snap_sha256("four samples", 12, digest, err);
    if (status == SNAP_OK)
        status = snap_data_doc_add_file(doc, "train_images", digest, 12, err);
    if (status == SNAP_OK)
        status = snap_sha256(sample_ids, sizeof sample_ids, digest, err);
    if (status == SNAP_OK)
        status = snap_data_doc_set_order(doc, "order", 4, digest, order_state, sizeof order_state,
                                         err);
    return status;
}

/* tree1 of the state: storages in file order, streams, data.json. */
static enum snap_status digest_state(const struct sample_archive *sample,
                                     unsigned char digest[SNAP_DIGEST_BYTES],
                                     struct snap_error *err)
{
    static const struct {
        const char *name;
        const void *data;
        size_t size_bytes;
    } storages[] = {
        { "tensors/model/fc.bias", bias, sizeof bias },
        { "tensors/model/fc.weight", weight, sizeof weight },
        { "tensors/model/~000002", scale, sizeof scale },
        { "tensors/optimizer/momentum.0", NULL, 0 },
    }, streams[] = {
        { "rng/device", device_state, sizeof device_state - 1 },
        { "rng/order", order_state, sizeof order_state },
    };
    struct snap_listing_line lines[6];
    unsigned char data_digest[SNAP_DIGEST_BYTES];
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < 4 && status == SNAP_OK; i++) {
        lines[i].name = storages[i].name;
        status = snap_tree_hash(storages[i].data, storages[i].size_bytes, lines[i].sha256, err);
    }
    for (size_t i = 0; i < 2 && status == SNAP_OK; i++) {
        lines[4 + i].name = streams[i].name;
        status = snap_sha256(streams[i].data, streams[i].size_bytes, lines[4 + i].sha256, err);
    }
    if (status == SNAP_OK)
        status = snap_sha256(sample->data_text.data, sample->data_text.size, data_digest, err);
    if (status == SNAP_OK)
        status = snap_state_digest(lines, 4, lines + 4, 2, data_digest, digest, err);
    return status;
}

/* One line of the ledger from its two parts, which are consumed; `before` NULL: the genesis. */
static enum snap_status add_line(struct sample_archive *sample,
                                 const struct snap_chain_heads *before, json_t *host,
                                 json_t *floats, struct snap_error *err)
{
    struct snap_chain_heads *after = &sample->manifest.after;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    json_t *line = json_pack("{soso}", "float", floats, "host", host);
    enum snap_status status = SNAP_OK;
    if (before == NULL)
        status = snap_json_set(line, "format", json_string("snap-ledger-1"), err);
    if (status == SNAP_OK)
        status = snap_json_encode(line, &text, err);
    if (status == SNAP_OK)
        status = before == NULL ? snap_chain_first(SNAP_CHAIN_LEDGER, text.data, text.size,
                                                   after->run, err)
                                : snap_chain_next(before->run, text.data, text.size, after->run,
                                                  err);
    snap_buffer_clear(&text);
    if (status == SNAP_OK)
        status = snap_json_encode(json_object_get(line, "host"), &text, err);
    if (status == SNAP_OK)
        status = before == NULL ? snap_chain_first(SNAP_CHAIN_HOST, text.data, text.size,
                                                   after->host, err)
                                : snap_chain_next(before->host, text.data, text.size, after->host,
                                                  err);
    if (status == SNAP_OK)
        status = snap_json_set(line, "chain", snap_json_digest(NULL, after->run), err);
    if (status == SNAP_OK)
        status = snap_json_set(line, "host_chain", snap_json_digest(NULL, after->host), err);
    if (status == SNAP_OK)
        status = snap_json_encode(line, &sample->ledger, err);
    json_decref(line);
    snap_buffer_release(&text);
    return status;
}

static enum snap_status make_ledger(struct sample_archive *sample, struct snap_error *err)
{
    unsigned char first_state[SNAP_DIGEST_BYTES];
    unsigned char state[SNAP_DIGEST_BYTES];
    unsigned char batch[SNAP_DIGEST_BYTES];
    json_t *config = NULL;
    enum snap_status status = snap_json_parse(training, "training", &config, err);
    if (status == SNAP_OK)
        status = snap_sha256("another state", 13, first_state, err);
    if (status == SNAP_OK)
        status = digest_state(sample, state, err);
    if (status == SNAP_OK)
        status = snap_sha256(sample_ids, 8, batch, err);
    if (status != SNAP_OK) {
        json_decref(config);
        return status;
    }
    status = add_line(sample, NULL,
                      json_pack("{sosnso}", "data", snap_data_files_json(&sample->data), "parent",
                                "training", config),
                      json_pack("{s{}ssso}", "binding", "profile", "portable-1", "state",
                                snap_json_digest("tree1", first_state)),
                      err);
    if (status != SNAP_OK)
        return status;
    char digits[2 * SNAP_DIGEST_BYTES + 1];
    struct snap_chain_heads genesis = sample->manifest.after;
    snap_hex_encode(genesis.run, SNAP_DIGEST_BYTES, digits);
    snprintf(sample->manifest.run_id, sizeof sample->manifest.run_id, "%.*s", SNAP_RUN_ID_DIGITS,
             digits);
    return add_line(
        sample, &genesis,
        json_pack("{s{si}sisos{ss}si}", "draws", "order", 0, "epoch", 0, "samples",
                  snap_json_digest(NULL, batch), "scalars", "lr", "3e000000", "step", 1),
        json_pack("{s{si}s{ssss}so}", "draws", "device", 1, "scalars", "grad_norm", "3f800000",
                  "loss", "40000000", "state", snap_json_digest("tree1", state)),
        err);
}

static enum snap_status make_manifest(struct sample_archive *sample, struct snap_error *err)
{
    struct snap_manifest *manifest = &sample->manifest;
    manifest->step = 1;
    manifest->coverage = snap_coverage_new();
    static const char *const captured[] = { "rng/device", "rng/order", "tensors/model",
                                            "tensors/optimizer", "extra/replay" };
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < 5 && status == SNAP_OK; i++)
        status = snap_coverage_add(manifest->coverage, captured[i], err);
    if (status == SNAP_OK)
        status = snap_coverage_add_not(manifest->coverage, "wall clock",
                                       "read for the log alone", err);
    return status;
}

enum snap_status sample_init(struct sample_archive *sample, struct snap_error *err)
{
    *sample = (struct sample_archive){ .manifest = SNAP_MANIFEST_INIT };
    enum snap_status status = make_state(&sample->state, err);
    if (status == SNAP_OK)
        status = make_data(&sample->data, err);
    if (status == SNAP_OK)
        status = snap_state_doc_encode(&sample->state, &sample->state_text, err);
    if (status == SNAP_OK)
        status = snap_data_doc_encode(&sample->data, &sample->data_text, err);
    if (status == SNAP_OK)
        status = make_ledger(sample, err);
    if (status == SNAP_OK)
        status = make_manifest(sample, err);
    /* In no order at all: the library sorts. */
    const struct snap_write_member members[SAMPLE_MEMBERS] = {
        { .name = "tensors/optimizer/momentum.0", .data = NULL, .size = 0 },
        { .name = "rng/order", .data = order_state, .size = sizeof order_state },
        { .name = "ledger.jsonl", .data = sample->ledger.data, .size = sample->ledger.size },
        { .name = "extra/replay", .data = replay, .size = sizeof replay, .in_state = true },
        { .name = "state.json", .data = sample->state_text.data, .size = sample->state_text.size },
        { .name = "tensors/model/fc.weight", .data = weight, .size = sizeof weight },
        { .name = "env.json", .data = environment, .size = sizeof environment - 1 },
        { .name = "tensors/model/~000002", .data = scale, .size = sizeof scale },
        { .name = "data.json", .data = sample->data_text.data, .size = sample->data_text.size },
        { .name = "tensors/model/fc.bias", .data = bias, .size = sizeof bias },
        { .name = "extra/notes", .data = notes, .size = sizeof notes - 1 },
        { .name = "rng/device", .data = device_state, .size = sizeof device_state - 1 },
    };
    memcpy(sample->members, members, sizeof members);
    return status;
}

void sample_release(struct sample_archive *sample)
{
    snap_buffer_release(&sample->ledger);
    snap_buffer_release(&sample->data_text);
    snap_buffer_release(&sample->state_text);
    snap_manifest_release(&sample->manifest);
    snap_data_doc_release(&sample->data);
    snap_state_doc_release(&sample->state);
}

enum snap_status plan_encode(struct snap_archive_plan *plan, struct snap_pool *pool,
                             struct snap_buffer *out, struct snap_error *err)
{
    const struct snap_write_options options = { .pool = pool };
    struct snap_content content = snap_archive_plan_content(plan);
    struct snap_rest rest;
    int fd = memfd_create("snap-test", MFD_CLOEXEC);
    if (fd < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "a file in memory");
    enum snap_status status = snap_write_file(fd, &content, &options, &rest, "sample", err);
    if (status == SNAP_OK)
        status = snap_file_read_fd(fd, "sample", UINT64_MAX, out, err);
    close(fd); /* given up */
    return status;
}

enum snap_status sample_encode(struct sample_archive *sample, struct snap_pool *pool,
                               struct snap_buffer *out, struct snap_error *err)
{
    struct snap_archive_plan *plan = NULL;
    enum snap_status status =
        snap_archive_plan_new(&sample->manifest, sample->members, SAMPLE_MEMBERS, &plan, err);
    if (status == SNAP_OK)
        status = plan_encode(plan, pool, out, err);
    snap_archive_plan_free(plan);
    return status;
}

enum snap_status sample_withhold(struct sample_archive *sample, unsigned mask,
                                 struct snap_error *err)
{
    struct snap_archive_plan *plan = NULL;
    /* Sorts the members. */
    enum snap_status status =
        snap_archive_plan_new(&sample->manifest, sample->members, SAMPLE_MEMBERS, &plan, err);
    snap_archive_plan_free(plan);
    for (size_t i = 0; i < SAMPLE_MEMBERS && status == SNAP_OK; i++) {
        struct snap_write_member *member = &sample->members[i];
        member->withheld = (mask >> i & 1) != 0;
        member->digest_known = true;
        status = snap_sha256(member->data, (size_t)member->size, member->sha256, err);
    }
    return status;
}

int memory_file(const void *data, size_t size_bytes)
{
    int fd = memfd_create("snap-test", MFD_CLOEXEC);
    if (fd >= 0 && snap_file_pwrite(fd, data, size_bytes, 0, "memory", NULL) != SNAP_OK) {
        close(fd);
        fd = -1;
    }
    return fd;
}
