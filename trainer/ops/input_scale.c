/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ops/input_scale.h"

void trn_input_scale_init(float table[256], double mean, double std)
{
    for (int v = 0; v < 256; v++) {
        table[v] = (float)(((double)v / 255.0 - mean) / std);
    }
}

void trn_input_tokens_init(float table[256])
{
    for (int v = 0; v < 256; v++) {
        table[v] = (float)v;
    }
}

void trn_input_scale(const float table[256], const uint8_t *pixels, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = table[pixels[i]];
    }
}
