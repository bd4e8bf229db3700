/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) of the leaves of tree hashes, a thread for each leaf. A leaf is 64 blocks of
 * 64 bytes and one of padding, so that a GiB is a quarter of a million threads of equal work. */
#include <stdint.h>
#include <stdlib.h>

#include <cuda_runtime.h>

#include "device/cuda_tree_digest.h"
#include "digest/tree_digest.h"

#define BLOCK_BYTES 64u
#define WORDS 16u
#define THREADS 128u
#define MAX_BLOCKS 65535u

__constant__ uint32_t sha256_rounds[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
    0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
    0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
    0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
    0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
    0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
    0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
    0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
    0xc67178f2u
};

/* Where a piece lies and its first leaf among all. */
struct place {
    const unsigned char *data;
    size_t size_bytes, first_leaf;
};

struct snap_device_digester {
    int index;
    struct place *places;    /* of the device */
    struct place *host_places; /* pinned, as is all host memory here */
    size_t place_capacity;
    unsigned char *digests, *host_digests;
    size_t leaf_capacity;
};

static __device__ __forceinline__ uint32_t rotate(uint32_t x, unsigned by)
{
    return __funnelshift_r(x, x, by);
}

static __device__ __forceinline__ uint32_t swap_bytes(uint32_t x)
{
    return __byte_perm(x, 0, 0x0123);
}

/* One block's 16 words into the hash; w is used up. */
static __device__ __forceinline__ void compress(uint32_t hash[8], uint32_t w[WORDS])
{
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3];
    uint32_t e = hash[4], f = hash[5], g = hash[6], h = hash[7];
#pragma unroll
    for (unsigned t = 0; t < 64; t++) {
        if (t >= WORDS) {
            const uint32_t x = w[(t + 1) % WORDS], y = w[(t + 14) % WORDS];
            w[t % WORDS] += w[(t + 9) % WORDS] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) +
                            (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
        }
        const uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                            ((e & f) ^ (~e & g)) + sha256_rounds[t] + w[t % WORDS];
        const uint32_t t2 =
            (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
    hash[5] += f;
    hash[6] += g;
    hash[7] += h;
}

/* The message's byte `at`: past its end the padding's 0x80, and then zeros. */
static __device__ uint32_t byte_at(const unsigned char *leaf, unsigned size, unsigned at)
{
    return at < size ? leaf[at] : at == size ? 0x80u : 0u;
}

static __device__ __forceinline__ void load(const unsigned char *leaf, unsigned size, unsigned at,
                                            uint32_t w[WORDS])
{
    if (at + BLOCK_BYTES <= size && reinterpret_cast<uintptr_t>(leaf) % sizeof(uint4) == 0) {
        const uint4 *quads = reinterpret_cast<const uint4 *>(leaf + at);
#pragma unroll
        for (unsigned i = 0; i < WORDS / 4; i++) {
            const uint4 quad = quads[i];
            w[4 * i + 0] = swap_bytes(quad.x);
            w[4 * i + 1] = swap_bytes(quad.y);
            w[4 * i + 2] = swap_bytes(quad.z);
            w[4 * i + 3] = swap_bytes(quad.w);
        }
        return;
    }
#pragma unroll
    for (unsigned i = 0; i < WORDS; i++) {
        const unsigned byte = at + 4 * i;
        w[i] = byte_at(leaf, size, byte) << 24 | byte_at(leaf, size, byte + 1) << 16 |
               byte_at(leaf, size, byte + 2) << 8 | byte_at(leaf, size, byte + 3);
    }
}

static __device__ void hash_leaf(const unsigned char *leaf, unsigned size, uint4 *digest)
{
    uint32_t hash[8] = { 0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                         0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u };
    const unsigned blocks = (size + 9 + BLOCK_BYTES - 1) / BLOCK_BYTES;
#pragma unroll 1
    for (unsigned block = 0; block < blocks; block++) {
        uint32_t w[WORDS];
        load(leaf, size, block * BLOCK_BYTES, w);
        if (block + 1 == blocks) {
            w[WORDS - 1] = size * 8; /* in bits; the high word is 0 */
        }
        compress(hash, w);
    }
    for (unsigned i = 0; i < 2; i++) {
        uint4 half;
        half.x = swap_bytes(hash[4 * i + 0]);
        half.y = swap_bytes(hash[4 * i + 1]);
        half.z = swap_bytes(hash[4 * i + 2]);
        half.w = swap_bytes(hash[4 * i + 3]);
        digest[i] = half;
    }
}

/* `places` are in the order of their leaves, and each has at least one. */
static __global__ void __launch_bounds__(THREADS)
    tree_leaves(const struct place *places, size_t count, size_t leaves, unsigned char *digests)
{
    const size_t step = (size_t)gridDim.x * blockDim.x;
    for (size_t leaf = (size_t)blockIdx.x * blockDim.x + threadIdx.x; leaf < leaves;
         leaf += step) {
        size_t low = 0, high = count;
        while (high - low > 1) {
            const size_t middle = low + (high - low) / 2;
            if (places[middle].first_leaf <= leaf) {
                low = middle;
            } else {
                high = middle;
            }
        }
        const size_t at = (leaf - places[low].first_leaf) * SNAP_TREE_LEAF_BYTES;
        const size_t rest = places[low].size_bytes - at;
        hash_leaf(places[low].data + at,
                  rest < SNAP_TREE_LEAF_BYTES ? (unsigned)rest : SNAP_TREE_LEAF_BYTES,
                  reinterpret_cast<uint4 *>(digests + leaf * SNAP_DIGEST_BYTES));
    }
}

static enum snap_status fail(int index, cudaError_t code, struct snap_error *err)
{
    (void)cudaGetLastError(); /* it is told here, and not again by the caller's next call */
    return snap_error_set(err, code == cudaErrorMemoryAllocation ? SNAP_NO_MEMORY : SNAP_IO,
                          "device cuda:%d: digest of the state: %s", index,
                          cudaGetErrorString(code));
}

enum snap_status snap_cuda_digester_new(int index, struct snap_device_digester **digester,
                                        struct snap_error *err)
{
    struct snap_device_digester *made =
        static_cast<struct snap_device_digester *>(calloc(1, sizeof(*made)));
    if (!made) {
        return snap_error_set(err, SNAP_NO_MEMORY, "device cuda:%d: digests: out of memory",
                              index);
    }
    made->index = index;
    *digester = made;
    return SNAP_OK;
}

static void drop_places(struct snap_device_digester *digester)
{
    (void)cudaFree(digester->places); /* what was computed is not changed by an error here */
    (void)cudaFreeHost(digester->host_places);
    digester->places = digester->host_places = NULL;
    digester->place_capacity = 0;
}

static void drop_digests(struct snap_device_digester *digester)
{
    (void)cudaFree(digester->digests);
    (void)cudaFreeHost(digester->host_digests);
    digester->digests = digester->host_digests = NULL;
    digester->leaf_capacity = 0;
}

void snap_cuda_digester_free(struct snap_device_digester *digester)
{
    int before = 0;
    if (!digester) {
        return;
    }
    const bool known = cudaGetDevice(&before) == cudaSuccess;
    (void)cudaSetDevice(digester->index);
    drop_places(digester);
    drop_digests(digester);
    if (known) {
        (void)cudaSetDevice(before);
    }
    free(digester);
}

/* Memory on the device and as much on the host. */
static cudaError_t allocate(size_t size_bytes, void **device, void **host)
{
    const cudaError_t code = cudaMalloc(device, size_bytes);
    return code == cudaSuccess ? cudaHostAlloc(host, size_bytes, cudaHostAllocDefault) : code;
}

static cudaError_t make_room(struct snap_device_digester *digester, size_t count, size_t leaves)
{
    cudaError_t code = cudaSuccess;
    void *device = NULL, *host = NULL;
    if (count > digester->place_capacity) {
        drop_places(digester);
        code = allocate(count * sizeof(struct place), &device, &host);
        digester->places = static_cast<struct place *>(device);
        digester->host_places = static_cast<struct place *>(host);
        digester->place_capacity = code == cudaSuccess ? count : 0;
    }
    if (code == cudaSuccess && leaves > digester->leaf_capacity) {
        drop_digests(digester);
        device = host = NULL;
        code = allocate(leaves * SNAP_DIGEST_BYTES, &device, &host);
        digester->digests = static_cast<unsigned char *>(device);
        digester->host_digests = static_cast<unsigned char *>(host);
        digester->leaf_capacity = code == cudaSuccess ? leaves : 0;
    }
    return code;
}

static cudaError_t launch(struct snap_device_digester *digester, size_t count, size_t leaves,
                          cudaStream_t stream)
{
    const size_t blocks = (leaves - 1) / THREADS + 1;
    cudaLaunchConfig_t config = cudaLaunchConfig_t();
    cudaError_t code = cudaMemcpyAsync(digester->places, digester->host_places,
                                       count * sizeof(struct place), cudaMemcpyHostToDevice,
                                       stream);
    config.gridDim = dim3(blocks < MAX_BLOCKS ? (unsigned)blocks : MAX_BLOCKS);
    config.blockDim = dim3(THREADS);
    config.stream = stream;
    if (code == cudaSuccess) {
        code = cudaLaunchKernelEx(&config, tree_leaves,
                                  static_cast<const struct place *>(digester->places), count,
                                  leaves, digester->digests);
    }
    if (code == cudaSuccess) {
        code = cudaMemcpyAsync(digester->host_digests, digester->digests,
                               leaves * SNAP_DIGEST_BYTES, cudaMemcpyDeviceToHost, stream);
    }
    return code == cudaSuccess ? cudaStreamSynchronize(stream) : code;
}

enum snap_status snap_cuda_digest_leaves(struct snap_device_digester *digester,
                                         const struct snap_device_piece *pieces, size_t count,
                                         void *stream, const unsigned char **digests,
                                         struct snap_error *err)
{
    size_t leaves = 0, used = 0;
    int before = 0;
    cudaError_t code = cudaGetDevice(&before);
    for (size_t i = 0; i < count; i++) {
        leaves += snap_tree_leaf_count(pieces[i].size_bytes);
    }
    if (code == cudaSuccess) {
        code = cudaSetDevice(digester->index);
    }
    if (code == cudaSuccess && leaves > 0) {
        code = make_room(digester, count, leaves);
        leaves = 0;
        for (size_t i = 0; code == cudaSuccess && i < count; i++) {
            if (pieces[i].size_bytes > 0) {
                digester->host_places[used++] =
                    { static_cast<const unsigned char *>(pieces[i].device), pieces[i].size_bytes,
                      leaves };
                leaves += snap_tree_leaf_count(pieces[i].size_bytes);
            }
        }
        if (code == cudaSuccess) {
            code = launch(digester, used, leaves, static_cast<cudaStream_t>(stream));
        }
    }
    (void)cudaSetDevice(before); /* it was current a moment ago */
    if (code != cudaSuccess) {
        return fail(digester->index, code, err);
    }
    *digests = digester->host_digests;
    return SNAP_OK;
}
