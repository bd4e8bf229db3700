/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own side of the storage figures: a state of so many bytes in so many tensors, saved
 * or restored through the run API.
 *     bench_state save FOLDER BYTES TENSORS [whole-|thin-]read-back|no-read-back
 *         each line "go" on standard input makes one save, answered by its seconds, the seconds for
 *         which it kept the training, the bytes of its file, and the bytes of memory at the highest
 *         beyond the state and its copy. With whole- or thin- a tenth of the tensors change between
 *         saves; with thin- snapshots are thin;
 *     bench_state restore ARCHIVE BYTES TENSORS
 *         one restore, verified and in place, answered by its seconds;
 *     bench_state load ARCHIVE BYTES TENSORS
 *         one read of all tensors into fresh memory, digests compared, beside a state as large;
 *     bench_state restart FOLDER BYTES TENSORS
 *         the run in the folder opened and restored, answered by the seconds of the two;
 *     bench_state verify ARCHIVE BYTES TENSORS
 *         one check of all digests and by the second reader, answered by its seconds.
 * The memory is filled before the clock runs, as a model's is. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <snapstate/snapstate.h>

static struct snap_error err = SNAP_ERROR_INIT;
static float **tensors_data;

static void must(enum snap_status status)
{
    if (status == SNAP_OK)
        return;
    fprintf(stderr, "bench_state: %s\n", err.text);
    exit(3);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Numbers that no file system compresses or shares. */
static void fill(float *data, size_t count, uint64_t seed)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        data[i] = (float)(state >> 40) / 16777216.0f - 0.5f;
    }
}

/* Register `tensors` equal tensors of `bytes` in all. They live as long as the process. */
static void add_tensors(struct snap_run *run, uint64_t bytes, uint64_t tensors, uint64_t seed)
{
    uint64_t count = bytes / tensors / sizeof(float);
    tensors_data = calloc(tensors, sizeof *tensors_data);
    for (uint64_t i = 0; i < tensors; i++) {
        char name[40];
        float *data = malloc(count * sizeof *data);
        if (tensors_data == NULL || data == NULL) {
            fprintf(stderr, "bench_state: out of memory\n");
            exit(3);
        }
        fill(data, count, seed + i);
        tensors_data[i] = data;
        snprintf(name, sizeof name, "layer%05llu.weight", (unsigned long long)i);
        struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
        tensor.root = "model";
        tensor.name = name;
        tensor.data = data;
        tensor.dtype = SNAP_F32;
        tensor.ndim = 1;
        tensor.shape = &count;
        must(snap_run_add_tensor(run, &tensor, &err));
    }
}

/* A step that changes the first `changed` tensors, so that the next save is of another step. */
static void step(struct snap_run *run, uint64_t changed)
{
    struct snap_step_record record = { .size_bytes = sizeof record,
                                       .step = snap_run_steps_done(run) + 1 };
    must(snap_run_begin_step(run, &err));
    must(snap_run_before_update(run, NULL, &err));
    for (uint64_t i = 0; i < changed; i++)
        tensors_data[i][0] += 1.0f;
    must(snap_run_step(run, &record, &err));
}

/* A line of /proc/self/status, in bytes. */
static uint64_t memory(const char *name)
{
    char line[256];
    unsigned long long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %llu", &kilobytes);
    if (file != NULL)
        fclose(file);
    return (uint64_t)kilobytes << 10;
}

/* The highest that VmHWM tells is from now on. */
static void forget_highest(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file == NULL || fputs("5", file) < 0 || fclose(file) != 0)
        perror("bench_state: /proc/self/clear_refs");
}

static void archive_of(const char *folder, uint64_t step, char path[4096])
{
    snprintf(path, 4096, "%s/snapshots/step-%010llu.snap.tar", folder, (unsigned long long)step);
}

static uint64_t file_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static int save(const char *folder, uint64_t bytes, uint64_t tensors, const char *way)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    char line[16];
    bool thin = strncmp(way, "thin-", 5) == 0;
    uint64_t changed = thin || strncmp(way, "whole-", 6) == 0 ? (tensors + 9) / 10 : 0;
    options.dir = folder;
    options.no_read_back = strstr(way, "no-read-back") != NULL;
    options.thin = thin ? 1000000 : 0;
    must(snap_run_open(&options, &run, &err));
    add_tensors(run, bytes, tensors, 0);
    uint64_t held = memory("VmRSS");
    while (fgets(line, sizeof line, stdin) != NULL) {
        char archive[4096];
        struct snap_ticket *ticket;
        step(run, changed);
        forget_highest();
        double began = seconds();
        must(snap_run_capture(run, snap_run_steps_done(run), NULL, &ticket, &err));
        double stalled = seconds() - began;
        must(snap_run_wait(run, ticket, NULL, &err));
        double ended = seconds();
        uint64_t most = memory("VmHWM");
        archive_of(folder, snap_run_steps_done(run), archive);
        printf("%.6f %.6f %llu %llu\n", ended - began, stalled,
               (unsigned long long)file_bytes(archive),
               (unsigned long long)(most > held + bytes ? most - held - bytes : 0));
        fflush(stdout);
        /* The last one stays, for a restore; and what thin ones need. */
        archive_of(folder, snap_run_steps_done(run) - 1, archive);
        if (!(thin && snap_run_steps_done(run) == 2) && unlink(archive) != 0 && errno != ENOENT)
            fprintf(stderr, "bench_state: %s: %s\n", archive, strerror(errno));
    }
    must(snap_run_close(run, &err));
    free(tensors_data);
    return 0;
}

static int restore(const char *archive, uint64_t bytes, uint64_t tensors)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    options.archive = archive;
    must(snap_run_open(&options, &run, &err));
    add_tensors(run, bytes, tensors, 1000000);
    double began = seconds();
    must(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    printf("%.6f\n", seconds() - began);
    must(snap_run_close(run, &err));
    return 0;
}

/* As long as it is done for: memory is got, read into, and compared, in the time that counts. */
static void read_tensors(const char *path, struct snap_pool *pool)
{
    struct snap_archive *archive;
    must(snap_archive_open(path, &archive, &err));
    size_t count = snap_archive_member_count(archive);
    const struct snap_member **members = calloc(count, sizeof *members);
    void **buffers = calloc(count, sizeof *buffers);
    size_t wanted = 0;
    for (size_t i = 0; members != NULL && buffers != NULL && i < count; i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->kind != SNAP_MEMBER_TENSOR)
            continue;
        members[wanted] = member;
        buffers[wanted] = malloc((size_t)member->data_size);
        if (buffers[wanted++] == NULL)
            exit(3);
    }
    must(snap_archive_read_members(archive, members, buffers, wanted, pool, &err));
    snap_archive_close(archive);
    free(members);
    free(buffers); /* what they point to lives as long as the process */
}

static int load(const char *path, uint64_t bytes, uint64_t tensors)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    struct snap_pool *pool;
    must(snap_run_open(&options, &run, &err));
    add_tensors(run, bytes, tensors, 1000000);
    must(snap_pool_new(0, &pool, &err));
    double began = seconds();
    read_tensors(path, pool);
    printf("%.6f\n", seconds() - began);
    snap_pool_free(pool);
    must(snap_run_close(run, &err));
    return 0;
}

static int restart(const char *folder, uint64_t bytes, uint64_t tensors)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    options.dir = folder;
    double began = seconds();
    must(snap_run_open(&options, &run, &err));
    double opened = seconds() - began;
    add_tensors(run, bytes, tensors, 1000000);
    began = seconds();
    must(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    printf("%.6f\n", opened + seconds() - began);
    must(snap_run_close(run, &err));
    return 0;
}

static int verify(const char *path)
{
    struct snap_pool *pool;
    struct snap_archive *archive;
    must(snap_pool_new(0, &pool, &err));
    double began = seconds();
    must(snap_archive_open(path, &archive, &err));
    must(snap_archive_check(archive, pool, &err));
    printf("%.6f\n", seconds() - began);
    snap_archive_close(archive);
    snap_pool_free(pool);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t bytes = argc > 4 ? strtoull(argv[3], NULL, 10) : 0;
    uint64_t tensors = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (tensors > 0 && argc == 6 && strcmp(argv[1], "save") == 0)
        return save(argv[2], bytes, tensors, argv[5]);
    if (tensors > 0 && argc == 5 && strcmp(argv[1], "restore") == 0)
        return restore(argv[2], bytes, tensors);
    if (tensors > 0 && argc == 5 && strcmp(argv[1], "load") == 0)
        return load(argv[2], bytes, tensors);
    if (tensors > 0 && argc == 5 && strcmp(argv[1], "restart") == 0)
        return restart(argv[2], bytes, tensors);
    if (tensors > 0 && argc == 5 && strcmp(argv[1], "verify") == 0)
        return verify(argv[2]);
    fprintf(stderr,
            "usage: bench_state save FOLDER BYTES TENSORS "
            "[whole-|thin-]read-back|no-read-back\n"
            "       bench_state restore|load|verify ARCHIVE BYTES TENSORS\n"
            "       bench_state restart FOLDER BYTES TENSORS\n");
    return 2;
}
