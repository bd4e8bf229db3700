/* SPDX-License-Identifier: Apache-2.0 */
/* A CUDA training loop whose weights and moments live on the GPU: killed at any moment and started
 * again, it goes on from its last snapshot. A snapshot's copy leaves the device behind the next
 * forward and backward pass; snap_run_before_update holds the update until it is done.
 *     nvcc embed.cu $(pkg-config --cflags --libs snapstate) -o embed && ./embed DIR STEPS */
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <snapstate/snapstate.h>

constexpr int COUNT = 1 << 20;
static snap_run *run;
static snap_error err = SNAP_ERROR_INIT;

static void on_signal(int number) /* answered after the step under way */
{
    snap_run_request(run, number == SIGTERM ? SNAP_WANTED_SAVE_AND_STOP : SNAP_WANTED_SAVE);
}

static void must(snap_status status)
{
    if (status == SNAP_OK)
        return;
    std::fprintf(stderr, "embed: %s\n", err.text);
    std::exit(status == SNAP_UNSUPPORTED ? 4 : 3);
}

static void must(cudaError_t code)
{
    if (code == cudaSuccess)
        return;
    std::fprintf(stderr, "embed: CUDA: %s\n", cudaGetErrorString(code));
    std::exit(3);
}

/* The gradient of (w - target)^2 / 2, with a target that moves with the step. */
__global__ void backward(const float *weight, float *gradient, unsigned step)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < COUNT)
        gradient[i] = __fsub_rn(weight[i], (float)((i * 2654435761u + step) >> 24));
}

/* Momentum; every rounding is written out, so that each GPU gives the same bits. */
__global__ void update(float *weight, float *moment, const float *gradient)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < COUNT) {
        moment[i] = __fmaf_rn(0.9f, moment[i], gradient[i]);
        weight[i] = __fmaf_rn(-0.01f, moment[i], weight[i]);
    }
}

static void add(const char *root, const char *name, float *data)
{
    const uint64_t shape[] = { COUNT };
    snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    tensor.root = root, tensor.name = name, tensor.data = data, tensor.shape = shape;
    tensor.device = { SNAP_DEVICE_CUDA, 0 }, tensor.dtype = SNAP_F32, tensor.ndim = 1;
    must(snap_run_add_tensor(run, &tensor, &err));
}

int main(int argc, char **argv)
{
    uint64_t steps = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
    if (steps == 0)
        return std::fprintf(stderr, "usage: embed DIR STEPS\n"), 2;
    snap_device device;
    must(snap_device_parse("cuda:0", &device, &err)); /* says so when there is none */
    float *memory; /* weights, moments, gradients */
    must(cudaMalloc(&memory, 3 * COUNT * sizeof *memory));
    must(cudaMemset(memory, 0, 3 * COUNT * sizeof *memory));
    cudaStream_t stream;
    must(cudaStreamCreate(&stream));
    snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    options.dir = argv[1], options.every = 100, options.state_every = 100;
    options.profile = "host-1", options.training = "{\"rate\":\"0.01\"}";
    must(snap_run_open(&options, &run, &err));
    add("model", "weight", memory), add("optimizer", "moment", memory + COUNT);
    snap_status found = snap_run_restore(run, SNAP_TIER_EXACT, stream, nullptr, &err);
    must(found == SNAP_NOT_FOUND ? SNAP_OK : found); /* nothing to restore: a fresh run */
    std::signal(SIGTERM, on_signal), std::signal(SIGUSR1, on_signal);
    snap_wanted wanted = SNAP_WANTED_NOTHING;
    while (snap_run_steps_done(run) < steps && wanted != SNAP_WANTED_SAVE_AND_STOP) {
        snap_step_record record = SNAP_STEP_RECORD_INIT;
        record.step = snap_run_steps_done(run) + 1;
        must(snap_run_begin_step(run, &err));
        backward<<<COUNT / 256, 256, 0, stream>>>(memory, memory + 2 * COUNT, record.step);
        must(snap_run_before_update(run, stream, &err)); /* the copy has left the device */
        update<<<COUNT / 256, 256, 0, stream>>>(memory, memory + COUNT, memory + 2 * COUNT);
        must(snap_run_step(run, &record, &err)); /* the ledger line */
        if ((wanted = snap_run_wanted(run)) != SNAP_WANTED_NOTHING || record.step == steps)
            must(snap_run_capture(run, record.step, stream, nullptr, &err)); /* and train on */
    }
    must(snap_run_close(run, &err)); /* the last snapshot is durable */
    return wanted == SNAP_WANTED_SAVE_AND_STOP ? 75 : 0;
}
