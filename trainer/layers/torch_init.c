/* SPDX-License-Identifier: Apache-2.0 */
/* The initial weights of torch.nn.Linear and torch.nn.Conv2d: their reset_parameters(), with the
 * bounds in doubles as torch/nn/init.py computes them. */
#include "config.h"

#include "layers/layer.h"

enum snap_status trn_torch_init(struct snap_stream *host, size_t fan_in, float *weight,
                                size_t count, float *bias, size_t bias_count,
                                struct snap_error *err)
{
    const double fan = (double)fan_in;
    const double a = __builtin_sqrt(5.0);
    const double gain = __builtin_sqrt(2.0 / (1.0 + a * a)); /* leaky_relu of slope a */
    const double deviation = gain / __builtin_sqrt(fan);
    const double weight_bound = __builtin_sqrt(3.0) * deviation;
    const double bias_bound = 1.0 / __builtin_sqrt(fan);
    const enum snap_status status =
        snap_torch_uniform_f32(host, -weight_bound, weight_bound, weight, count, err);
    if (status != SNAP_OK || bias_count == 0) {
        return status;
    }
    return snap_torch_uniform_f32(host, -bias_bound, bias_bound, bias, bias_count, err);
}
