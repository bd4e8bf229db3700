/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of torch's fills, in the form of its AVX2 kernels: multiplications and additions
 * are fused. On a CPU with AVX2 and FMA they take several elements at once; elsewhere one by one,
 * with the same results. */
#ifndef SNAP_STREAM_TORCH_LANES_H
#define SNAP_STREAM_TORCH_LANES_H

#include <stddef.h>
#include <stdint.h>

/* Elements of normal_ that are transformed together, and their halves: the first ones give a
 * radius, the others an angle. */
#define SNAP_TORCH_BLOCK 16u
#define SNAP_TORCH_HALF_BLOCK 8u

/* d[i] = fma(d[i], range, from). */
void snap_torch_scale_f32(float *d, size_t n, float range, float from);
void snap_torch_scale_f64(double *d, size_t n, double range, double from);
/* Blocks of uniforms in [0, 1) become normals, with the logarithm, sine and cosine of
 * avx_mathfun.h: no libm. */
void snap_torch_normals_f32(float *d, size_t blocks, float mean, float std);
/* The same one by one, whatever the CPU has. */
void snap_torch_normals_f32_portable(float *d, size_t blocks, float mean, float std);

#endif
