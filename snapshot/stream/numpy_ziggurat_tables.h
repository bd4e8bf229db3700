/* SPDX-License-Identifier: Apache-2.0 AND BSD-3-Clause AND MIT */
/* Tables of the ziggurats (Marsaglia and Tsang, "The Ziggurat Method for Generating Random
 * Variables", 2000) of NumPy's Generator: 256 layers, normal and exponential, in double and in
 * float. The numbers in numpy_ziggurat_f64.c and numpy_ziggurat_f32.c, and the constants below, are
 * those of NumPy's numpy/random/src/distributions/ziggurat_constants.h, derived from Julia's, and
 * come under these licences:
 *
 * NumPy: Copyright (c) 2005-2017, NumPy Developers. All rights reserved.
 *
 * Redistribution and use in source and binary forms, with or without modification, are permitted
 * provided that the following conditions are met:
 *
 * - Redistributions of source code must retain the above copyright notice, this list of conditions
 *   and the following disclaimer.
 * - Redistributions in binary form must reproduce the above copyright notice, this list of
 *   conditions and the following disclaimer in the documentation and/or other materials provided
 *   with the distribution.
 * - Neither the name of the NumPy Developers nor the names of any contributors may be used to
 *   endorse or promote products derived from this software without specific prior written
 *   permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR
 * IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND
 * FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT OWNER OR
 * CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
 * DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
 * WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY
 * WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 *
 * Julia: Copyright (c) 2009-2019: Jeff Bezanson, Stefan Karpinski, Viral B. Shah, and other
 * contributors: https://github.com/JuliaLang/julia/contributors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
 * associated documentation files (the "Software"), to deal in the Software without restriction,
 * including without limitation the rights to use, copy, modify, merge, publish, distribute,
 * sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all copies or
 * substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
 * NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
 * NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
 * DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE. */
#ifndef SNAP_STREAM_NUMPY_ZIGGURAT_TABLES_H
#define SNAP_STREAM_NUMPY_ZIGGURAT_TABLES_H

#include <stdint.h>

#define SNAP_ZIGGURAT_LAYERS 256

/* Where the tails begin; 1 / the normal's. */
#define SNAP_ZIGGURAT_NORMAL_R 3.6541528853610087963519472518
#define SNAP_ZIGGURAT_NORMAL_INVERSE_R 0.27366123732975827203338247596
#define SNAP_ZIGGURAT_EXPONENTIAL_R 7.6971174701310497140446280481

/* k: steps of a layer that lie under the curve; w: the width of a step; f: the density. */
extern const uint64_t snap_ziggurat_normal_k[SNAP_ZIGGURAT_LAYERS];
extern const double snap_ziggurat_normal_w[SNAP_ZIGGURAT_LAYERS];
extern const double snap_ziggurat_normal_f[SNAP_ZIGGURAT_LAYERS];
extern const uint64_t snap_ziggurat_exponential_k[SNAP_ZIGGURAT_LAYERS];
extern const double snap_ziggurat_exponential_w[SNAP_ZIGGURAT_LAYERS];
extern const double snap_ziggurat_exponential_f[SNAP_ZIGGURAT_LAYERS];

extern const uint32_t snap_ziggurat_normal_k_f32[SNAP_ZIGGURAT_LAYERS];
extern const float snap_ziggurat_normal_w_f32[SNAP_ZIGGURAT_LAYERS];
extern const float snap_ziggurat_normal_f_f32[SNAP_ZIGGURAT_LAYERS];
extern const uint32_t snap_ziggurat_exponential_k_f32[SNAP_ZIGGURAT_LAYERS];
extern const float snap_ziggurat_exponential_w_f32[SNAP_ZIGGURAT_LAYERS];
extern const float snap_ziggurat_exponential_f_f32[SNAP_ZIGGURAT_LAYERS];

#endif
