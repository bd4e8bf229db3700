/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a ledger's numbers:
 *
 *     "snap-metrics-1\n\0"                            16 bytes
 *     covered, last_line, lines, last_step            8 bytes each
 *     device, inode, seconds and nanoseconds of the ledger's last change
 *     genesis chain, chain of the last line           64 digits each
 *     number of series
 *     each: name (64 bytes, zeros behind it), count, first step or UINT64_MAX,
 *           `count` steps unless they follow the first one by one, `count` values as binary64
 *     SHA-256 of all before it                        32 bytes
 *
 * Integers are 8 bytes, little-endian. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <snapstate/run.h>

#include "metrics/run_metrics.h"
#include "process/run_paths.h"

static const char magic[16] = "snap-metrics-1\n";

/* A buffer that was made large enough, or one that is read. */
struct bytes {
    unsigned char *data;
    size_t at, size;
    bool bad; /* more was asked for than is there */
};

static void put(struct bytes *b, const void *data, size_t size)
{
    memcpy(b->data + b->at, data, size);
    b->at += size;
}

static void put_uint(struct bytes *b, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        b->data[b->at++] = (unsigned char)(value >> 8 * i);
}

static const unsigned char *get(struct bytes *b, size_t size)
{
    if (b->bad || size > b->size - b->at) {
        b->bad = true;
        return NULL;
    }
    b->at += size;
    return b->data + b->at - size;
}

static uint64_t uint_at(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static uint64_t get_uint(struct bytes *b)
{
    const unsigned char *bytes = get(b, 8);
    return bytes != NULL ? uint_at(bytes) : 0;
}

static void get_chain(struct bytes *b, char chain[TRN_CHAIN_TEXT])
{
    const unsigned char *bytes = get(b, TRN_CHAIN_TEXT - 1);
    if (bytes != NULL)
        memcpy(chain, bytes, TRN_CHAIN_TEXT - 1);
}

/* Does the ledger still have the line that the index ends with, at its place? */
static bool is_of_ledger(const struct trn_metrics *m, int fd)
{
    char start[9 + TRN_CHAIN_TEXT];
    char wanted[sizeof(start) + 1];
    char end;
    snprintf(wanted, sizeof(wanted), "{\"chain\":\"%s", m->chain);
    return m->covered > m->last_line &&
           pread(fd, start, sizeof(start), m->last_line) == (ssize_t)sizeof(start) &&
           memcmp(start, wanted, sizeof(start)) == 0 &&
           pread(fd, &end, 1, m->covered - 1) == 1 && end == '\n';
}

static bool get_series(struct bytes *b, struct trn_series *series)
{
    const unsigned char *name = get(b, TRN_SERIES_NAME_SIZE);
    uint64_t count = get_uint(b), first = get_uint(b);
    bool follows = first != UINT64_MAX;
    if (name == NULL || b->bad || name[TRN_SERIES_NAME_SIZE - 1] != '\0' || count == 0 ||
        count > (b->size - b->at) / (follows ? 8 : 16))
        return false;
    memcpy(series->name, name, TRN_SERIES_NAME_SIZE);
    series->steps = calloc(count, sizeof(*series->steps));
    series->values = calloc(count, sizeof(*series->values));
    if (series->steps == NULL || series->values == NULL)
        return false;
    series->count = series->capacity = (size_t)count;
    for (uint64_t i = 0; i < count; i++)
        series->steps[i] = follows ? first + i : get_uint(b);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bits = get_uint(b);
        memcpy(&series->values[i], &bits, sizeof(bits));
    }
    return true;
}

static bool decode(struct trn_metrics *m, struct bytes *b, int ledger_fd)
{
    unsigned char sha256[SNAP_DIGEST_BYTES];
    struct stat info;
    uint64_t device, inode, seconds, nanoseconds, count;
    if (b->size < sizeof(magic) + sizeof(sha256) || memcmp(b->data, magic, sizeof(magic)) != 0)
        return false;
    b->size -= sizeof(sha256);
    if (snap_bytes_digest(b->data, b->size, sha256, NULL) != SNAP_OK ||
        memcmp(sha256, b->data + b->size, sizeof(sha256)) != 0)
        return false;
    b->at = sizeof(magic);
    m->covered = (off_t)get_uint(b);
    m->last_line = (off_t)get_uint(b);
    m->lines = get_uint(b);
    m->last_step = get_uint(b);
    device = get_uint(b);
    inode = get_uint(b);
    seconds = get_uint(b);
    nanoseconds = get_uint(b);
    get_chain(b, m->genesis);
    get_chain(b, m->chain);
    count = get_uint(b);
    if (b->bad || count > TRN_SERIES_MOST || fstat(ledger_fd, &info) != 0 ||
        info.st_size < m->covered || !is_of_ledger(m, ledger_fd))
        return false;
    /* A ledger only grows: one that was changed and has not grown was changed by somebody else. */
    if (info.st_size == m->covered &&
        (device != (uint64_t)info.st_dev || inode != (uint64_t)info.st_ino ||
         seconds != (uint64_t)info.st_mtim.tv_sec || nanoseconds != (uint64_t)info.st_mtim.tv_nsec))
        return false;
    for (; m->series_count < count; m->series_count++)
        if (!get_series(b, &m->series[m->series_count]))
            return false;
    return b->at == b->size;
}

static void reset(struct trn_metrics *m)
{
    for (size_t i = 0; i < TRN_SERIES_MOST; i++) {
        free(m->series[i].steps);
        free(m->series[i].values);
    }
    memset(m, 0, sizeof(*m));
}

bool trn_metrics_load(struct trn_metrics *metrics, const char *index, int ledger_fd)
{
    struct bytes b = { .data = NULL };
    struct stat info;
    bool good = false;
    FILE *file = fopen(index, "re");
    if (file == NULL)
        return false;
    if (fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        (b.data = malloc((size_t)info.st_size)) != NULL) {
        b.size = fread(b.data, 1, (size_t)info.st_size, file);
        good = decode(metrics, &b, ledger_fd);
    }
    fclose(file); /* it was only read */
    free(b.data);
    if (!good)
        reset(metrics);
    return good;
}

static bool follow_one_by_one(const struct trn_series *series)
{
    return series->steps[series->count - 1] - series->steps[0] == series->count - 1;
}

void trn_metrics_store(const struct trn_metrics *m, const char *index, int ledger_fd)
{
    unsigned char sha256[SNAP_DIGEST_BYTES];
    char temporary[TRN_PATH_SIZE + 32];
    struct stat info;
    size_t size = sizeof(magic) + 9 * 8 + 2 * (TRN_CHAIN_TEXT - 1) + sizeof(sha256);
    if (fstat(ledger_fd, &info) != 0)
        return;
    for (size_t i = 0; i < m->series_count; i++)
        size += TRN_SERIES_NAME_SIZE + 16 +
                m->series[i].count * (follow_one_by_one(&m->series[i]) ? 8 : 16);
    struct bytes b = { .data = malloc(size) };
    if (b.data == NULL)
        return;
    put(&b, magic, sizeof(magic));
    put_uint(&b, (uint64_t)m->covered);
    put_uint(&b, (uint64_t)m->last_line);
    put_uint(&b, m->lines);
    put_uint(&b, m->last_step);
    put_uint(&b, (uint64_t)info.st_dev);
    put_uint(&b, (uint64_t)info.st_ino);
    put_uint(&b, (uint64_t)info.st_mtim.tv_sec);
    put_uint(&b, (uint64_t)info.st_mtim.tv_nsec);
    put(&b, m->genesis, TRN_CHAIN_TEXT - 1);
    put(&b, m->chain, TRN_CHAIN_TEXT - 1);
    put_uint(&b, m->series_count);
    for (size_t i = 0; i < m->series_count; i++) {
        const struct trn_series *series = &m->series[i];
        char name[TRN_SERIES_NAME_SIZE] = "";
        bool follows = follow_one_by_one(series);
        memcpy(name, series->name, strlen(series->name));
        put(&b, name, sizeof(name));
        put_uint(&b, series->count);
        put_uint(&b, follows ? series->steps[0] : UINT64_MAX);
        for (size_t k = 0; k < series->count && !follows; k++)
            put_uint(&b, series->steps[k]);
        for (size_t k = 0; k < series->count; k++) {
            uint64_t bits;
            memcpy(&bits, &series->values[k], sizeof(bits));
            put_uint(&b, bits);
        }
    }
    if (snap_bytes_digest(b.data, b.at, sha256, NULL) == SNAP_OK) {
        put(&b, sha256, sizeof(sha256));
        /* A name of its own: two reports may be made at a time. */
        snprintf(temporary, sizeof(temporary), "%s.tmp-%ld", index, (long)getpid());
        FILE *file = fopen(temporary, "we");
        if (file != NULL) {
            bool written = fwrite(b.data, b.at, 1, file) == 1;
            written = fclose(file) == 0 && written;
            if (!written || rename(temporary, index) != 0)
                unlink(temporary); /* there is none, then */
        }
    }
    free(b.data);
}
