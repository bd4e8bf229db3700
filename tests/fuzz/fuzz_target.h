/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzz target defines: libFuzzer calls it, and so does replay_inputs.c. It must return 0,
 * and do nothing that a sanitizer objects to, whatever the bytes are. */
#ifndef SNAP_TESTS_FUZZ_TARGET_H
#define SNAP_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* (optional) Change an input in place; what it is then, up to `max_size` bytes. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* What libFuzzer does itself; not there when inputs are replayed, and not called then. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

#endif
