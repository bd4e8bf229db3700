/* SPDX-License-Identifier: Apache-2.0 */
/* glibc has two forms of log, sin, cos, exp and log1p on x86-64, picked by what the CPU has; they
 * differ in the last bit of a few results. Which one runs here is asked with arguments that are
 * known to tell them apart (glibc 2.36, with and without GLIBC_TUNABLES hiding FMA). */
#include "config.h"

#include <math.h>
#include <string.h>

#include "vectors.h"

static const struct probe {
    double (*function)(double);
    double x;
    uint64_t fma, no_fma; /* bits of the result */
} probes[] = {
    { log, 0x1.475c75f21d6eep+1, 0x3fee0c90a082130eu, 0x3fee0c90a082130du },
    { log, 0x1.cd955943c2c2p-1, 0xbfba8995ddcabb38u, 0xbfba8995ddcabb39u },
    { sin, 0x1.76b00224760bcp+1, 0x3fcb3a0a37db2bd3u, 0x3fcb3a0a37db2bd2u },
    { sin, 0x1.639d0db6c40cap+1, 0x3fd6bf2f2e5612c2u, 0x3fd6bf2f2e5612c3u },
    { cos, 0x1.de7228ce68e98p+2, 0x3fd7a2bc91f78f37u, 0x3fd7a2bc91f78f36u },
    { cos, 0x1.3a5abcec349d6p+2, 0x3fc95ab3a3e146e9u, 0x3fc95ab3a3e146eau },
    { exp, -0x1.f12745ddf664ap+2, 0x3f3bb9968f6bb2d3u, 0x3f3bb9968f6bb2d2u },
    { exp, -0x1.b173132a10176p+1, 0x3fa15288a4f987c7u, 0x3fa15288a4f987c8u },
};

const char *libm_variant(void)
{
    bool all_fma = true;
    bool all_no_fma = true;

    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        double (*volatile function)(double) = probes[i].function; /* not folded when compiling */
        double y = function(probes[i].x);
        uint64_t bits;

        memcpy(&bits, &y, sizeof bits);
        all_fma = all_fma && bits == probes[i].fma;
        all_no_fma = all_no_fma && bits == probes[i].no_fma;
    }
    return all_fma ? "base" : all_no_fma ? "libm-nofma" : NULL;
}
