/* SPDX-License-Identifier: Apache-2.0 */
/* What check_vectors shares: a result as text, the arguments of a call, and the families. Running
 * out of memory or a vectors file that is not one ends the program with 2. */
#ifndef SNAP_TESTS_VECTORS_H
#define SNAP_TESTS_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/stream.h>
#include <snapstate/tree.h>

/* ---- results ---- */

/* What a call gave: numbers of `width` bytes (floats by their bits), kept in 64 bits each, or, when
 * they do not fit, texts. */
struct result {
    size_t count;
    size_t capacity;
    uint64_t *numbers;
    char **texts;   /* NULL, or one a result */
    unsigned width; /* bytes of a float's bits; 0: integers */
    bool is_unsigned;
};

void result_clear(struct result *result);
void result_add(struct result *result, uint64_t number);
void result_add_int(struct result *result, int64_t number);
void result_add_double(struct result *result, double number);
void result_add_text(struct result *result, const char *text);
/* An integer given as 32-bit words, least significant first, in decimal. */
void result_add_words(struct result *result, const uint32_t *words, size_t count, bool negative);
void result_add_bytes(struct result *result, const unsigned char *bytes, size_t count);
/* `count` elements of a tensor. */
void result_add_tensor(struct result *result, enum snap_dtype dtype, const void *data,
                       size_t count);
/* Compare with the `out` and `bits` of a call; 0, or the number of the first that differs counted
 * from 1, and a line in `text`. */
size_t result_compare(const struct result *result, const char *type, const json_t *out,
                      const json_t *bits, size_t word_bytes, char text[256]);

/* ---- arguments ---- */

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *allocate(size_t count, size_t size_bytes);

/* An argument by name, or entry `index` of a list; fails when it is not there. */
const json_t *argument(const json_t *args, const char *name);
bool has_argument(const json_t *args, const char *name); /* there, and not null */
double to_double(const json_t *value);                   /* a number or {"f64": ...} */
int64_t to_int(const json_t *value);                     /* mod 2^64 when it is past the range */
const char *to_digits(const json_t *value, char buffer[32]); /* the decimal text of any integer */
size_t argument_size(const json_t *args, const char *name, size_t otherwise);
int64_t argument_int(const json_t *args, const char *name);
double argument_double(const json_t *args, const char *name, double otherwise);
const char *argument_text(const json_t *args, const char *name);
/* Entry `index` of "params", or `otherwise` when the list is shorter. */
double parameter(const json_t *args, size_t index, double otherwise);
/* n of "range(n)" or "arange(n)...". */
uint64_t range_of(const char *text);
uint64_t decimal_u64(const char *text);
/* The JSON text of a file, which may be compressed by gzip; owned by the caller. */
json_t *load_vectors(const char *path);
/* 32-bit words of a decimal (or, base 16, hexadecimal) number, least significant first, without its
 * sign; malloc'd. */
uint32_t *digits_to_words(const char *digits, unsigned base, size_t *count);
unsigned char *hex_to_bytes(const char *hex, size_t *count);
/* Doubles or words of a list; malloc'd. */
double *to_doubles(const json_t *list, size_t *count);
uint32_t *to_words(const json_t *list, size_t *count);

/* ---- families ---- */

struct family {
    const char *name; /* "family" of the file */
    const char *kind; /* of the stream */
    /* (optional) The kind of a case's stream, where they are not all of one. */
    const char *(*kind_of)(const json_t *a_case);
    /* (optional) Look at the file's header, for the library's version. */
    void (*begin)(const json_t *file);
    /* Seed as the case says. */
    void (*seed)(struct snap_stream *stream, const json_t *seed);
    /* (optional) Whether the case's states do not hold enough to restore one. */
    bool (*only_seeded)(const json_t *a_case);
    /* Put the stream where a state of the library says. */
    void (*restore)(struct snap_stream *stream, const json_t *state);
    /* The member bytes that a state of the library must have, made here from its own terms;
     * malloc'd. */
    void *(*expected)(const json_t *state, size_t *size_bytes);
    /* (optional) Whether the stream, which has been `seeded` as the case says or restored, is in
     * that state; NULL: its member bytes are the expected ones. */
    bool (*same_state)(struct snap_stream *stream, const json_t *a_case, const json_t *state,
                       bool seeded);
    /* One call; false when this program does not know it. */
    bool (*call)(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result);
};

extern const struct family python_family;
extern const struct family numpy_family;
extern const struct family generator_family;
extern const struct family torch_family;
extern const struct family torch_cuda_family;
extern const struct family jax_family; /* the keys of counter_based.json */
extern const struct family by_name_family;

/* A draw of Generator; false when this program does not know it. */
bool generator_draw(struct snap_stream *stream, const char *fn, const json_t *args,
                    struct result *result);
/* A state of a bit generator in the form of its member, without "seed_seq"; consumed by the
 * caller. */
json_t *generator_state(const json_t *state);

/* A case of counter_based.json that has no stream: Philox, Threefry, at::Philox4_32. */
bool hash_call(const json_t *a_case, const char *fn, const json_t *args, struct result *result);

/* JSON text as the canonical form has it; malloc'd. `value` is consumed. */
void *canonical(json_t *value, size_t *size_bytes);
/* The internals of a stream. */
void *internals(struct snap_stream *stream, const char *kind);
void must(enum snap_status status, const struct snap_error *err, const char *what);

/* Which entry of "variants" the libm of this machine equals: "base", "libm-nofma", or NULL when it
 * is neither. */
const char *libm_variant(void);

#endif
