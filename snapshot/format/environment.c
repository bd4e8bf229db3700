/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <archive.h>
#include <gnu/libc-version.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include <snapstate/snapstate.h>

#include "core/hex.h"
#include "core/text.h"
#include "format/environment.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"

/* Variables that are known to change results of numerical libraries. None of them holds a path, a
 * host or a number of threads. */
static const char *const variables[] = {
    "ATEN_CPU_CAPABILITY",
    "CUBLASLT_WORKSPACE_SIZE",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_FORCE_PTX_JIT",
    "CUDA_LAUNCH_BLOCKING",
    "CUDNN_CONV_WSCAP_DBG",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "FLAGS_cudnn_deterministic",
    "GLIBC_TUNABLES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_DEFAULT_PRNG_IMPL",
    "JAX_ENABLE_X64",
    "JAX_THREEFRY_PARTITIONABLE",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "PYTHONHASHSEED",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
};

/* Text as a string; bytes that are not UTF-8 as {"hex":".."}. */
static json_t *encode_value(const char *value)
{
    size_t length = strlen(value);
    if (snap_utf8_is_valid(value, length))
        return json_string(value);
    char *digits = malloc(2 * length + 1);
    if (digits == NULL)
        return NULL;
    snap_hex_encode(value, length, digits);
    json_t *object = json_pack("{ss}", "hex", digits);
    free(digits);
    return object;
}

static enum snap_status encode_variables(json_t *object, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0] && status == SNAP_OK; i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL)
            status = snap_json_set(object, variables[i], encode_value(value), err);
    }
    return status;
}

enum snap_status snap_environment_encode(struct snap_buffer *out, struct snap_error *err)
{
    static const char prefix[] = "libarchive ";
    const char *archive_version = archive_version_string();
    struct utsname machine;
    if (uname(&machine) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "env.json: asking for the architecture");
    if (strncmp(archive_version, prefix, sizeof prefix - 1) == 0)
        archive_version += sizeof prefix - 1;
    json_t *set = json_object();
    json_t *document = json_pack(
        "{sssnsssss{ssssssss}}", "architecture", machine.machine, "device", "format",
        "snap-environment-1", "snapstate", snap_version(), "libraries", "glibc",
        gnu_get_libc_version(), "jansson", jansson_version_str(), "libarchive", archive_version,
        "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    enum snap_status status = SNAP_OK;
    if (set == NULL || document == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "env.json: out of memory");
    if (status == SNAP_OK)
        status = encode_variables(set, err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "variables", json_incref(set), err);
    if (status == SNAP_OK)
        status = snap_json_encode(document, out, err);
    json_decref(document);
    json_decref(set);
    return status;
}
