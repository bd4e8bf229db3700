/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks, threads as fibers, devices; memory and streams are in streams_on_cpu.cc. A fiber runs
 * thread after thread of a block until one has to
 * wait; then another fiber takes the next. */
#include "cuda_on_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cuda_pipeline.h>
#include <cuda_runtime.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define FIBER_LEAVE(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FIBER_ENTER(save, bottom, size) __sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define FIBER_LEAVE(save, bottom, size) ((void)(save))
#define FIBER_ENTER(save, bottom, size) ((void)(save))
#endif

#define MAX_THREADS 1024u
#define WARP 32u
#define MAX_COPIES 256u /* of a thread, begun and not waited for */
#define STACK_BYTES ((size_t)256 << 10)

/* Save what a call must keep and the stack pointer in *from, and go on where `to` was saved. */
extern "C" void cuda_on_cpu_switch(void **from, void *to);

#if defined(__x86_64__)
#define FRAME_WORDS 7 /* six registers and the address to go on at */
#define FRAME_ENTRY 6
asm(".text\n"
    ".globl cuda_on_cpu_switch\n"
    ".type cuda_on_cpu_switch, @function\n"
    "cuda_on_cpu_switch:\n"
    "    push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
    "    mov %rsp, (%rdi)\n"
    "    mov %rsi, %rsp\n"
    "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
    "    ret\n"
    ".size cuda_on_cpu_switch, . - cuda_on_cpu_switch\n");
#elif defined(__aarch64__)
#define FRAME_WORDS 20 /* x19 to x30, d8 to d15 */
#define FRAME_ENTRY 11
asm(".text\n"
    ".globl cuda_on_cpu_switch\n"
    ".type cuda_on_cpu_switch, %function\n"
    "cuda_on_cpu_switch:\n"
    "    sub sp, sp, #160\n"
    "    stp x19, x20, [sp, #0]; stp x21, x22, [sp, #16]; stp x23, x24, [sp, #32]\n"
    "    stp x25, x26, [sp, #48]; stp x27, x28, [sp, #64]; stp x29, x30, [sp, #80]\n"
    "    stp d8, d9, [sp, #96]; stp d10, d11, [sp, #112]\n"
    "    stp d12, d13, [sp, #128]; stp d14, d15, [sp, #144]\n"
    "    mov x9, sp\n"
    "    str x9, [x0]\n"
    "    mov sp, x1\n"
    "    ldp x19, x20, [sp, #0]; ldp x21, x22, [sp, #16]; ldp x23, x24, [sp, #32]\n"
    "    ldp x25, x26, [sp, #48]; ldp x27, x28, [sp, #64]; ldp x29, x30, [sp, #80]\n"
    "    ldp d8, d9, [sp, #96]; ldp d10, d11, [sp, #112]\n"
    "    ldp d12, d13, [sp, #128]; ldp d14, d15, [sp, #144]\n"
    "    add sp, sp, #160\n"
    "    ret\n"
    ".size cuda_on_cpu_switch, . - cuda_on_cpu_switch\n");
#else
#error "cuda_on_cpu: say how a stack is switched on this processor"
#endif

struct cuda_on_cpu cuda_on_cpu = { CUDA_ON_CPU_ASCENDING, 1,     4,     "Device of a CPU", 9,
                                   0,                     13000, 13000, 0,                 0,
                                   0,                     0,     0,     (size_t)1 << 30,   0,
                                   { 0 },                 0,     0,     0 };

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

enum wait { RUNNING, AT_BARRIER, AT_WARP, DONE };

struct copy {
    void *to;
    const void *from;
    size_t size_bytes;
    unsigned group;
};

struct thread {
    enum wait wait;
    unsigned fiber;
    uint64_t word; /* given to an exchange, and got from it */
    unsigned source, mask;
    unsigned group; /* that copies now belong to */
    unsigned first_copy, copy_count;
    struct copy copies[MAX_COPIES]; /* a ring */
};

struct fiber {
    void *pointer; /* saved stack pointer */
    char *stack;
    void *shadow; /* of AddressSanitizer */
};

static struct {
    struct fiber fibers[MAX_THREADS];
    unsigned fiber_count, starting;      /* made so far; the one that starts now */
    unsigned idle[MAX_THREADS], idle_count;
    void *scheduler; /* its saved stack pointer */
    void *shadow;
    const void *scheduler_bottom;
    size_t scheduler_size;
    struct thread threads[MAX_THREADS];
    unsigned order[MAX_THREADS];
    unsigned thread_count, next; /* next: how many of `order` were started */
    unsigned current;            /* the thread that runs */
    void (*body)(void *);
    void *arg;
} block;

static void die(const char *what)
{
    fprintf(stderr, "cuda_on_cpu: block (%u, %u, %u): %s\n", blockIdx.x, blockIdx.y, blockIdx.z,
            what);
    abort();
}

static void become(unsigned thread)
{
    block.current = thread;
    threadIdx.x = thread % blockDim.x;
    threadIdx.y = thread / blockDim.x % blockDim.y;
    threadIdx.z = thread / blockDim.x / blockDim.y;
}

static void leave_fiber(struct fiber *fiber)
{
    FIBER_LEAVE(&fiber->shadow, block.scheduler_bottom, block.scheduler_size);
    cuda_on_cpu_switch(&fiber->pointer, block.scheduler);
    FIBER_ENTER(fiber->shadow, &block.scheduler_bottom, &block.scheduler_size);
}

/* Start threads that were not started, one after the other, then be idle. */
static void fiber_main()
{
    const unsigned index = block.starting;
    struct fiber *fiber = &block.fibers[index];
    FIBER_ENTER(NULL, &block.scheduler_bottom, &block.scheduler_size);
    for (;;) {
        while (block.next < block.thread_count) {
            const unsigned thread = block.order[block.next++];
            block.threads[thread].fiber = index;
            block.threads[thread].wait = RUNNING;
            block.threads[thread].group = 0;
            become(thread);
            block.body(block.arg);
            if (block.threads[thread].copy_count > 0) {
                die("a thread ended before the copies that it began");
            }
            block.threads[thread].wait = DONE;
        }
        block.idle[block.idle_count++] = index;
        leave_fiber(fiber);
    }
}

static void enter_fiber(unsigned index)
{
    struct fiber *fiber = &block.fibers[index];
    FIBER_LEAVE(&block.shadow, fiber->stack, STACK_BYTES);
    cuda_on_cpu_switch(&block.scheduler, fiber->pointer);
    FIBER_ENTER(block.shadow, NULL, NULL);
}

static unsigned idle_fiber(void)
{
    struct fiber *fiber;
    if (block.idle_count > 0) {
        return block.idle[--block.idle_count];
    }
    if (block.fiber_count == MAX_THREADS) {
        die("more fibers than threads");
    }
    fiber = &block.fibers[block.fiber_count];
    fiber->stack = static_cast<char *>(mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (fiber->stack == MAP_FAILED) {
        die("no memory for a fiber");
    }
    /* As if fiber_main had been called from a place that is aligned as calls want it. */
    void **frame = reinterpret_cast<void **>(fiber->stack + STACK_BYTES - 64) - FRAME_WORDS - 1;
    frame[FRAME_ENTRY] = reinterpret_cast<void *>(fiber_main);
    fiber->pointer = frame;
    block.starting = block.fiber_count;
    return block.fiber_count++;
}

static void wait_as(enum wait wait)
{
    const unsigned thread = block.current;
    struct fiber *fiber = &block.fibers[block.threads[thread].fiber];
    block.threads[thread].wait = wait;
    leave_fiber(fiber);
}

void cuda_on_cpu_barrier(void)
{
    wait_as(AT_BARRIER);
}

uint64_t cuda_on_cpu_exchange(unsigned mask, uint64_t word, unsigned source)
{
    struct thread *thread = &block.threads[block.current];
    thread->word = word;
    thread->source = source;
    thread->mask = mask;
    wait_as(AT_WARP);
    return thread->word;
}

void cuda_on_cpu_warp_barrier(unsigned mask)
{
    (void)cuda_on_cpu_exchange(mask, 0, 0);
}

unsigned cuda_on_cpu_lane(void)
{
    return block.current % WARP;
}

void cuda_on_cpu_begin_copy(void *to, const void *from, size_t size_bytes)
{
    struct thread *thread = &block.threads[block.current];
    if (thread->copy_count == MAX_COPIES) {
        die("too many copies that nothing waited for");
    }
    if ((size_bytes != 4 && size_bytes != 8 && size_bytes != 16) ||
        (reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) % size_bytes != 0) {
        die("a copy of another size, or not aligned");
    }
    if (cuda_on_cpu.order == CUDA_ON_CPU_DESCENDING) {
        memcpy(to, from, size_bytes);
    }
    const struct copy copy = { to, from, size_bytes, thread->group };
    thread->copies[(thread->first_copy + thread->copy_count++) % MAX_COPIES] = copy;
}

void cuda_on_cpu_close_copies(void)
{
    block.threads[block.current].group++;
}

void cuda_on_cpu_await_copies(size_t most)
{
    struct thread *thread = &block.threads[block.current];
    while (thread->copy_count > 0) {
        const struct copy *copy = &thread->copies[thread->first_copy];
        if (copy->group + most >= thread->group) {
            return;
        }
        if (cuda_on_cpu.order != CUDA_ON_CPU_DESCENDING) {
            memcpy(copy->to, copy->from, copy->size_bytes);
        }
        thread->first_copy = (thread->first_copy + 1) % MAX_COPIES;
        thread->copy_count--;
    }
}

/* Let a warp go on of which every lane waits; whether it did. */
static bool release_warp(unsigned first)
{
    uint64_t words[WARP];
    for (unsigned i = 0; i < WARP; i++) {
        if (first + i >= block.thread_count || block.threads[first + i].wait != AT_WARP) {
            return false;
        }
        if (block.threads[first + i].mask != 0xffffffffu) {
            die("an exchange of some lanes: not supported");
        }
        words[i] = block.threads[first + i].word;
    }
    for (unsigned i = 0; i < WARP; i++) {
        struct thread *thread = &block.threads[first + i];
        thread->word = words[thread->source];
        thread->wait = RUNNING;
    }
    return true;
}

static bool release_block(void)
{
    for (unsigned i = 0; i < block.thread_count; i++) {
        if (block.threads[i].wait != AT_BARRIER) {
            return false;
        }
    }
    for (unsigned i = 0; i < block.thread_count; i++) {
        block.threads[i].wait = RUNNING;
    }
    return true;
}

static void make_order(void)
{
    static uint64_t state = 42;
    const unsigned n = block.thread_count;
    for (unsigned i = 0; i < n; i++) {
        block.order[i] = cuda_on_cpu.order == CUDA_ON_CPU_DESCENDING ? n - 1 - i : i;
    }
    for (unsigned i = n; cuda_on_cpu.order == CUDA_ON_CPU_SHUFFLED && i > 1; i--) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const unsigned j = (unsigned)(state >> 33) % i, held = block.order[i - 1];
        block.order[i - 1] = block.order[j];
        block.order[j] = held;
    }
}

static void run_block(void)
{
    unsigned done = 0;
    make_order();
    block.next = 0;
    while (block.next < block.thread_count) {
        enter_fiber(idle_fiber());
    }
    for (;;) {
        bool ran = release_block();
        for (unsigned first = 0; first < block.thread_count; first += WARP) {
            ran = release_warp(first) || ran;
        }
        done = 0;
        for (unsigned i = 0; i < block.thread_count; i++) {
            const unsigned thread = block.order[i];
            if (block.threads[thread].wait == RUNNING) {
                become(thread);
                enter_fiber(block.threads[thread].fiber);
            }
            done += block.threads[thread].wait == DONE;
        }
        if (done == block.thread_count) {
            return;
        }
        if (!ran) {
            die("threads wait for others that ended or wait elsewhere");
        }
    }
}

/* Threads of the library copy too. */
bool cuda_on_cpu_fails(void)
{
    return __atomic_add_fetch(&cuda_on_cpu.calls, 1, __ATOMIC_SEQ_CST) == cuda_on_cpu.fail_at;
}

cudaError_t cuda_on_cpu_launch(const cudaLaunchConfig_t *config, void (*body)(void *), void *arg)
{
    const dim3 grid = config->gridDim;
    const unsigned threads = config->blockDim.x * config->blockDim.y * config->blockDim.z;
    if (cuda_on_cpu_fails()) {
        return cudaErrorUnknown;
    }
    if (threads == 0 || threads > MAX_THREADS || grid.x == 0 || grid.x > 0x7fffffffu ||
        grid.y == 0 || grid.y > 65535 || grid.z == 0 || grid.z > 65535) {
        return cudaErrorInvalidValue;
    }
    if (cuda_on_cpu_finish(config->stream)) {
        return cudaErrorIllegalAddress;
    }
    gridDim = grid;
    blockDim = config->blockDim;
    block.thread_count = threads;
    block.body = body;
    block.arg = arg;
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++) {
        for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++) {
            for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
                run_block();
            }
        }
    }
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "no error";
    case cudaErrorInvalidValue:
        return "invalid argument";
    case cudaErrorMemoryAllocation:
        return "out of memory";
    case cudaErrorIllegalAddress:
        return "an illegal memory access was encountered";
    case cudaErrorNoDevice:
        return "no CUDA-capable device is detected";
    default:
        return "unknown error";
    }
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    if (cuda_on_cpu.devices == 0) {
        return cudaErrorNoDevice;
    }
    *count = cuda_on_cpu.devices;
    return cuda_on_cpu_fails() ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return cuda_on_cpu_fails() ? cudaErrorUnknown
           : device >= 0 && device < cuda_on_cpu.devices ? cudaSuccess
                                                         : cudaErrorInvalidValue;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cuda_on_cpu_fails() ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    (void)attribute;
    (void)device;
    *value = cuda_on_cpu.processors;
    return cuda_on_cpu_fails() ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    (void)device;
    snprintf(properties->name, sizeof(properties->name), "%s", cuda_on_cpu.name);
    properties->major = cuda_on_cpu.major;
    properties->minor = cuda_on_cpu.minor;
    properties->multiProcessorCount = cuda_on_cpu.processors;
    return cuda_on_cpu_fails() ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = cuda_on_cpu.driver;
    return cuda_on_cpu_fails() ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = cuda_on_cpu.runtime;
    return cuda_on_cpu_fails() ? cudaErrorUnknown : cudaSuccess;
}
