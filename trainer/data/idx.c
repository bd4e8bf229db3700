/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "data/idx.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <snapstate/run.h>

#include "data/data_bytes.h"

enum { IDX_UNSIGNED_BYTES = 0x08, IDX_FIXED_HEADER = 4 };

/* Deflate codes at most 258 bytes in two bits, so a byte of a gzip file holds at most 1032: what a
 * header announces beyond that cannot be in the file. */
static const uint64_t GZIP_MAX_RATIO = 1032;

static bool is_gzip(const uint8_t *bytes, size_t size_bytes)
{
    return size_bytes >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/* Where decoded bytes come from: a gzip file, or plain bytes. */
struct source {
    const char *path;
    bool gzip;
    z_stream inflater;
    const uint8_t *rest;
    size_t rest_size;
    bool ended; /* gzip: a member ended, and nothing follows it */
};

static enum snap_status source_open(struct source *source, const char *path, const uint8_t *bytes,
                                    size_t size_bytes, struct snap_error *err)
{
    memset(source, 0, sizeof(*source));
    source->path = path;
    source->rest = bytes;
    source->rest_size = size_bytes;
    source->gzip = is_gzip(bytes, size_bytes);
    /* 15: the largest window; 16 more: gzip's header and checksum, and nothing else. */
    if (source->gzip && inflateInit2(&source->inflater, 15 + 16) != Z_OK)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory to decompress it", path);
    return SNAP_OK;
}

static void source_close(struct source *source)
{
    if (source->gzip)
        inflateEnd(&source->inflater);
}

/* Inflate up to `wanted` bytes; *got < wanted only at the end of the file. */
static enum snap_status read_gzip(struct source *source, uint8_t *to, size_t wanted, size_t *got,
                                  struct snap_error *err)
{
    *got = 0;
    while (*got < wanted && !source->ended) {
        z_stream *z = &source->inflater;
        size_t in = source->rest_size < UINT_MAX ? source->rest_size : UINT_MAX;
        size_t out = wanted - *got < UINT_MAX ? wanted - *got : UINT_MAX;
        z->next_in = (Bytef *)source->rest;
        z->avail_in = (uInt)in;
        z->next_out = to + *got;
        z->avail_out = (uInt)out;
        int result = inflate(z, Z_NO_FLUSH);
        source->rest += in - z->avail_in;
        source->rest_size -= in - z->avail_in;
        *got += out - z->avail_out;
        if (result == Z_STREAM_END) {
            /* gzip files may be joined; zlib wants to be told. */
            if (source->rest_size == 0)
                source->ended = true;
            else if (inflateReset(z) != Z_OK)
                return snap_error_set(err, SNAP_INTERNAL, "%s: zlib cannot go on", source->path);
        } else if (result == Z_BUF_ERROR || (result == Z_OK && source->rest_size == 0 &&
                                             z->avail_out != 0)) {
            return snap_error_set(err, SNAP_CORRUPT, "%s: gzip data end too early: the file is cut",
                                  source->path);
        } else if (result == Z_MEM_ERROR) {
            return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory to decompress it",
                                  source->path);
        } else if (result != Z_OK) {
            return snap_error_set(err, SNAP_CORRUPT, "%s: gzip data are damaged: %s", source->path,
                                  z->msg != NULL ? z->msg : "not gzip");
        }
    }
    return SNAP_OK;
}

static enum snap_status source_read(struct source *source, uint8_t *to, size_t wanted, size_t *got,
                                    struct snap_error *err)
{
    if (source->gzip)
        return read_gzip(source, to, wanted, got, err);
    *got = wanted < source->rest_size ? wanted : source->rest_size;
    if (*got > 0)
        memcpy(to, source->rest, *got);
    source->rest += *got;
    source->rest_size -= *got;
    return SNAP_OK;
}

/* Read the header; say how many elements it announces, if the file can hold them. */
static enum snap_status read_header(struct source *source, size_t size_bytes, struct trn_idx *idx,
                                    struct snap_error *err)
{
    uint8_t header[IDX_FIXED_HEADER + 4 * TRN_IDX_MAX_DIMS];
    size_t got;
    enum snap_status status = source_read(source, header, IDX_FIXED_HEADER, &got, err);
    if (status != SNAP_OK)
        return status;
    if (got < IDX_FIXED_HEADER || header[0] != 0 || header[1] != 0 || header[3] == 0)
        return snap_error_set(err, SNAP_CORRUPT, "%s: not an IDX file%s: the first bytes are wrong",
                              source->path, source->gzip ? " in gzip" : "");
    if (header[2] != IDX_UNSIGNED_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: IDX elements of type 0x%02x: only unsigned bytes (0x08) are "
                              "read",
                              source->path, header[2]);
    idx->ndim = header[3];
    if (idx->ndim > TRN_IDX_MAX_DIMS)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: IDX with %zu dimensions: at most %d are read", source->path,
                              idx->ndim, TRN_IDX_MAX_DIMS);
    status = source_read(source, header + IDX_FIXED_HEADER, 4 * idx->ndim, &got, err);
    if (status != SNAP_OK)
        return status;
    if (got < 4 * idx->ndim)
        return snap_error_set(err, SNAP_CORRUPT, "%s: cut inside the IDX header", source->path);

    uint64_t most = source->gzip ? GZIP_MAX_RATIO * (uint64_t)size_bytes : source->rest_size;
    uint64_t count = 1;
    for (size_t i = 0; i < idx->ndim; i++) {
        const uint8_t *at = header + IDX_FIXED_HEADER + 4 * i;
        idx->dims[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        if (idx->dims[i] == 0)
            return snap_error_set(err, SNAP_CORRUPT, "%s: IDX dimension %zu is 0", source->path, i);
        /* count <= most < 2^54 here, or the file is larger than any disk. */
        if (idx->dims[i] > most / count)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: the IDX header announces more than the file can hold: it is "
                                  "cut or damaged",
                                  source->path);
        count *= idx->dims[i];
    }
    idx->count = (size_t)count;
    return SNAP_OK;
}

enum snap_status trn_idx_decode(const char *path, const uint8_t *bytes, size_t size_bytes,
                                struct trn_idx *idx, struct snap_error *err)
{
    struct trn_idx read = { .file_size = size_bytes };
    struct source source;
    uint8_t beyond;
    size_t got;

    enum snap_status status = source_open(&source, path, bytes, size_bytes, err);
    if (status != SNAP_OK)
        return status;
    status = read_header(&source, size_bytes, &read, err);
    if (status != SNAP_OK)
        goto out;
    read.elements = malloc(read.count);
    if (read.elements == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its %zu elements", path,
                                read.count);
        goto out;
    }
    status = source_read(&source, read.elements, read.count, &got, err);
    if (status != SNAP_OK)
        goto out;
    if (got < read.count) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: holds %zu elements where its IDX header announces %zu", path,
                                got, read.count);
        goto out;
    }
    status = source_read(&source, &beyond, 1, &got, err);
    if (status != SNAP_OK)
        goto out;
    if (got != 0) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: holds more than the %zu elements that its IDX header "
                                "announces",
                                path, read.count);
        goto out;
    }
    status = snap_bytes_digest(bytes, size_bytes, read.sha256, err);
    if (status != SNAP_OK)
        goto out;
    *idx = read;
    read.elements = NULL;
out:
    source_close(&source);
    free(read.elements);
    return status;
}

enum snap_status trn_idx_load(const char *path, struct trn_idx *idx, struct snap_error *err)
{
    uint8_t *bytes = NULL;
    size_t size_bytes = 0;
    enum snap_status status = trn_data_bytes_read(path, &bytes, &size_bytes, err);
    if (status != SNAP_OK)
        return status;
    status = trn_idx_decode(path, bytes, size_bytes, idx, err);
    free(bytes);
    return status;
}

void trn_idx_release(struct trn_idx *idx)
{
    free(idx->elements);
    memset(idx, 0, sizeof(*idx));
}
