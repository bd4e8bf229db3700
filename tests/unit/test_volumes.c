/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots that are cut into an archive and volumes: the same snapshots, however they are cut. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/fsck.h>

#include "format/archive_read.h"
#include "toy_run.h"
#include "unit_check.h"

#define STEPS 4

static struct snap_error err = SNAP_ERROR_INIT;

/* Train to `steps`, a snapshot every second step, and give the digest of what the toy is then. */
static void train(const char *dir, uint64_t steps, uint64_t volume_size, uint64_t staging_bytes,
                  uint64_t thin, unsigned char digest[SNAP_DIGEST_BYTES])
{
    struct toy toy;
    struct snap_run *run = NULL;
    toy_init(&toy);
    toy.every = 2;
    toy.volume_size = volume_size;
    toy.staging_bytes = staging_bytes;
    toy.thin = thin;
    toy.read_back = true;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    enum snap_status status = toy_restore(&toy, run, NULL, &err);
    assert_true(status == SNAP_OK || status == SNAP_NOT_FOUND);
    CHECK_OK(toy_train(&toy, run, steps, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_digest(&toy, digest);
    toy_release(&toy);
}

/* Volumes cannot be removed while this is set. */
static bool volumes_stick;

int __real_unlinkat(int dirfd, const char *path, int flags);
int __wrap_unlinkat(int dirfd, const char *path, int flags);
int __wrap_unlinkat(int dirfd, const char *path, int flags)
{
    if (volumes_stick && strstr(path, ".vol-") != NULL) {
        errno = EACCES;
        return -1;
    }
    return __real_unlinkat(dirfd, path, flags);
}

/* Files whose name ends so cannot be opened. */
static const char *cannot_open;

int __real_openat(int dirfd, const char *path, int flags, ...);
int __wrap_openat(int dirfd, const char *path, int flags, ...);
int __wrap_openat(int dirfd, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = makes ? va_arg(more, mode_t) : 0;
    va_end(more);
    const char *found = cannot_open != NULL ? strstr(path, cannot_open) : NULL;
    if (found != NULL && strcmp(found, cannot_open) == 0) {
        errno = EIO;
        return -1;
    }
    return __real_openat(dirfd, path, flags, mode);
}

/* "DIR/snapshots/step-0000000STEP.vol-000NUMBER.tar" */
static const char *volume(const char *dir, unsigned step, unsigned number)
{
    char name[96];
    snprintf(name, sizeof name, "snapshots/step-%010u.vol-%04u.tar", step, number);
    return toy_path(dir, name);
}

static uint64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static size_t count_files(const char *folder, const char *mark)
{
    size_t count = 0;
    const struct dirent *entry;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL)
        count += strstr(entry->d_name, mark) != NULL;
    closedir(stream);
    return count;
}

/* Every member of `left`, read whole, is that of `right`, and so are the hashes. */
static void assert_same_archives(const char *left, const char *right)
{
    struct snap_archive *a = NULL;
    struct snap_archive *b = NULL;
    CHECK_OK(snap_archive_open(left, &a, &err));
    CHECK_OK(snap_archive_open(right, &b, &err));
    CHECK_OK(snap_archive_check(a, NULL, &err));
    CHECK_OK(snap_archive_check(b, NULL, &err));
    assert_string_equal(snap_archive_snapshot_hash(a), snap_archive_snapshot_hash(b));
    assert_string_equal(snap_archive_state_hash(a), snap_archive_state_hash(b));
    assert_string_equal(snap_archive_run_hash(a), snap_archive_run_hash(b));
    assert_int_equal(snap_archive_member_count(a), snap_archive_member_count(b));
    for (size_t i = 0; i < snap_archive_member_count(a); i++) {
        const struct snap_member *member = snap_archive_member(a, i);
        unsigned char *bytes = malloc(2 * member->data_size + 1);
        assert_non_null(bytes);
        CHECK_OK(snap_archive_read(a, member, bytes, &err));
        CHECK_OK(snap_archive_read(b, snap_archive_member(b, i), bytes + member->data_size, &err));
        assert_memory_equal(bytes, bytes + member->data_size, member->data_size);
        free(bytes);
    }
    snap_archive_close(a);
    snap_archive_close(b);
}

/* ---- saving and restoring ---- */

static void test_hashes_do_not_depend_on_the_cut(void **state)
{
    static const uint64_t sizes[] = { 1, 3000, 4096 };
    unsigned char expected[SNAP_DIGEST_BYTES];
    unsigned char found[SNAP_DIGEST_BYTES];
    char *whole = toy_folder();
    (void)state;
    train(whole, STEPS, 0, 0, 0, expected);
    assert_int_equal(count_files(toy_path(whole, "snapshots"), ".vol-"), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (uint64_t staging = 0; staging < 2; staging++) { /* behind the training, and in it */
            char *cut = toy_folder();
            train(cut, STEPS, sizes[i], staging, 0, found);
            assert_memory_equal(found, expected, sizeof found);
            assert_true(size_of(volume(cut, 4, 1)) > 0);
            for (unsigned step = 2; step <= STEPS; step += 2)
                assert_same_archives(toy_snapshot(whole, step), toy_snapshot(cut, step));
            assert_true(
                toy_same_files(toy_path(whole, "ledger.jsonl"), toy_path(cut, "ledger.jsonl")));
            assert_true(toy_same_files(toy_path(whole, "latest"), toy_path(cut, "latest")));
            toy_remove(cut);
            free(cut);
        }
    toy_remove(whole);
    free(whole);
}

/* A volume takes as many members as fit, and one that is larger alone. */
static void test_sizes(void **state)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    struct snap_archive *archive = NULL;
    char *dir = toy_folder();
    (void)state;
    train(dir, 2, 1, 0, 0, digest);
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 2), &archive, &err));
    size_t tensors = 0;
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        assert_int_equal(member->volume != NULL, member->kind == SNAP_MEMBER_TENSOR);
        assert_false(member->withheld);
        tensors += member->kind == SNAP_MEMBER_TENSOR;
    }
    assert_int_equal(snap_archive_volume_count(archive), tensors);
    assert_int_equal(snap_archive_withheld_count(archive), 0);
    assert_string_equal(snap_archive_volume(archive, 0, NULL), "step-0000000002.vol-0001.tar");
    assert_null(snap_archive_volume(archive, tensors, NULL));
    bool present = false;
    uint64_t size = 0;
    assert_int_equal(snap_archive_file_count(archive), tensors + 1);
    assert_string_equal(snap_archive_file(archive, 0, &size, &present),
                        "step-0000000002.vol-0001.tar");
    assert_true(present);
    assert_int_equal(size, size_of(volume(dir, 2, 1)));
    assert_string_equal(snap_archive_file(archive, tensors, &size, &present),
                        "step-0000000002.snap.tar");
    assert_int_equal(size, size_of(toy_snapshot(dir, 2)));
    assert_null(snap_archive_file(archive, tensors + 1, NULL, NULL));
    snap_archive_close(archive);
    toy_remove(dir);
    free(dir);

    dir = toy_folder();
    train(dir, 2, 3000, 0, 0, digest);
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 2), &archive, &err));
    size_t volumes = snap_archive_volume_count(archive);
    assert_true(volumes > 1 && volumes < tensors);
    for (unsigned i = 1; i <= volumes; i++)
        assert_true(size_of(volume(dir, 2, i)) <= 3000);
    snap_archive_close(archive);
    toy_remove(dir);
    free(dir);

    dir = toy_folder();
    train(dir, 2, 1 << 20, 0, 0, digest); /* all of it fits into one file */
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), 0);
    toy_remove(dir);
    free(dir);
}

static void test_restore(void **state)
{
    unsigned char expected[SNAP_DIGEST_BYTES];
    unsigned char found[SNAP_DIGEST_BYTES];
    char *whole = toy_folder();
    char *cut = toy_folder();
    (void)state;
    train(whole, 6, 0, 0, 0, expected);
    train(cut, 2, 1, 0, 0, found);
    train(cut, 6, 3000, 0, 0, found); /* restored from volumes, and cut otherwise from then on */
    assert_memory_equal(found, expected, sizeof found);
    assert_same_archives(toy_snapshot(whole, 6), toy_snapshot(cut, 6));
    CHECK_OK(snap_verify_run(cut, NULL, NULL, &err));
    CHECK_OK(snap_fsck_run(cut, NULL, NULL, &err));
    toy_remove(whole);
    toy_remove(cut);
    free(whole);
    free(cut);
}

/* ---- thin ones ---- */

static void test_thin(void **state)
{
    unsigned char expected[SNAP_DIGEST_BYTES];
    unsigned char found[SNAP_DIGEST_BYTES];
    struct snap_archive *archive = NULL;
    char *whole = toy_folder();
    char *cut = toy_folder();
    (void)state;
    train(whole, STEPS, 0, 0, 0, expected);
    train(cut, STEPS, 1, 0, 1, found);
    assert_memory_equal(found, expected, sizeof found);
    CHECK_OK(snap_archive_open(toy_snapshot(cut, 4), &archive, &err));
    assert_true(snap_archive_withheld_count(archive) > 0); /* read from volumes of the base */
    assert_true(snap_archive_volume_count(archive) > 0);
    snap_archive_close(archive);
    assert_same_archives(toy_snapshot(whole, 4), toy_snapshot(cut, 4));
    toy_remove(whole);
    toy_remove(cut);
    free(whole);
    free(cut);
}

/* ---- joining, cutting, pruning ---- */

static void test_pack(void **state)
{
    struct snap_pack_options options = SNAP_PACK_OPTIONS_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char *whole = toy_folder();
    char *cut = toy_folder();
    size_t taken = 9;
    size_t volumes = 9;
    (void)state;
    train(whole, 2, 0, 0, 0, digest);
    train(cut, 2, 3000, 0, 0, digest);
    const char *snapshots = toy_path(cut, "snapshots");
    size_t before = count_files(snapshots, ".vol-");
    options.output = toy_path(cut, "joined.snap.tar");
    CHECK_OK(snap_pack(toy_snapshot(cut, 2), &options, &taken, &volumes, &err));
    assert_true(toy_same_files(toy_path(cut, "joined.snap.tar"), toy_snapshot(whole, 2)));
    assert_int_equal(taken, 0);
    assert_int_equal(volumes, 0);
    options.volume_size = 1;
    CHECK_FAILS(SNAP_IO, "joined.snap.tar: write there: it is there already",
                snap_pack(toy_snapshot(cut, 2), &options, NULL, NULL, &err));
    assert_int_equal(count_files(snapshots, ".vol-"), before);
    assert_int_equal(count_files(cut, ".vol-"), 0);
    options.output = NULL; /* cut again in place: the old ones are gone, the new have numbers */
    CHECK_OK(snap_pack(toy_snapshot(cut, 2), &options, NULL, &volumes, &err));
    assert_int_equal(count_files(snapshots, ".vol-"), volumes);
    assert_true(volumes > before);
    assert_int_equal(size_of(volume(cut, 2, (unsigned)before)), 0);
    assert_true(size_of(volume(cut, 2, (unsigned)before + 1)) > 0);
    assert_same_archives(toy_snapshot(whole, 2), toy_snapshot(cut, 2));
    char *once = toy_read(volume(cut, 2, (unsigned)before + 1), NULL);
    CHECK_OK(snap_pack(toy_snapshot(cut, 2), &options, NULL, &volumes, &err)); /* it is so */
    char *twice = toy_read(volume(cut, 2, (unsigned)before + 1), NULL);
    assert_non_null(twice);
    assert_string_equal(once, twice);
    free(once);
    free(twice);
    options.volume_size = 0;
    CHECK_OK(snap_pack(toy_snapshot(cut, 2), &options, NULL, NULL, &err));
    assert_true(toy_same_files(toy_snapshot(cut, 2), toy_snapshot(whole, 2)));
    assert_int_equal(count_files(snapshots, ".vol-"), 0);
    toy_remove(whole);
    toy_remove(cut);
    free(whole);
    free(cut);
}

/* A reader that has the index open, and finds its volumes gone since: it opens what has come in
 * its place. */
static void test_replaced_while_opened(void **state)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    struct snap_archive *archive = NULL;
    char *dir = toy_folder();
    (void)state;
    train(dir, 2, 3000, 0, 0, digest);
    int fd = open(toy_snapshot(dir, 2), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    CHECK_OK(snap_pack(toy_snapshot(dir, 2), NULL, NULL, NULL, &err));
    CHECK_OK(snap_archive_open_fd(fd, toy_snapshot(dir, 2), &archive, &err));
    assert_int_equal(snap_archive_withheld_count(archive), 0);
    assert_int_equal(snap_archive_volume_count(archive), 0);
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    snap_archive_close(archive);
    toy_remove(dir);
    free(dir);
}

/* Whoever begins a run there removes volumes that nobody names yet. */
static void test_no_volumes_where_somebody_trains(void **state)
{
    struct snap_pack_options options = SNAP_PACK_OPTIONS_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    struct toy toy;
    struct snap_run *run = NULL;
    char *dir = toy_folder();
    (void)state;
    train(dir, 2, 0, 0, 0, digest);
    options.volume_size = 3000;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_BUSY, "snapshots: write volumes there: a process is training in this run",
                snap_pack(toy_snapshot(dir, 2), &options, NULL, NULL, &err));
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), 0);
    options.output = toy_path(dir, "copy.snap.tar"); /* in the run's own folder */
    CHECK_FAILS(SNAP_BUSY, "write volumes there: a process is training in this run",
                snap_pack(toy_snapshot(dir, 2), &options, NULL, NULL, &err));
    assert_int_equal(count_files(dir, ".vol-"), 0);
    options.output = NULL;
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    CHECK_OK(snap_pack(toy_snapshot(dir, 2), &options, NULL, NULL, &err));
    toy_remove(dir);
    free(dir);
}

/* Volumes that another archive names, a copy under another name, stay. */
static void test_pack_leaves_what_others_name(void **state)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    char *dir = toy_folder();
    (void)state;
    train(dir, 2, 3000, 0, 0, digest);
    size_t before = count_files(toy_path(dir, "snapshots"), ".vol-");
    toy_copy(toy_snapshot(dir, 2), toy_path(dir, "snapshots/best.snap.tar"));
    CHECK_OK(snap_pack(toy_snapshot(dir, 2), NULL, NULL, NULL, &err));
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), before);
    assert_same_archives(toy_snapshot(dir, 2), toy_path(dir, "snapshots/best.snap.tar"));
    toy_remove(dir);
    free(dir);
}

static void test_prune(void **state)
{
    struct snap_keep keep = SNAP_KEEP_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char *dir = toy_folder();
    (void)state;
    keep.last = 1;
    train(dir, STEPS, 1, 0, 0, digest);
    size_t each = count_files(toy_path(dir, "snapshots"), ".vol-") / 2;
    CHECK_OK(snap_prune_run(dir, &keep, false, NULL, NULL, NULL, &err));
    assert_int_equal(count_files(toy_path(dir, "snapshots"), "2.vol-"), 0);
    assert_int_equal(count_files(toy_path(dir, "snapshots"), "4.vol-"), each);
    CHECK_OK(snap_fsck_run(dir, NULL, NULL, &err));
    toy_remove(dir);
    free(dir);
}

/* ---- files of a run in memory ---- */

/* What is replaced stays whole until the new one is: other volumes, and then the old ones go. */
static void test_save_as_again(void **state)
{
    struct toy toy;
    struct snap_run *run = NULL;
    char hash[2][SNAP_HASH_TEXT_BYTES];
    char *dir = toy_folder();
    const char *path = toy_path(dir, "state.tar");
    (void)state;
    toy_init(&toy);
    toy.volume_size = 3000;
    CHECK_OK(toy_open(&toy, NULL, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 1, &err));
    CHECK_OK(snap_run_save_as(run, path, hash[0], &err));
    size_t each = count_files(dir, "state.tar.vol-");
    assert_true(each > 1);
    CHECK_OK(toy_train(&toy, run, 2, &err));
    for (int i = 0; i < 3; i++) {
        struct snap_archive *archive = NULL;
        CHECK_OK(snap_run_save_as(run, path, hash[1], &err));
        assert_int_equal(count_files(dir, "state.tar.vol-"), each);
        CHECK_OK(snap_archive_open(path, &archive, &err));
        CHECK_OK(snap_archive_check(archive, NULL, &err));
        assert_string_equal(snap_archive_snapshot_hash(archive), hash[1]);
        snap_archive_close(archive);
    }
    assert_string_not_equal(hash[0], hash[1]);
    CHECK_FAILS(SNAP_INVALID, "write it in volumes: their names begin with its own",
                snap_run_save_as(run, toy_path(dir, "mein zustand.tar"), NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_remove(dir);
    free(dir);
}

/* A run of 600 tensors of one number, in volumes of that size. `dir` NULL: in memory. */
static struct snap_run *open_many(const char *dir, uint64_t volume_size)
{
    enum { COUNT = 600 };
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run = NULL;
    struct snap_device device;
    static float memory[COUNT];
    static uint64_t counts[COUNT];
    static char texts[COUNT][16];
    static const char *names[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "w%u", i);
        names[i] = texts[i];
        counts[i] = 1;
    }
    CHECK_OK(snap_device_parse("cpu", &device, &err));
    options.dir = dir;
    options.volume_size = volume_size;
    CHECK_OK(snap_run_open(&options, &run, &err));
    CHECK_OK(snap_run_add_slab(run, "model", memory, device, SNAP_F32, COUNT, names, counts, &err));
    return run;
}

/* Before the first step, with the size that is large enough; and one that is smaller by a byte is
 * not. */
static void test_too_many_are_told_at_once(void **state)
{
    static const uint64_t enough = 2 * 1024 + 1024; /* two members, and the end */
    struct snap_archive *archive = NULL;
    char *dir = toy_folder();
    (void)state;
    struct snap_run *run = open_many(toy_path(dir, "run"), 1);
    CHECK_FAILS(SNAP_INVALID,
                "volume_size: 1: the tensors of this state have 2400 bytes, and volumes of that "
                "size would be 600, and at most 512 are allowed: from 3072 on they fit",
                snap_run_begin_step(run, &err));
    assert_int_equal(count_files(toy_path(dir, "run"), "ledger"), 0);
    CHECK_OK(snap_run_close(run, &err));
    run = open_many(NULL, enough - 1);
    CHECK_FAILS(SNAP_INVALID, "volume_size: 3071: ", snap_run_check_volumes(run, &err));
    CHECK_OK(snap_run_close(run, &err));
    run = open_many(NULL, enough);
    CHECK_OK(snap_run_check_volumes(run, &err));
    CHECK_OK(snap_run_save_as(run, toy_path(dir, "many.snap.tar"), NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    CHECK_OK(snap_archive_open(toy_path(dir, "many.snap.tar"), &archive, &err));
    assert_int_equal(snap_archive_volume_count(archive), 300);
    snap_archive_close(archive);
    toy_remove(dir);
    free(dir);
}

/* Nothing is written when they would be too many. */
static void test_too_many(void **state)
{
    char *dir = toy_folder();
    (void)state;
    struct snap_run *run = open_many(NULL, 1);
    CHECK_FAILS(SNAP_INVALID, "would be 600, and at most 512 are allowed",
                snap_run_save_as(run, toy_path(dir, "many.snap.tar"), NULL, &err));
    assert_int_equal(count_files(dir, "many"), 0);
    CHECK_OK(snap_run_close(run, &err));
    toy_remove(dir);
    free(dir);
}

/* ---- leftovers ---- */

/* A save that was stopped before its archive had its name. */
static void test_leftovers(void **state)
{
    struct snap_fsck_options repair = SNAP_FSCK_OPTIONS_INIT;
    struct snap_verdict *verdict = NULL;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char *dir = toy_folder();
    (void)state;
    repair.repair = true;
    train(dir, 2, 3000, 0, 0, digest);
    size_t before = count_files(toy_path(dir, "snapshots"), ".vol-");
    toy_copy(volume(dir, 2, 1), volume(dir, 4, 1));
    toy_copy(volume(dir, 2, 1), volume(dir, 2, 77)); /* of the archive that is there, not named */
    CHECK_OK(snap_fsck_run(dir, NULL, &verdict, &err));
    assert_non_null(strstr(snap_verdict_text(verdict), "step-0000000004.vol-0001.tar: left by"));
    assert_non_null(strstr(snap_verdict_text(verdict), "step-0000000002.vol-0077.tar: left by"));
    assert_null(strstr(snap_verdict_text(verdict), "step-0000000002.vol-0001.tar"));
    snap_verdict_free(verdict);
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), before + 2);
    CHECK_OK(snap_fsck_run(dir, &repair, NULL, &err));
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), before);
    toy_copy(volume(dir, 2, 1), volume(dir, 4, 1));
    train(dir, 2, 3000, 0, 0, digest); /* the next run in the folder */
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), before);
    toy_copy(volume(dir, 2, 1), volume(dir, 2, 77));
    char *bytes = toy_read(toy_snapshot(dir, 2), NULL);
    toy_write(toy_snapshot(dir, 2), bytes, 1000); /* damaged: nobody knows what it names */
    free(bytes);
    assert_int_not_equal(snap_fsck_run(dir, &repair, NULL, &err), SNAP_OK);
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), before + 1);
    toy_remove(dir);
    free(dir);
}

/* Train from the snapshot of step 2 to the end again. */
static void train_again(const char *dir, uint64_t volume_size, const struct snap_keep *keep)
{
    struct toy toy;
    struct snap_run *run = NULL;
    toy_init(&toy);
    toy.every = 2;
    toy.volume_size = volume_size;
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 2), &run, &err));
    CHECK_OK(snap_run_set_keep(run, keep, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, STEPS, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
}

/* How often the events tell of volumes of that file that stay. */
static size_t count_left_over(const char *dir, unsigned step)
{
    char file[64];
    size_t count = 0;
    char *events = toy_read(toy_path(dir, "events.jsonl"), NULL);
    snprintf(file, sizeof file, "\"left_over\",\"file\":\"snapshots/step-%010u.snap", step);
    for (const char *at = events; (at = strstr(at, file)) != NULL; at++)
        count++;
    free(events);
    return count;
}

/* Old volumes that cannot be removed: what was written is there and reported, and they are told. */
static void test_volumes_stick(void **state)
{
    struct snap_fsck_options repair = SNAP_FSCK_OPTIONS_INIT;
    struct snap_pack_options pack = SNAP_PACK_OPTIONS_INIT;
    struct snap_error left_over = SNAP_ERROR_INIT;
    struct snap_keep keep = SNAP_KEEP_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char *whole = toy_folder();
    char *dir = toy_folder();
    const char *snapshots = toy_path(dir, "snapshots");
    (void)state;
    repair.repair = true;
    keep.last = 1;
    pack.left_over = &left_over;
    train(whole, STEPS, 0, 0, 0, digest);
    train(dir, STEPS, 3000, 0, 0, digest);
    size_t each = count_files(snapshots, "4.vol-");
    assert_int_equal(remove(volume(dir, 4, 2)), 0); /* the first has what never moves */
    volumes_stick = true;
    train_again(dir, 0, &keep); /* in one file, where volumes were; and step 2 goes */
    volumes_stick = false;
    assert_true(toy_same_files(toy_snapshot(whole, 4), toy_snapshot(dir, 4)));
    assert_int_equal(count_files(snapshots, "4.vol-"), each - 1);
    assert_int_equal(count_files(snapshots, "2.vol-"), each);
    assert_int_equal(count_left_over(dir, 4), 1);
    assert_int_equal(count_left_over(dir, 2), 1);
    CHECK_OK(snap_fsck_run(dir, &repair, NULL, &err));
    assert_int_equal(count_files(snapshots, ".vol-"), 0);

    pack.volume_size = 3000;
    CHECK_OK(snap_pack(toy_snapshot(dir, 4), &pack, NULL, NULL, &err));
    assert_int_equal(left_over.status, SNAP_OK);
    pack.volume_size = 0;
    volumes_stick = true;
    CHECK_OK(snap_pack(toy_snapshot(dir, 4), &pack, NULL, NULL, &err));
    volumes_stick = false;
    assert_int_equal(left_over.status, SNAP_IO);
    assert_non_null(strstr(left_over.text, "step-0000000004.vol-0001.tar"));
    assert_true(toy_same_files(toy_snapshot(whole, 4), toy_snapshot(dir, 4)));
    assert_int_equal(count_files(snapshots, "4.vol-"), each);
    toy_remove(whole);
    toy_remove(dir);
    free(whole);
    free(dir);
}

/* An archive that cannot be read for now may name any volume: none goes. */
static void test_unread(void **state)
{
    struct snap_fsck_options repair = SNAP_FSCK_OPTIONS_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    char *dir = toy_folder();
    (void)state;
    repair.repair = true;
    train(dir, 2, 3000, 0, 0, digest);
    const char *copy = toy_path(dir, "snapshots/best.snap.tar");
    assert_int_equal(rename(toy_snapshot(dir, 2), copy), 0);
    size_t before = count_files(toy_path(dir, "snapshots"), ".vol-");
    cannot_open = "best.snap.tar";
    (void)snap_fsck_run(dir, &repair, NULL, &err); /* latest is missing, too */
    cannot_open = NULL;
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), before);
    assert_int_equal(remove(copy), 0);
    (void)snap_fsck_run(dir, &repair, NULL, &err);
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), 0);
    toy_remove(dir);
    free(dir);
}

/* A snapshot that is damaged is replaced, volumes and all, by the run that comes to it again. */
static void test_replace_damaged(void **state)
{
    unsigned char expected[SNAP_DIGEST_BYTES];
    unsigned char found[SNAP_DIGEST_BYTES];
    char *whole = toy_folder();
    char *dir = toy_folder();
    (void)state;
    train(whole, STEPS, 0, 0, 0, expected);
    train(dir, STEPS, 3000, 0, 0, found);
    size_t before = count_files(toy_path(dir, "snapshots"), ".vol-");
    for (unsigned i = 2; i <= before / 2; i++)
        assert_int_equal(remove(volume(dir, 4, i)), 0);
    train_again(dir, 3000, NULL);
    assert_int_equal(count_files(toy_path(dir, "snapshots"), ".vol-"), before);
    assert_int_equal(size_of(volume(dir, 4, 1)), 0); /* it was named until the new one was there */
    assert_same_archives(toy_snapshot(whole, 4), toy_snapshot(dir, 4));
    toy_remove(whole);
    toy_remove(dir);
    free(whole);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes_do_not_depend_on_the_cut),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_thin),
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_replaced_while_opened),
        cmocka_unit_test(test_no_volumes_where_somebody_trains),
        cmocka_unit_test(test_pack_leaves_what_others_name),
        cmocka_unit_test(test_prune),
        cmocka_unit_test(test_save_as_again),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_too_many_are_told_at_once),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_volumes_stick),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_replace_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
