#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws of PyTorch's CUDA generator and of torch.nn.Dropout on a CUDA device, in the schema of
README.md. Needs torch with CUDA and such a device.

    gen_torch_cuda.py [--seed N] [--out FILE] [--device cuda:N]
"""

import argparse
import json
import platform
import random
import struct

import torch

SIZES = [1, 3, 4, 5, 255, 256, 257, 1024, 4099]


def bits_of(tensor):
    number, word, text = {torch.float32: ("<f", "<I", "%08x"),
                          torch.float64: ("<d", "<Q", "%016x")}[tensor.dtype]
    return [text % struct.unpack(word, struct.pack(number, value))[0]
            for value in tensor.flatten().tolist()]


def float_call(name, args, tensor):
    kind = {torch.float32: "f32", torch.float64: "f64"}[tensor.dtype]
    return {"fn": name, "args": args, "type": kind,
            "out": [value.hex() for value in tensor.flatten().tolist()], "bits": bits_of(tensor)}


def calls_of(device, size, generator):
    """A few draws of that many elements, one after the other."""
    args = {"n": size}
    yield float_call("rand", {**args, "dtype": "float32"},
                     torch.rand(size, device=device, generator=generator))
    yield float_call("rand", {**args, "dtype": "float64"},
                     torch.rand(size, device=device, dtype=torch.float64, generator=generator))
    drawn = torch.randint(0, 1000, (size,), device=device, generator=generator)
    yield {"fn": "randint", "args": {**args, "low": 0, "high": 1000}, "type": "int",
           "out": drawn.tolist()}
    drawn = torch.empty(size, dtype=torch.int64, device=device).random_(generator=generator)
    yield {"fn": "random_", "args": args, "type": "bigint", "out": [str(x) for x in drawn.tolist()]}
    torch.randn(size, device=device, generator=generator)
    yield {"fn": "randn", "args": {**args, "dtype": "float32"}, "type": "f32", "out": []}
    drawn = torch.empty(size, device=device).bernoulli_(0.25, generator=generator)
    yield float_call("bernoulli_", {**args, "p": 0.25}, drawn)


def dropout_calls(device, size):
    for p in (0.1, 0.5):
        kept = torch.nn.Dropout(p)(torch.ones(size, device=device))
        yield float_call("Dropout", {"n": size, "p": p}, kept)


def state_of(raw):
    data = bytes(raw.tolist())
    seed, offset = struct.unpack("<Qq", data[:16])
    return {"hex": data.hex(), "fields": {"seed": str(seed), "offset": str(offset)}}


def make_cases(seed, device):
    order = random.Random(seed)
    for size in SIZES:
        for kind in ("generator", "dropout"):
            value = order.getrandbits(63)
            generator = torch.cuda.default_generators[device.index] if kind == "dropout" \
                else torch.Generator(device)
            generator.manual_seed(value)
            case = {"id": f"{kind}/{size}", "seed": {"kind": "manual_seed", "value": str(value)},
                    "state_before": state_of(generator.get_state()), "calls": []}
            drawn = calls_of(device, size, generator) if kind == "generator" \
                else dropout_calls(device, size)
            for call in drawn:
                call["state"] = state_of(generator.get_state())
                case["calls"].append(call)
            case["state_after"] = state_of(generator.get_state())
            yield case


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="torch_cuda.json")
    parser.add_argument("--device", default="cuda:0", help="cuda:N (cuda:0)")
    options = parser.parse_args()
    device = torch.device(options.device)
    head = {"schema": "snap-vectors/1", "family": "torch_cuda", "library": "torch",
            "version": torch.__version__, "generated_by": "gen_torch_cuda.py",
            "platform": f"{platform.platform()}, {torch.cuda.get_device_name(device)}",
            "variants": {"base": {}},
            "notes": ["Each call also has the state that it leaves behind. Of randn there is "
                      "nothing but that: its logarithms and cosines are the device's own."]}
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n')
        file.write(",\n".join(json.dumps(case) for case in make_cases(options.seed, device)))
        file.write("\n]}\n")


if __name__ == "__main__":
    main()
