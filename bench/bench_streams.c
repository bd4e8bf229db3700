/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own side of the stream figures: numbers drawn by name through the public API.
 *     bench_streams
 * Each line "KIND DRAW COUNT FILLS SEED held|fresh" on standard input seeds a new stream, fills
 * COUNT numbers FILLS times, and is answered by the seconds of the shortest fill and the SHA-256 of
 * the numbers of the last. "held": all fills go into one array; "fresh": the clock also counts
 * making an array and letting it go, where the peer has no call without it. */
#include "config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include <snapstate/snapstate.h>

struct request {
    char kind[32];
    char draw[32];
    char place[8];
    size_t count;
    unsigned fills;
    uint64_t seed;
};

static struct snap_error err = SNAP_ERROR_INIT;

static void stop(const char *text)
{
    fprintf(stderr, "bench_streams: %s\n", text);
    exit(3);
}

static void must(enum snap_status status)
{
    if (status != SNAP_OK)
        stop(err.text);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static size_t width_of(const struct request *ask)
{
    const struct snap_draw_info *info;
    for (size_t i = 0; (info = snap_stream_draw_at(ask->kind, i)) != NULL; i++) {
        if (strcmp(info->name, ask->draw) == 0)
            return snap_dtype_size_bytes(info->dtype);
    }
    stop("no such draw");
    return 0;
}

static void *array_of(size_t size_bytes)
{
    void *out = malloc(size_bytes);
    if (out == NULL)
        stop("out of memory");
    return out;
}

static void print_digest(const void *data, size_t size_bytes)
{
    unsigned char digest[32];
    if (EVP_Digest(data, size_bytes, digest, NULL, EVP_sha256(), NULL) != 1)
        stop("no SHA-256");
    for (size_t i = 0; i < sizeof digest; i++)
        printf("%02x", digest[i]);
    printf("\n");
    fflush(stdout);
}

static void answer(const struct request *ask)
{
    const bool fresh = strcmp(ask->place, "fresh") == 0;
    const size_t size_bytes = ask->count * width_of(ask);
    struct snap_stream *stream;
    void *out = array_of(size_bytes);
    double shortest = 1e9;

    must(snap_stream_new(ask->kind, &stream, &err));
    must(snap_stream_seed(stream, ask->seed, &err));
    for (unsigned i = 0; i < ask->fills; i++) {
        double began = seconds();
        void *kept = out;
        double took;
        if (fresh)
            out = array_of(size_bytes);
        must(snap_stream_draw(stream, ask->draw, out, ask->count, &err));
        if (fresh)
            free(kept);
        took = seconds() - began;
        shortest = took < shortest ? took : shortest;
    }
    printf("%.9f ", shortest);
    print_digest(out, size_bytes);
    free(out);
    snap_stream_free(stream);
}

int main(void)
{
    char line[160];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct request ask;
        if (sscanf(line, "%31s %31s %zu %u %" SCNu64 " %7s", ask.kind, ask.draw, &ask.count,
                   &ask.fills, &ask.seed, ask.place) != 6)
            stop("usage: lines of KIND DRAW COUNT FILLS SEED held|fresh");
        answer(&ask);
    }
    return 0;
}
