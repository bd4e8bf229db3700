/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine gives, with nothing of ours in it: SHA-256 by OpenSSL on all cores, a durable
 * write of the same bytes, and a copy of them in memory on all cores.
 *     bench_ideal digest FOLDER BYTES   each line "go": the seconds of hashing
 *     bench_ideal save FOLDER BYTES     each line "go": the longer of hashing and writing
 *     bench_ideal copy FOLDER BYTES     each line "go": the seconds of copying in memory */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#define PIECE_BYTES ((size_t)4 << 20)
#define MOST_THREADS 256
/* Writers wait for the disk: a few of them keep it busy. */
#define WRITERS 4

static unsigned char *bytes;
static unsigned char *copies; /* NULL: none are made */
static size_t pieces;
static atomic_size_t next;
static int file;

static void fail(const char *what)
{
    perror(what);
    exit(3);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *hash_pieces(void *unused)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    (void)unused;
    for (size_t i; (i = atomic_fetch_add(&next, 1)) < pieces;)
        if (EVP_Digest(bytes + i * PIECE_BYTES, PIECE_BYTES, digest, NULL, EVP_sha256(), NULL) != 1)
            fail("bench_ideal: SHA-256");
    return NULL;
}

static void *write_pieces(void *unused)
{
    (void)unused;
    for (size_t i; (i = atomic_fetch_add(&next, 1)) < pieces;)
        if (pwrite(file, bytes + i * PIECE_BYTES, PIECE_BYTES, (off_t)(i * PIECE_BYTES)) !=
            (ssize_t)PIECE_BYTES)
            fail("bench_ideal: writing");
    return NULL;
}

static void *copy_pieces(void *unused)
{
    (void)unused;
    for (size_t i; (i = atomic_fetch_add(&next, 1)) < pieces;)
        memcpy(copies + i * PIECE_BYTES, bytes + i * PIECE_BYTES, PIECE_BYTES);
    return NULL;
}

static void run(void *(*body)(void *), long threads)
{
    pthread_t others[MOST_THREADS];
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    atomic_store(&next, 0);
    for (long i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, body, NULL) != 0)
            fail("bench_ideal: threads");
    body(NULL);
    for (long i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
}

static double on_all_cores(void *(*body)(void *))
{
    double began = seconds();
    run(body, sysconf(_SC_NPROCESSORS_ONLN));
    return seconds() - began;
}

static double write_durably(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/ideal", folder);
    double began = seconds();
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0644);
    if (file < 0 || posix_fallocate(file, 0, (off_t)(pieces * PIECE_BYTES)) != 0)
        fail(path);
    run(write_pieces, WRITERS);
    if (fsync(file) != 0 || close(file) != 0)
        fail(path);
    double ended = seconds();
    unlink(path);
    return ended - began;
}

/* Memory of all pieces, written to once. */
static unsigned char *new_memory(void)
{
    void *memory;
    if (posix_memalign(&memory, (size_t)2 << 20, pieces * PIECE_BYTES) != 0)
        fail("bench_ideal: memory");
    madvise(memory, pieces * PIECE_BYTES, MADV_HUGEPAGE); /* advice only */
    for (size_t i = 0; i < pieces * PIECE_BYTES; i += sizeof(uint64_t)) {
        uint64_t word = (i + 1) * 0x9E3779B97F4A7C15u;
        memcpy((unsigned char *)memory + i, &word, sizeof word);
    }
    return memory;
}

int main(int argc, char **argv)
{
    char line[16];
    if (argc != 4 || (strcmp(argv[1], "digest") != 0 && strcmp(argv[1], "save") != 0 &&
                      strcmp(argv[1], "copy") != 0)) {
        fprintf(stderr, "usage: bench_ideal digest|save|copy FOLDER BYTES\n");
        return 2;
    }
    pieces = (size_t)(strtoull(argv[3], NULL, 10) + PIECE_BYTES - 1) / PIECE_BYTES;
    bytes = new_memory();
    copies = strcmp(argv[1], "copy") == 0 ? new_memory() : NULL;
    while (fgets(line, sizeof line, stdin) != NULL) {
        double longer = on_all_cores(copies != NULL ? copy_pieces : hash_pieces);
        double writing = strcmp(argv[1], "save") == 0 ? write_durably(argv[2]) : 0;
        printf("%.6f\n", writing > longer ? writing : longer);
        fflush(stdout);
    }
    free(copies);
    free(bytes);
    return 0;
}
