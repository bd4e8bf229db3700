/* SPDX-License-Identifier: Apache-2.0 */
/* stream_tool KIND [VERSION]: a stream that obeys lines on stdin and answers each with one line on
 * stdout, for tests that compare with the library of that name. Integers come in decimal, floats as
 * C reads them; floats go out as their bits in hex. A draw is a line NAME N [ARGUMENT...], answered
 * with N numbers; the functions below know the names. Other lines: seed S, encode, decode HEX,
 * words. A line that is refused is answered with "error: " and the reason. VERSION is a number of
 * enum snap_torch_version. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "generator_tool.h"
#include "stream/numpy_random_state.h"
#include "stream/python_random.h"
#include "stream/stream_family.h"
#include "stream/torch_cpu.h"

#define MAX_NUMBERS 200000u
#define MAX_LINE 65536u

/* A line, cut at its blanks. */
struct line {
    char text[MAX_LINE];
    size_t count;
    char *fields[16];
};

static void die(const char *what)
{
    fprintf(stderr, "stream_tool: %s\n", what);
    exit(2);
}

static void read_fields(struct line *line)
{
    line->count = 0;
    for (char *at = strtok(line->text, " \n"); at != NULL; at = strtok(NULL, " \n")) {
        if (line->count == sizeof line->fields / sizeof line->fields[0]) {
            die("too many fields");
        }
        line->fields[line->count++] = at;
    }
}

static double real(const struct line *line, size_t index, double otherwise)
{
    return index < line->count ? strtod(line->fields[index], NULL) : otherwise;
}

static int64_t integer(const struct line *line, size_t index)
{
    if (index >= line->count) {
        die("a field is missing");
    }
    return (int64_t)(line->fields[index][0] == '-' ? strtoll(line->fields[index], NULL, 10)
                                                   : (long long)strtoull(line->fields[index],
                                                                         NULL, 10));
}

static void put_double(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    printf(" %016" PRIx64, bits);
}

static void put_floats(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof bits);
        printf(" %08" PRIx32, bits);
    }
}

static void put_halves(const uint16_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf(" %04" PRIx16, values[i]);
    }
}

static void put_doubles(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_double(values[i]);
    }
}

static void put_integers(const uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf(" %" PRId64, (int64_t)values[i]);
    }
}

static void must(enum snap_status status, const struct snap_error *err)
{
    if (status != SNAP_OK) {
        die(err->text);
    }
}

/* Space for the numbers of one answer, in any type. */
static union {
    uint64_t integers[MAX_NUMBERS];
    uint32_t words[MAX_NUMBERS];
    double doubles[MAX_NUMBERS];
    float floats[MAX_NUMBERS];
    uint16_t halves[MAX_NUMBERS];
} out;

static bool draw_python(struct snap_stream *stream, const struct line *line, size_t n)
{
    struct snap_python_random *r =
        snap_stream_state(stream, &snap_python_random_family, line->fields[0], NULL);
    struct snap_error err = SNAP_ERROR_INIT;
    const char *fn = line->fields[0];

    if (strcmp(fn, "shuffle") == 0) {
        for (size_t i = 0; i < n; i++) {
            out.words[i] = (uint32_t)i;
        }
        must(snap_python_shuffle(stream, out.words, n, &err), &err);
        for (size_t i = 0; i < n; i++) {
            printf(" %" PRIu32, out.words[i]);
        }
        return true;
    }
    if (strcmp(fn, "sample") == 0) {
        must(snap_python_sample(r, (uint64_t)integer(line, 2), n, out.integers, &err), &err);
        put_integers(out.integers, n);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        double a = real(line, 2, 0.0);
        double b = real(line, 3, 1.0);

        if (strcmp(fn, "getrandbits") == 0) {
            printf(" %" PRIu64, snap_python_getrandbits(r, (unsigned)integer(line, 2)));
        } else if (strcmp(fn, "randrange") == 0) {
            uint64_t value;

            must(snap_python_randbelow(stream, (uint64_t)integer(line, 2), &value, &err), &err);
            printf(" %" PRIu64, value);
        } else if (strcmp(fn, "random") == 0) {
            double value;

            must(snap_python_random(stream, &value, &err), &err);
            put_double(value);
        } else if (strcmp(fn, "gauss") == 0) {
            put_double(snap_python_gauss(r, a, b));
        } else if (strcmp(fn, "normalvariate") == 0) {
            put_double(snap_python_normalvariate(r, a, b));
        } else if (strcmp(fn, "expovariate") == 0) {
            put_double(snap_python_expovariate(r, a));
        } else if (strcmp(fn, "gammavariate") == 0) {
            put_double(snap_python_gammavariate(r, a, b));
        } else if (strcmp(fn, "betavariate") == 0) {
            put_double(snap_python_betavariate(r, a, b));
        } else if (strcmp(fn, "vonmisesvariate") == 0) {
            put_double(snap_python_vonmisesvariate(r, a, b));
        } else {
            return false;
        }
    }
    return true;
}

static bool draw_numpy(struct snap_stream *stream, const struct line *line, size_t n)
{
    struct snap_numpy_random_state *r =
        snap_stream_state(stream, &snap_numpy_random_state_family, line->fields[0], NULL);
    struct snap_error err = SNAP_ERROR_INIT;
    const char *fn = line->fields[0];

    if (strcmp(fn, "randint") == 0) {
        must(snap_numpy_randint(stream, integer(line, 2), integer(line, 3),
                                (int64_t *)out.integers, n, &err),
             &err);
        put_integers(out.integers, n);
        return true;
    }
    if (strcmp(fn, "permutation") == 0) {
        snap_numpy_permutation(r, out.integers, n);
        put_integers(out.integers, n);
        return true;
    }
    if (strcmp(fn, "random_sample") == 0) {
        must(snap_numpy_random_sample(stream, out.doubles, n, &err), &err);
        put_doubles(out.doubles, n);
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fn, "standard_normal") == 0) {
            put_double(snap_numpy_standard_normal(r));
        } else if (strcmp(fn, "standard_exponential") == 0) {
            put_double(snap_numpy_standard_exponential(r));
        } else if (strcmp(fn, "standard_gamma") == 0) {
            put_double(snap_numpy_standard_gamma(r, real(line, 2, 1.0)));
        } else if (strcmp(fn, "beta") == 0) {
            put_double(snap_numpy_beta(r, real(line, 2, 1.0), real(line, 3, 1.0)));
        } else if (strcmp(fn, "laplace") == 0) {
            put_double(snap_numpy_laplace(r, 0.0, 1.0));
        } else {
            return false;
        }
    }
    return true;
}

static bool draw_torch(struct snap_stream *stream, const struct line *line, size_t n)
{
    struct snap_torch_cpu *t =
        snap_stream_state(stream, &snap_torch_cpu_family, line->fields[0], NULL);
    struct snap_error err = SNAP_ERROR_INIT;
    const char *fn = line->fields[0];
    double a = real(line, 2, 0.0);
    double b = real(line, 3, 1.0);

    if (strstr(fn, "f16") != NULL) {
        enum snap_dtype dtype = strstr(fn, "_bf16") != NULL ? SNAP_BF16 : SNAP_F16;

        must(strncmp(fn, "normal", 6) == 0
                 ? snap_torch_normal(t, dtype, a, b, true, out.halves, n, &err)
                 : snap_torch_uniform(t, dtype, a, b, out.halves, n, &err),
             &err);
        put_halves(out.halves, n);
    } else if (strcmp(fn, "uniform_") == 0) {
        must(snap_torch_uniform_f32(stream, a, b, out.floats, n, &err), &err);
        put_floats(out.floats, n);
    } else if (strcmp(fn, "uniform_f64") == 0) {
        must(snap_torch_uniform(t, SNAP_F64, a, b, out.doubles, n, &err), &err);
        put_doubles(out.doubles, n);
    } else if (strcmp(fn, "normal_") == 0) {
        must(snap_torch_normal(t, SNAP_F32, a, b, true, out.floats, n, &err), &err);
        put_floats(out.floats, n);
    } else if (strcmp(fn, "normal_f64") == 0) {
        must(snap_torch_normal(t, SNAP_F64, a, b, true, out.doubles, n, &err), &err);
        put_doubles(out.doubles, n);
    } else if (strcmp(fn, "exponential_f64") == 0) {
        must(snap_torch_exponential(t, SNAP_F64, a, out.doubles, n, &err), &err);
        put_doubles(out.doubles, n);
    } else if (strcmp(fn, "truncnormal_") == 0) {
        must(snap_torch_trunc_normal(t, 0.0, 1.0, -2.0, 2.0, out.floats, n, &err), &err);
        put_floats(out.floats, n);
    } else if (strcmp(fn, "bernoulli_") == 0) {
        must(snap_torch_bernoulli(t, SNAP_F32, a, out.floats, n, &err), &err);
        put_floats(out.floats, n);
    } else if (strcmp(fn, "randint") == 0) {
        int64_t to = integer(line, 3);

        must(snap_torch_random_from_to(t, SNAP_I64, integer(line, 2), &to, out.integers, n, &err),
             &err);
        put_integers(out.integers, n);
    } else if (strcmp(fn, "random_") == 0) {
        int64_t to = integer(line, 3);

        must(snap_torch_random_from_to(t, SNAP_F32, integer(line, 2), &to, out.floats, n, &err),
             &err);
        put_floats(out.floats, n);
    } else if (strcmp(fn, "multinomial") == 0) {
        double weights[3] = { real(line, 2, 0.0), real(line, 3, 0.0), real(line, 4, 0.0) };

        must(snap_torch_multinomial(t, SNAP_F64, weights, 3, n, true, out.integers, &err), &err);
        put_integers(out.integers, n);
    } else if (strcmp(fn, "randperm") == 0) {
        snap_torch_randperm(t, out.integers, n);
        put_integers(out.integers, n);
    } else {
        return false;
    }
    return true;
}

static enum snap_status decode(struct snap_stream *stream, const char *hex,
                               struct snap_error *err)
{
    size_t digits = strlen(hex);
    void *bytes = malloc(digits / 2 + 1);
    enum snap_status status;

    if (bytes == NULL || digits % 2 != 0 || !snap_hex_decode(hex, digits, bytes)) {
        die("decode: bad hex");
    }
    status = snap_stream_decode(stream, bytes, digits / 2, err);
    free(bytes);
    return status;
}

static void encode(const struct snap_stream *stream)
{
    struct snap_error err = SNAP_ERROR_INIT;
    void *bytes = NULL;
    size_t size;

    must(snap_stream_encode(stream, &bytes, &size, &err), &err);
    printf(" ");
    for (size_t i = 0; i < size; i++) {
        printf("%02x", (unsigned)((unsigned char *)bytes)[i]);
    }
    free(bytes);
}

static void obey(struct snap_stream *stream, struct line *line)
{
    struct snap_error err = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    const char *kind = snap_stream_kind(stream);
    bool known = true;

    read_fields(line);
    if (line->count == 0) {
        die("an empty line");
    }
    if (strcmp(line->fields[0], "seed") == 0) {
        status = snap_stream_seed(stream, (uint64_t)integer(line, 1), &err);
    } else if (strcmp(line->fields[0], "decode") == 0 && line->count == 2) {
        status = decode(stream, line->fields[1], &err);
    } else if (strcmp(line->fields[0], "encode") == 0) {
        encode(stream);
    } else if (strcmp(line->fields[0], "words") == 0) {
        printf(" %" PRIu64, snap_stream_words_drawn(stream));
    } else {
        uint64_t n = (uint64_t)integer(line, 1);

        if (n > MAX_NUMBERS) {
            die("too many numbers");
        }
        known = strcmp(kind, "python_random") == 0        ? draw_python(stream, line, n)
                : strcmp(kind, "numpy_random_state") == 0 ? draw_numpy(stream, line, n)
                : strncmp(kind, "numpy_", 6) == 0
                    ? generator_tool_draw(stream, line->fields, line->count, n)
                    : draw_torch(stream, line, n);
    }
    if (!known) {
        die("an unknown command");
    }
    if (status != SNAP_OK) {
        printf("error: %s", err.text);
    }
    printf("\n");
    if (fflush(stdout) != 0) {
        die("stdout");
    }
}

int main(int argc, char **argv)
{
    static struct line line;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_stream *stream = NULL;

    if (argc < 2) {
        die("usage: stream_tool KIND [VERSION]");
    }
    must(snap_stream_new(argv[1], &stream, &err), &err);
    if (argc > 2) {
        struct snap_torch_cpu *t = snap_stream_state(stream, &snap_torch_cpu_family, "", NULL);

        t->version = (enum snap_torch_version)strtol(argv[2], NULL, 10);
    }
    while (fgets(line.text, sizeof line.text, stdin) != NULL) {
        obey(stream, &line);
    }
    snap_stream_free(stream);
    return 0;
}
