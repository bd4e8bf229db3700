/* SPDX-License-Identifier: Apache-2.0 */
/* What a folder does as a store beyond what every store must (test_store.c): modes and names of
 * files, messages, and locks between processes. */
#include "config.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store_ops.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;
static const struct snap_put_options create = { .mode = SNAP_PUT_CREATE };
static const struct snap_put_options replace = { .mode = SNAP_PUT_REPLACE };

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_tree(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS), 0);
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "snap-test-XXXXXX";
    char path[64];
    struct snap_store *store = NULL;
    struct stat info;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/run", folder);
    CHECK_FAILS(SNAP_NOT_FOUND, path, snap_store_dir_open(path, false, &store, &err));
    snprintf(path, sizeof path, "%s/no/run", folder);
    CHECK_FAILS(SNAP_IO, path, snap_store_dir_open(path, true, &store, &err));
    snprintf(path, sizeof path, "%s/run", folder);
    CHECK_OK(snap_store_dir_open(path, true, &store, &err));
    assert_string_equal(snap_store_path(store), path);
    mode_t mask = umask(022);
    CHECK_OK(snap_store_put_bytes(store, "snapshots/a", "x", 1, &create, &err));
    CHECK_OK(snap_store_put_bytes(store, "latest", "x", 1, &replace, &err));
    umask(mask);
    snprintf(path, sizeof path, "%s/run/snapshots/a", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0644);
    assert_int_equal(info.st_nlink, 1);
    snprintf(path, sizeof path, "%s/run/latest", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0644);

    /* The folder's own name stands in messages. */
    CHECK_FAILS(SNAP_DIFFERS, "/run/snapshots/a: is there already",
                snap_store_put_bytes(store, "snapshots/a", "y", 1, &create, &err));
    snprintf(path, sizeof path, "%s/run/file", folder);
    CHECK_OK(snap_store_put_bytes(store, "file", "x", 1, &create, &err));
    CHECK_FAILS(SNAP_IO, "/run/file", snap_store_put_bytes(store, "file/a", "y", 1, &create, &err));
    snap_store_close(store);
    remove_tree(folder);
    snap_store_close(NULL);
}

/* A lock is held against another process, and lost with its holder. */
static void test_lock_of_another(void **state)
{
    (void)state;
    char folder[] = "snap-test-XXXXXX";
    struct snap_store *store = NULL;
    struct snap_store_lock *lock = NULL;
    int ready[2];
    char byte;
    assert_non_null(mkdtemp(folder));
    CHECK_OK(snap_store_dir_open(folder, false, &store, &err));
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (snap_store_lock(store, "events.jsonl", &lock, &err) == SNAP_OK &&
            write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    CHECK_FAILS(SNAP_BUSY, "events.jsonl", snap_store_lock(store, "events.jsonl", &lock, &err));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK_OK(snap_store_lock(store, "events.jsonl", &lock, &err));
    snap_store_unlock(store, lock);
    close(ready[0]);
    close(ready[1]);
    snap_store_close(store);
    remove_tree(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_lock_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
