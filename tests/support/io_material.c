/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "io_material.h"
#include "unit_check.h"

char io_path[] = "snap-test-XXXXXX";
struct snap_pool *io_pool;

struct io_faults fault;

void no_faults(void)
{
    fault.most_bytes = 0;
    fault.no_direct = false;
    fault.delay = 0;
    atomic_store(&fault.direct_calls, 0);
    atomic_store(&fault.countdown, 0);
    atomic_store(&fault.interruptions, 0);
    atomic_store(&fault.hit, false);
}

/* May this call be made? `size` may get smaller. */
static bool may_call(int fd, size_t *size)
{
    if (atomic_load(&fault.interruptions) > 0 && atomic_fetch_sub(&fault.interruptions, 1) > 0) {
        errno = EINTR;
        return false;
    }
    if (atomic_load(&fault.countdown) > 0 && atomic_fetch_sub(&fault.countdown, 1) == 1) {
        atomic_store(&fault.hit, true);
        errno = fault.error;
        return false;
    }
    bool direct = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    if (fault.no_direct && direct) {
        atomic_store(&fault.hit, true);
        errno = EINVAL;
        return false;
    }
    if (direct && fault.delay > 0)
        usleep(fault.delay);
    atomic_fetch_add(&fault.direct_calls, direct);
    if (fault.most_bytes > 0 && *size > fault.most_bytes)
        *size = fault.most_bytes;
    return true;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return may_call(fd, &size) ? syscall(SYS_pwrite64, fd, data, size, offset) : -1;
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return may_call(fd, &size) ? syscall(SYS_pread64, fd, data, size, offset) : -1;
}

static enum snap_status finish(void *arg, const struct snap_segment **segments, size_t *count,
                               struct snap_error *error)
{
    struct material *material = arg;
    (void)error;
    material->finished++;
    *segments = material->segments + material->count;
    *count = material->rest_count;
    return SNAP_OK;
}

void make_material(struct material *material, size_t size, size_t rest, size_t step)
{
    uint64_t word = size * 2654435761u + rest + step;
    memset(material, 0, sizeof *material);
    material->bytes = malloc(size + 1);
    assert_non_null(material->bytes);
    for (size_t i = 0; i < size; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        material->bytes[i] = (unsigned char)(word >> 56);
    }
    material->size = size;
    for (size_t at = 0, i = 0; at < size || i == 0; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        size_t border = at < size - rest ? size - rest : size;
        size_t bytes = i % 7 == 3 ? 0 : (size_t)(word >> 33) % (2 * step) + 1;
        if (bytes > border - at || i + 40 > MOST_SEGMENTS)
            bytes = border - at;
        bool digested = i % 3 != 1 && at < size - rest;
        assert_true(i < MOST_SEGMENTS);
        material->segments[i] = (struct snap_segment){
            .offset = at,
            .data = material->bytes + at,
            .size_bytes = bytes,
            .sha256 = digested ? material->digests[i] : NULL
        };
        at += bytes;
        *(at <= size - rest ? &material->count : &material->rest_count) += 1;
    }
    material->content = (struct snap_content){ .segments = material->segments,
                                               .count = material->count,
                                               .size_bytes = size,
                                               .finish = finish,
                                               .arg = material };
}

int set_up_io(void **state)
{
    (void)state;
    int fd = mkstemp(io_path);
    if (fd < 0 || close(fd) != 0)
        return -1;
    return snap_pool_new(3, &io_pool, NULL) == SNAP_OK ? 0 : -1;
}

int tear_down_io(void **state)
{
    (void)state;
    snap_pool_free(io_pool);
    return unlink(io_path);
}

int new_file(void)
{
    unlink(io_path);
    int fd = open(io_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    return fd;
}

enum snap_status write_material(struct material *material, enum snap_io_way way,
                                struct snap_pool *threads, struct snap_error *err)
{
    const struct snap_write_options options = { .way = way, .pool = threads };
    struct snap_rest rest = { NULL, 0 };
    int fd = new_file();
    material->finished = 0;
    enum snap_status status =
        snap_write_file(fd, &material->content, &options, &rest, io_path, err);
    assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT && status == SNAP_OK, 0);
    assert_int_equal(close(fd), 0);
    if (status == SNAP_OK) {
        assert_int_equal(material->finished, 1);
        assert_ptr_equal(rest.segments, material->segments + material->count);
        assert_int_equal(rest.count, material->rest_count);
    }
    return status;
}
