/* SPDX-License-Identifier: Apache-2.0 */
/* torch_cpu.json: fills, initialisers and modules. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vectors_torch.h"

static enum snap_dtype dtype_of(const json_t *args)
{
    enum snap_dtype dtype;
    const char *name = has_argument(args, "dtype") ? argument_text(args, "dtype") : "f32";

    if (!snap_dtype_from_name(name, &dtype)) {
        fail("no element type %s", name);
    }
    return dtype;
}

/* ---- fills of n elements ---- */

static enum snap_status call_random(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                    const json_t *args, void *out, size_t n,
                                    struct snap_error *err)
{
    const json_t *params = argument(args, "params");
    size_t count = json_array_size(params);
    const json_t *last = json_array_get(params, count - 1);
    int64_t to = count > 0 && !json_is_null(last) ? to_int(last) : 0;
    int64_t from = count == 2 ? to_int(json_array_get(params, 0)) : 0;

    if (count == 0) {
        return snap_torch_random(t, dtype, out, n, err);
    }
    return snap_torch_random_from_to(t, dtype, from, json_is_null(last) ? NULL : &to, out, n, err);
}

/* False when fn is no fill. */
static bool fill(struct snap_torch_cpu *t, const char *fn, const json_t *args,
                 enum snap_dtype dtype, void *out, size_t n)
{
    struct snap_error err = SNAP_ERROR_INIT;
    bool integers = strcmp(fn, "random_") == 0;
    double a = integers ? 0.0 : parameter(args, 0, 0.0);
    double b = integers ? 0.0 : parameter(args, 1, 1.0);
    bool contiguous = !has_argument(args, "contiguous") ||
                      json_is_true(argument(args, "contiguous"));
    enum snap_status status;

    if (strcmp(fn, "words") == 0) {
        status = snap_torch_random(t, SNAP_I32, out, n, &err);
    } else if (integers) {
        status = call_random(t, dtype, args, out, n, &err);
    } else if (strcmp(fn, "randint") == 0) {
        int64_t to = argument_int(args, "high");

        status = snap_torch_random_from_to(t, dtype, argument_int(args, "low"), &to, out, n, &err);
    } else if (strcmp(fn, "rand") == 0 || strcmp(fn, "uniform_") == 0) {
        status = snap_torch_uniform(t, dtype, a, b, out, n, &err);
    } else if (strcmp(fn, "randn") == 0 || strcmp(fn, "normal_") == 0) {
        status = snap_torch_normal(t, dtype, a, b, contiguous, out, n, &err);
    } else if (strcmp(fn, "bernoulli_") == 0) {
        status = snap_torch_bernoulli(t, dtype, a, out, n, &err);
    } else if (strcmp(fn, "dropout") == 0) {
        status = snap_torch_dropout_mask(t, dtype, argument_double(args, "p", 0.5), out, n, &err);
    } else if (strcmp(fn, "exponential_") == 0) {
        status = snap_torch_exponential(t, dtype, parameter(args, 0, 1.0), out, n, &err);
    } else if (strcmp(fn, "geometric_") == 0) {
        status = snap_torch_geometric(t, dtype, a, out, n, &err);
    } else if (strcmp(fn, "cauchy_") == 0) {
        status = snap_torch_cauchy(t, dtype, a, b, out, n, &err);
    } else if (strcmp(fn, "log_normal_") == 0) {
        status = snap_torch_log_normal(t, dtype, parameter(args, 0, 1.0), parameter(args, 1, 2.0),
                                       out, n, &err);
    } else {
        return false;
    }
    must(status, &err, fn);
    return true;
}

static void call_bernoulli(struct snap_torch_cpu *t, const json_t *args, struct result *result)
{
    size_t n;
    double *p = to_doubles(argument(args, "p"), &n);

    if (strcmp(argument_text(args, "p_dtype"), "f64") == 0) {
        double *out = allocate(n, sizeof *out);

        snap_torch_bernoulli_f64(t, p, out, n);
        result_add_tensor(result, SNAP_F64, out, n);
        free(out);
    } else {
        float *p_f32 = allocate(n, sizeof *p_f32);
        float *out = allocate(n, sizeof *out);

        for (size_t i = 0; i < n; i++) {
            p_f32[i] = (float)p[i];
        }
        snap_torch_bernoulli_f32(t, p_f32, out, n);
        result_add_tensor(result, SNAP_F32, out, n);
        free(p_f32);
        free(out);
    }
    free(p);
}

static void call_normal_tensors(struct snap_torch_cpu *t, const json_t *args,
                                struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t n;
    double *mean = to_doubles(argument(args, "mean"), &n);
    double *std = to_doubles(argument(args, "std"), &n);
    float *numbers = allocate(3 * n, sizeof *numbers);

    for (size_t i = 0; i < n; i++) {
        numbers[i] = (float)mean[i];
        numbers[n + i] = (float)std[i];
    }
    must(snap_torch_normal_tensors(t, numbers, numbers + n, numbers + 2 * n, n, &err), &err,
         "normal");
    result_add_tensor(result, SNAP_F32, numbers + 2 * n, n);
    free(mean);
    free(std);
    free(numbers);
}

/* ---- torch.nn.init ---- */

static enum snap_status init(struct snap_torch_cpu *t, const char *name, const json_t *args,
                             enum snap_dtype dtype, void *out, size_t n, double fan_in,
                             double fan_out, struct snap_error *err)
{
    bool out_mode = has_argument(args, "mode") &&
                    strcmp(argument_text(args, "mode"), "fan_out") == 0;
    bool relu = has_argument(args, "nonlinearity") &&
                strcmp(argument_text(args, "nonlinearity"), "relu") == 0;
    double fan = out_mode ? fan_out : fan_in;
    double gain = argument_double(args, "gain", 1.0);
    double std = argument_double(args, "std", 1.0);
    double kaiming =
        relu ? sqrt(2.0) : snap_torch_gain_leaky_relu(argument_double(args, "a", 0.0));

    if (strcmp(name, "kaiming_uniform_") == 0) {
        return snap_torch_kaiming_uniform(t, dtype, fan, kaiming, out, n, err);
    }
    if (strcmp(name, "kaiming_normal_") == 0) {
        return snap_torch_kaiming_normal(t, dtype, fan, kaiming, out, n, err);
    }
    if (strcmp(name, "xavier_uniform_") == 0) {
        return snap_torch_xavier_uniform(t, dtype, fan_in, fan_out, gain, out, n, err);
    }
    if (strcmp(name, "xavier_normal_") == 0) {
        return snap_torch_xavier_normal(t, dtype, fan_in, fan_out, gain, out, n, err);
    }
    if (strcmp(name, "uniform_") == 0) {
        return snap_torch_uniform(t, dtype, argument_double(args, "a", 0.0),
                                  argument_double(args, "b", 1.0), out, n, err);
    }
    if (strcmp(name, "normal_") == 0) {
        return snap_torch_normal(t, dtype, argument_double(args, "mean", 0.0), std, true, out, n,
                                 err);
    }
    if (strcmp(name, "trunc_normal_") == 0 && dtype == SNAP_F32) {
        return snap_torch_trunc_normal(t, argument_double(args, "mean", 0.0), std,
                                       argument_double(args, "a", -2.0),
                                       argument_double(args, "b", 2.0), out, n, err);
    }
    return snap_error_set(err, SNAP_UNSUPPORTED, "init.%s is not known", name);
}

static void call_init(struct snap_torch_cpu *t, const char *name, const json_t *args,
                      struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    enum snap_dtype dtype = dtype_of(args);
    size_t dims;
    double *shape = to_doubles(argument(args, "shape"), &dims);
    double n = 1.0;
    double rest = 1.0; /* of a kernel: what stands behind the two channel dimensions */
    void *out;

    for (size_t i = 0; i < dims; i++) {
        n *= shape[i];
        rest *= i > 1 ? shape[i] : 1.0;
    }
    out = allocate((size_t)n, 8);
    must(init(t, name, args, dtype, out, (size_t)n, dims > 1 ? shape[1] * rest : 0.0,
              shape[0] * rest, &err),
         &err, name);
    result_add_tensor(result, dtype, out, (size_t)n);
    free(shape);
    free(out);
}

/* ---- modules: all parameters in order ---- */

static void call_linear(struct snap_torch_cpu *t, size_t outputs, size_t fan_in, bool bias,
                        struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t weights = outputs * fan_in;
    float *out = allocate(weights + outputs, sizeof *out);

    must(snap_torch_init_linear(t, outputs, fan_in, out, bias ? out + weights : NULL, &err), &err,
         "Linear");
    result_add_tensor(result, SNAP_F32, out, weights + (bias ? outputs : 0));
    free(out);
}

/* Input and hidden weights, then two biases, for `gates` gates; all by one bound. */
static void call_recurrent(struct snap_torch_cpu *t, size_t inputs, size_t hidden, size_t gates,
                           struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t n = gates * hidden * (inputs + hidden + 2);
    double bound = 1.0 / sqrt((double)hidden);
    float *out = allocate(n, sizeof *out);

    must(snap_torch_uniform(t, SNAP_F32, -bound, bound, out, n, &err), &err, "uniform_");
    result_add_tensor(result, SNAP_F32, out, n);
    free(out);
}

static bool call_module(struct snap_torch_cpu *t, const char *name, const json_t *args,
                        struct result *result)
{
    const json_t *params = argument(args, "params");
    size_t a = (size_t)to_int(json_array_get(params, 0));
    size_t b = (size_t)to_int(json_array_get(params, 1));

    if (strcmp(name, "Linear") == 0) {
        call_linear(t, b, a, !json_is_false(json_array_get(params, 2)), result);
    } else if (strcmp(name, "Conv1d") == 0 || strcmp(name, "Conv2d") == 0) {
        size_t side = (size_t)to_int(json_array_get(params, 2));

        call_linear(t, b, a * side * (strcmp(name, "Conv2d") == 0 ? side : 1), true, result);
    } else if (strcmp(name, "Embedding") == 0) {
        struct snap_error err = SNAP_ERROR_INIT;
        float *out = allocate(a * b, sizeof *out);

        must(snap_torch_normal(t, SNAP_F32, 0.0, 1.0, true, out, a * b, &err), &err, "normal_");
        result_add_tensor(result, SNAP_F32, out, a * b);
        free(out);
    } else if (strcmp(name, "LSTM") == 0) {
        call_recurrent(t, a, b, 4, result);
    } else if (strcmp(name, "GRU") == 0) {
        call_recurrent(t, a, b, 3, result);
    } else {
        return false;
    }
    return true;
}

bool torch_tensor_call(struct snap_torch_cpu *t, const char *fn, const json_t *args,
                       struct result *result)
{
    size_t n = argument_size(args, "n", 0);
    enum snap_dtype dtype;
    void *out;
    bool known;

    if (strncmp(fn, "nn.", 3) == 0) {
        return call_module(t, fn + 3, args, result);
    }
    if (strncmp(fn, "init.", 5) == 0) {
        call_init(t, fn + 5, args, result);
        return true;
    }
    if (strcmp(fn, "bernoulli") == 0) {
        call_bernoulli(t, args, result);
        return true;
    }
    if (strcmp(fn, "normal_tensors") == 0) {
        call_normal_tensors(t, args, result);
        return true;
    }
    dtype = strcmp(fn, "words") == 0 ? SNAP_I32 : dtype_of(args);
    out = allocate(n, 8);
    known = fill(t, fn, args, dtype, out, n);
    if (known) {
        result_add_tensor(result, dtype, out, n);
    }
    free(out);
    return known;
}
