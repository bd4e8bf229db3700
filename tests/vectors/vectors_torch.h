/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of the calls of torch_cpu.json. Each is false for a call that it does not know. */
#ifndef SNAP_TESTS_VECTORS_TORCH_H
#define SNAP_TESTS_VECTORS_TORCH_H

#include "stream/torch_cpu.h"
#include "vectors.h"

/* Tensors: fills, initialisers, modules. */
bool torch_tensor_call(struct snap_torch_cpu *t, const char *fn, const json_t *args,
                       struct result *result);
/* Indices: permutations, multinomial, samplers, loaders. */
bool torch_index_call(struct snap_torch_cpu *t, const char *fn, const json_t *args,
                      struct result *result);

#endif
