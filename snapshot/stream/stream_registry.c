/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "stream/stream_family.h"

static const struct snap_stream_family *const families[] = {
    &snap_python_random_family,   &snap_numpy_random_state_family, &snap_numpy_pcg64_family,
    &snap_numpy_pcg64dxsm_family, &snap_numpy_mt19937_family,      &snap_numpy_philox_family,
    &snap_numpy_sfc64_family,     &snap_torch_cpu_family,          &snap_torch_cuda_family,
    &snap_curand_philox_family,   &snap_curand_xorwow_family,      &snap_curand_host_family,
    &snap_jax_key_family,         &snap_tensorflow_generator_family, &snap_std_mt19937_family,
    &snap_std_mt19937_64_family,  &snap_drand48_family,            &snap_random_r_family,
    &snap_philox_dropout_family,  &snap_opaque_stream_family,
};

const struct snap_stream_family *snap_stream_family_find(const char *kind)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(families[i]->name, kind) == 0) {
            return families[i];
        }
    }
    return NULL;
}

const char *snap_stream_kind_at(size_t index)
{
    return index < sizeof families / sizeof families[0] ? families[index]->name : NULL;
}
