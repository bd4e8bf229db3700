/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/archive_read.h"
#include "format/archive_write.h"
#include "io/write_file.h"
#include "toy_run.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum snap_status s_ = (call);                                                              \
        if (s_ != SNAP_OK)                                                                         \
            return s_;                                                                             \
    } while (0)

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "toy: %s\n", what);
        abort();
    }
}

/* ---- an opaque stream ---- */

static uint64_t own_draw(struct toy *toy)
{
    toy->xorshift ^= toy->xorshift << 13;
    toy->xorshift ^= toy->xorshift >> 7;
    toy->xorshift ^= toy->xorshift << 17;
    return toy->xorshift;
}

static enum snap_status own_get(void *arg, void **bytes, size_t *size, struct snap_error *err)
{
    const struct toy *toy = arg;
    *bytes = malloc(sizeof toy->xorshift);
    if (*bytes == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "own stream: out of memory");
    memcpy(*bytes, &toy->xorshift, sizeof toy->xorshift);
    *size = sizeof toy->xorshift;
    return SNAP_OK;
}

static enum snap_status own_set(void *arg, const void *bytes, size_t size, struct snap_error *err)
{
    struct toy *toy = arg;
    if (size != sizeof toy->xorshift)
        return snap_error_set(err, SNAP_CORRUPT, "own stream: not 8 bytes");
    memcpy(&toy->xorshift, bytes, size);
    return SNAP_OK;
}

static const struct snap_stream_ops own_ops = { sizeof(struct snap_stream_ops), own_get, own_set,
                                                NULL };

/* ---- life ---- */

static struct snap_stream *new_stream(const char *kind, uint64_t seed)
{
    struct snap_stream *stream = NULL;
    must(snap_stream_new(kind, &stream, NULL) == SNAP_OK, kind);
    must(snap_stream_seed(stream, seed, NULL) == SNAP_OK, kind);
    return stream;
}

void toy_init(struct toy *toy)
{
    memset(toy, 0, sizeof *toy);
    toy->python = new_stream("python_random", 42);
    toy->numpy = new_stream("numpy_random_state", 42);
    toy->host = new_stream("torch_cpu", 42);
    toy->device = new_stream("philox_dropout", 42);
    toy->xorshift = 88172645463325252u;
    must(snap_torch_uniform_f32(toy->host, -1, 1, toy->weight, 6, NULL) == SNAP_OK, "init");
    for (int i = 0; i < 8; i++)
        toy->stats[i] = (float)i;
    for (int i = 0; i < 4; i++)
        toy->half[i] = 0x3f80;
    toy->scale = 1;
    memcpy(toy->note, "a note", 7);
    toy->position = (struct snap_position)SNAP_POSITION_INIT;
    toy->position.position = TOY_SAMPLES; /* the first step begins an epoch */
    toy->profile = "portable-1";
    toy->training = TOY_TRAINING;
    toy->state_every = 1;
}

void toy_release(struct toy *toy)
{
    snap_stream_free(toy->python);
    snap_stream_free(toy->numpy);
    snap_stream_free(toy->host);
    snap_stream_free(toy->device);
    free(toy->order_start);
    memset(toy, 0, sizeof *toy);
}

static enum snap_status add(struct snap_run *run, const char *root, const char *name, void *data,
                            enum snap_dtype dtype, size_t ndim, const uint64_t *shape,
                            const uint64_t *strides, struct snap_error *err)
{
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    tensor.root = root;
    tensor.name = name;
    tensor.data = data;
    tensor.dtype = dtype;
    tensor.ndim = ndim;
    tensor.shape = shape;
    tensor.strides = strides;
    tensor.requires_grad = strcmp(name, "weight") == 0;
    tensor.changes_in_forward = strcmp(name, "norm.running") == 0;
    return snap_run_add_tensor(run, &tensor, err);
}

enum snap_status toy_register(struct toy *toy, struct snap_run *run, struct snap_error *err)
{
    static const uint64_t two_three[] = { 2, 3 };
    static const uint64_t three_two[] = { 3, 2 };
    static const uint64_t transposed[] = { 1, 3 };
    static const uint64_t zero_four[] = { 0, 4 };
    static const uint64_t three[] = { 3 };
    static const uint64_t four[] = { 4 };
    static const uint64_t gaps[] = { 2 };
    unsigned char data_digest[SNAP_DIGEST_BYTES];

    TRY(add(run, "model", "weight", toy->weight, SNAP_F32, 2, two_three, NULL, err));
    TRY(add(run, "model", "norm.stats", toy->stats, SNAP_F32, 1, four, gaps, err));
    TRY(add(run, "model", "norm.running", toy->running, SNAP_I64, 1, three, NULL, err));
    if (!toy->skip_registers)
        TRY(add(run, "optimizer", "momentum", toy->momentum, SNAP_F64, 2, two_three, NULL, err));
    TRY(add(run, "model", "head", toy->weight, SNAP_F32, 2, three_two, transposed, err));
    TRY(add(run, "model", "frozen", &toy->frozen, SNAP_BOOL, 0, NULL, NULL, err));
    TRY(add(run, "optimizer", "half", toy->half, SNAP_BF16, 1, four, NULL, err));
    TRY(add(run, "optimizer", "empty", toy->empty, SNAP_F32, 2, zero_four, NULL, err));
    TRY(snap_run_add_scalar(run, "scheduler", "warm", SNAP_VALUE_BOOL, &toy->warm, err));
    TRY(snap_run_add_scalar(run, "scheduler", "seen", SNAP_VALUE_INT64, &toy->seen, err));
    TRY(snap_run_add_scalar(run, "scheduler", "scale", SNAP_VALUE_DOUBLE, &toy->scale, err));
    TRY(snap_run_add_value(run, "cache", true, toy->cache, sizeof toy->cache, err));
    TRY(snap_run_add_value(run, "note", false, toy->note, sizeof toy->note, err));
    const struct snap_stream_ops *ops = snap_stream_ops();
    TRY(snap_run_add_stream(run, "python", "python_random", ops, toy->python, err));
    TRY(snap_run_add_stream(run, "numpy", "numpy_random_state", ops, toy->numpy, err));
    TRY(snap_run_add_stream(run, "host", "torch_cpu", ops, toy->host, err));
    TRY(snap_run_add_stream(run, "device", "philox_dropout", ops, toy->device, err));
    TRY(snap_run_add_stream(run, "shard-000/own", "opaque", &own_ops, toy, err));
    TRY(snap_run_add_not_captured(run, "clock", "nothing is decided by it", err));
    TRY(snap_bytes_digest("data", 4, data_digest, err));
    TRY(snap_run_add_data_file(run, "train", data_digest, 4, err));
    return snap_run_set_position(run, &toy->position, err);
}

enum snap_status toy_open(struct toy *toy, const char *dir, const char *archive,
                          struct snap_run **run, struct snap_error *err)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    options.dir = dir;
    options.archive = archive;
    options.profile = toy->profile;
    options.binding = toy->binding;
    options.training = toy->training;
    options.state_every = toy->state_every;
    options.every = toy->every;
    options.staging_bytes = toy->staging_bytes;
    options.thin = toy->thin;
    options.volume_size = toy->volume_size;
    options.pool = toy->pool;
    options.no_read_back = !toy->read_back;
    TRY(snap_run_open(&options, run, err));
    enum snap_status status = toy_register(toy, *run, err);
    if (status != SNAP_OK) {
        snap_run_close(*run, NULL);
        *run = NULL;
    }
    return status;
}

/* ---- training ---- */

enum snap_status toy_take_position(struct toy *toy, struct snap_run *run, struct snap_error *err)
{
    struct snap_position position = SNAP_POSITION_INIT;
    TRY(snap_run_position(run, &position, err));
    free(toy->order_start);
    toy->order_start = NULL;
    toy->position = position;
    toy->position.order_start = NULL;
    if (position.order_stream == NULL)
        return SNAP_OK;
    toy->order_start = malloc(position.order_start_size);
    if (toy->order_start == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "toy: out of memory");
    memcpy(toy->order_start, position.order_start, position.order_start_size);
    toy->position.order_start = toy->order_start;
    toy->position.order_stream = "python";
    struct snap_stream *again = NULL;
    TRY(snap_stream_new("python_random", &again, err));
    enum snap_status status =
        snap_stream_decode(again, toy->order_start, position.order_start_size, err);
    for (uint32_t i = 0; i < TOY_SAMPLES; i++)
        toy->order[i] = i;
    if (status == SNAP_OK)
        status = snap_python_shuffle(again, toy->order, TOY_SAMPLES, err);
    snap_stream_free(again);
    unsigned char digest[SNAP_DIGEST_BYTES];
    if (status == SNAP_OK)
        status = snap_sample_digest(toy->order, TOY_SAMPLES, digest, err);
    if (status == SNAP_OK && memcmp(digest, position.order_digest, sizeof digest) != 0)
        status = snap_error_set(err, SNAP_DIFFERS, "toy: the order is another one");
    return status;
}

enum snap_status toy_restore(struct toy *toy, struct snap_run *run, struct snap_receipt **receipt,
                             struct snap_error *err)
{
    TRY(snap_run_restore(run, SNAP_TIER_EXACT, NULL, receipt, err));
    return toy_take_position(toy, run, err);
}

/* A new epoch: its order from the Python stream. */
static enum snap_status begin_epoch(struct toy *toy, struct snap_error *err)
{
    bool first = toy->position.order_stream == NULL;
    void *start;
    size_t size;
    TRY(snap_stream_encode(toy->python, &start, &size, err));
    free(toy->order_start);
    toy->order_start = start;
    for (uint32_t i = 0; i < TOY_SAMPLES; i++)
        toy->order[i] = i;
    TRY(snap_python_shuffle(toy->python, toy->order, TOY_SAMPLES, err));
    TRY(snap_sample_digest(toy->order, TOY_SAMPLES, toy->position.order_digest, err));
    toy->position.epoch += first ? 0 : 1;
    toy->position.position = 0;
    toy->position.order_stream = "python";
    toy->position.order_start = start;
    toy->position.order_start_size = size;
    toy->position.order_samples = TOY_SAMPLES;
    return SNAP_OK;
}

enum snap_status toy_forward(struct toy *toy, struct snap_run *run, struct snap_error *err)
{
    TRY(snap_run_begin_step(run, err));
    if (toy->position.position == TOY_SAMPLES)
        TRY(begin_epoch(toy, err));
    for (int i = 0; i < 3; i++)
        toy->running[i] += (int64_t)toy->order[toy->position.position + (uint64_t)i];
    return snap_philox_dropout_advance(toy->device, 2, err);
}

enum snap_status toy_update(struct toy *toy, struct snap_run *run, struct snap_error *err)
{
    int64_t jitter[TOY_BATCH];
    unsigned char samples[SNAP_DIGEST_BYTES];
    const uint32_t *batch = toy->order + toy->position.position;
    float loss = toy->bend;
    TRY(snap_numpy_randint(toy->numpy, -3, 4, jitter, TOY_BATCH, err));
    TRY(snap_run_before_update(run, NULL, err));
    for (int i = 0; i < 6; i++) {
        float gradient = 0.125f * (float)((int64_t)batch[i % TOY_BATCH] + jitter[i % TOY_BATCH]);
        toy->momentum[i] = 0.5 * toy->momentum[i] + (double)gradient;
        toy->weight[i] -= 0.0625f * (float)toy->momentum[i];
        loss += gradient * gradient;
    }
    toy->stats[2 * (toy->seen % 4)] += loss;
    toy->half[toy->seen % 4]++;
    toy->frozen = (uint8_t)(toy->seen & 1);
    toy->warm = toy->seen > 2;
    toy->seen += TOY_BATCH;
    toy->scale *= 0.75;
    toy->cache[toy->seen % 5] ^= (unsigned char)own_draw(toy);
    TRY(snap_sample_digest(batch, TOY_BATCH, samples, err));
    toy->position.position += TOY_BATCH;
    TRY(snap_run_set_position(run, &toy->position, err));
    struct snap_scalar host[] = { snap_scalar_f32("lr", 0.0625f) };
    struct snap_scalar floats[] = { snap_scalar_f32("loss", loss),
                                    snap_scalar_f64("scale", toy->scale),
                                    snap_scalar_int("seen", (uint64_t)toy->seen) };
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    record.step = snap_run_steps_done(run) + 1;
    record.epoch = toy->position.epoch;
    record.sample_digest = samples;
    record.host_scalars = host;
    record.host_scalar_count = 1;
    record.float_scalars = floats;
    record.float_scalar_count = 3;
    return snap_run_step(run, &record, err);
}

enum snap_status toy_save(struct snap_run *run, char hash[SNAP_HASH_TEXT_BYTES],
                          struct snap_error *err)
{
    struct snap_ticket *ticket = NULL;
    TRY(snap_run_capture(run, snap_run_steps_done(run), NULL, &ticket, err));
    return snap_run_wait(run, ticket, hash, err);
}

enum snap_status toy_step(struct toy *toy, struct snap_run *run, struct snap_error *err)
{
    TRY(toy_forward(toy, run, err));
    TRY(toy_update(toy, run, err));
    if (snap_run_wanted(run) != SNAP_WANTED_NOTHING)
        return toy_save(run, NULL, err);
    return SNAP_OK;
}

enum snap_status toy_train(struct toy *toy, struct snap_run *run, uint64_t steps,
                           struct snap_error *err)
{
    while (snap_run_steps_done(run) < steps)
        TRY(toy_step(toy, run, err));
    return SNAP_OK;
}

enum snap_status toy_train_in(const char *dir, uint64_t every, uint64_t steps,
                              struct snap_error *err)
{
    struct toy toy;
    struct snap_run *run = NULL;
    toy_init(&toy);
    toy.every = every;
    enum snap_status status = toy_open(&toy, dir, NULL, &run, err);
    if (status == SNAP_OK) {
        status = toy_restore(&toy, run, NULL, err);
        if (status == SNAP_NOT_FOUND)
            status = SNAP_OK; /* a fresh run */
    }
    if (status == SNAP_OK)
        status = toy_train(&toy, run, steps, err);
    enum snap_status closed = snap_run_close(run, status == SNAP_OK ? err : NULL);
    toy_release(&toy);
    return status == SNAP_OK ? closed : status;
}

/* ---- looking ---- */

static size_t append(char *out, size_t at, const void *data, size_t size)
{
    memcpy(out + at, data, size);
    return at + size;
}

void toy_digest(const struct toy *toy, unsigned char digest[SNAP_DIGEST_BYTES])
{
    struct snap_stream *streams[] = { toy->python, toy->numpy, toy->host, toy->device };
    char *bytes = malloc(1 << 20);
    size_t at = 0;
    must(bytes != NULL, "out of memory");
    at = append(bytes, at, toy->weight, sizeof toy->weight);
    at = append(bytes, at, toy->stats, sizeof toy->stats);
    at = append(bytes, at, toy->running, sizeof toy->running);
    at = append(bytes, at, &toy->frozen, sizeof toy->frozen);
    at = append(bytes, at, toy->momentum, sizeof toy->momentum);
    at = append(bytes, at, toy->half, sizeof toy->half);
    at = append(bytes, at, &toy->warm, sizeof toy->warm);
    at = append(bytes, at, &toy->seen, sizeof toy->seen);
    at = append(bytes, at, &toy->scale, sizeof toy->scale);
    at = append(bytes, at, toy->cache, sizeof toy->cache);
    at = append(bytes, at, &toy->xorshift, sizeof toy->xorshift);
    for (size_t i = 0; i < 4; i++) {
        void *state;
        size_t size;
        must(snap_stream_encode(streams[i], &state, &size, NULL) == SNAP_OK, "encode");
        at = append(bytes, at, state, size);
        free(state);
    }
    must(snap_bytes_digest(bytes, at, digest, NULL) == SNAP_OK, "digest");
    free(bytes);
}

void toy_rewrite(const char *from, const char *to, const char *withheld, enum toy_forgery forgery)
{
    struct snap_archive *archive;
    struct snap_archive_plan *plan;
    struct snap_write_member members[64];
    void *data[64];
    size_t count = 0;
    must(snap_archive_open(from, &archive, NULL) == SNAP_OK, "rewrite: open");
    struct snap_manifest manifest = *snap_archive_manifest(archive);
    manifest.members = NULL;
    manifest.member_count = 0;
    if (forgery == TOY_FORGE_HEAD)
        manifest.after.run[0] ^= 1;
    if (forgery == TOY_FORGE_RUN_ID)
        manifest.run_id[0] = manifest.run_id[0] == '0' ? '1' : '0';
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->kind == SNAP_MEMBER_README || member->kind == SNAP_MEMBER_MANIFEST ||
            member->kind == SNAP_MEMBER_STATE_LISTING || member->kind == SNAP_MEMBER_LISTING)
            continue;
        must(count < 64 &&
                 snap_archive_read_alloc(archive, member, SIZE_MAX, &data[count], NULL) == SNAP_OK,
             "rewrite: read");
        members[count] = (struct snap_write_member){ .name = member->name,
                                                     .data = data[count],
                                                     .size = member->data_size,
                                                     .in_state = member->in_state };
        members[count].withheld = withheld != NULL && strcmp(member->name, withheld) == 0;
        memcpy(members[count].sha256, member->sha256, SNAP_DIGEST_BYTES);
        members[count++].digest_known = true;
    }
    must(snap_archive_plan_new(&manifest, members, count, &plan, NULL) == SNAP_OK, "rewrite: plan");
    const struct snap_write_options options = { .pool = NULL };
    struct snap_content content = snap_archive_plan_content(plan);
    struct snap_rest rest;
    int fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(fd >= 0, "rewrite: create");
    must(snap_write_file(fd, &content, &options, &rest, to, NULL) == SNAP_OK, "rewrite: write");
    must(close(fd) == 0, "rewrite: close");
    snap_archive_plan_free(plan);
    for (size_t i = 0; i < count; i++)
        free(data[i]);
    snap_archive_close(archive);
}

/* ---- folders ---- */

char *toy_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(4096);
    must(path != NULL, "out of memory");
    snprintf(path, 4096, "%s/snap-test-XXXXXX", base != NULL ? base : "/tmp");
    must(mkdtemp(path) != NULL, "mkdtemp");
    return path;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

void toy_remove(const char *dir)
{
    must(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "remove a folder");
}

const char *toy_path(const char *dir, const char *name)
{
    static char paths[64][4200];
    static unsigned next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

const char *toy_snapshot(const char *dir, unsigned step)
{
    char name[64];
    snprintf(name, sizeof name, "snapshots/step-%010u.snap.tar", step);
    return toy_path(dir, name);
}

char *toy_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    must(fseek(file, 0, SEEK_END) == 0, "seek");
    long length = ftell(file);
    must(length >= 0, "tell");
    rewind(file);
    char *bytes = malloc((size_t)length + 1);
    must(bytes != NULL && fread(bytes, 1, (size_t)length, file) == (size_t)length, "read");
    bytes[length] = '\0';
    fclose(file);
    if (size != NULL)
        *size = (size_t)length;
    return bytes;
}

void toy_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    must(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0, "write");
}

void toy_copy(const char *from, const char *to)
{
    size_t size;
    char *bytes = toy_read(from, &size);
    must(bytes != NULL, "copy");
    toy_write(to, bytes, size);
    free(bytes);
}

bool toy_same_files(const char *left, const char *right)
{
    size_t left_size = 0;
    size_t right_size = 0;
    char *a = toy_read(left, &left_size);
    char *b = toy_read(right, &right_size);
    bool same = a != NULL && b != NULL && left_size == right_size && memcmp(a, b, left_size) == 0;
    free(a);
    free(b);
    return same;
}
