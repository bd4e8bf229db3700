#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The trainer's initial tensors equal those of the same torch.nn modules, made in the same order
after torch.manual_seed, bit for bit, and the host stream stands where torch's generator stands."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402  (after the path is set)

DUMP = Path(os.environ.get("top_builddir", TOP)) / "tests" / "ops" / "dump_init"

# (seed, input height, width, channels, layers); a layer as dump_init takes it.
MODELS = {
    "a multilayer perceptron": (42, 1, 1, 784, [
        "linear:fc1:300", "gelu:g1", "linear:fc2:100", "linear:fc3:10"]),
    "odd shapes without bias": (7, 9, 5, 3, [
        "conv2d:a:5:3:2:0", "conv2d:b:7:1:3:1", "flatten:flat", "linear:c:3:0:0:0"]),
    "single elements": (0, 1, 1, 1, ["linear:a:1", "linear:b:1"]),
    "a seed past 32 bits": (2**32 + 5, 1, 1, 17, ["linear:a:19", "batchnorm:n", "linear:b:2"]),
}


def examples():
    """The models of the example configs of images, in the form of MODELS; the GPT has its own
    test."""
    for path in sorted((TOP / "examples").glob("*.json")):
        training = json.loads(path.read_text(encoding="utf-8"))["training"]
        if training["data"]["format"] != "idx":
            continue
        height, width, channels = training["data"]["shape"]
        layers = []
        for layer in training["model"]:
            kernel = layer.get("kernel", 0)
            layers.append(":".join(str(word) for word in (
                layer["kind"], layer["name"], layer.get("features", 0), kernel, kernel,
                int(layer.get("bias", True)), layer.get("padding", 0))))
        yield f"examples/{path.name}", (training["seed"], height, width, channels, layers)


def torch_tensors(torch, seed, shape, layers):
    """(name, shape, words) as dump_init prints them, and how many 32-bit words were drawn."""
    torch.manual_seed(seed)
    height, width, channels = shape
    out = []

    def add(name, tensor):
        data = tensor.detach()
        if data.dim() == 4:
            data = data.permute(0, 2, 3, 1)
        flat = data.contiguous().reshape(-1)
        if data.dtype == torch.int64:
            words = [f"{value & (2**64 - 1):x}" for value in flat.tolist()]
        else:
            words = [f"{value & 0xffffffff:08x}"
                     for value in flat.view(torch.int32).tolist()]
        out.append((name, "x".join(map(str, data.shape)) or "-", words))

    for layer in layers:
        kind, name, *numbers = layer.split(":")
        numbers = [int(number) for number in numbers]
        bias = len(numbers) < 4 or numbers[3] != 0
        module = None
        if kind == "conv2d":
            padding = numbers[4] if len(numbers) > 4 else 0
            module = torch.nn.Conv2d(channels, numbers[0], (numbers[1], numbers[2]), bias=bias,
                                     padding=padding)
            height += 2 * padding - numbers[1] + 1
            width += 2 * padding - numbers[2] + 1
            channels = numbers[0]
        elif kind == "linear":
            module = torch.nn.Linear(channels, numbers[0], bias=bias)
            channels = numbers[0]
        elif kind == "batchnorm":
            module = torch.nn.BatchNorm2d(channels)
        elif kind in ("maxpool", "avgpool"):
            height, width = height // numbers[1], width // numbers[2]
        elif kind == "flatten":
            height, width, channels = 1, 1, height * width * channels
        if module is not None:
            for key, tensor in module.state_dict().items():
                add(f"{name}.{key}", tensor)
    after = torch.get_rng_state()
    state = bytes(after.tolist())
    left, = struct.unpack_from("<i", state, 8)
    return out, left


def expected_left(words):
    """Field `left` of torch's state after so many words from a fresh seed."""
    return 1 if words == 0 else 625 - ((words - 1) % 624 + 1)


def main():
    tap = Tap()
    try:
        import torch
    except ImportError as error:
        tap.skip("initial weights equal torch's", f"python3-torch is missing: {error}")
        return tap.done()
    for title, (seed, height, width, channels, layers) in [*examples(), *MODELS.items()]:
        found = subprocess.run([str(DUMP), str(seed), str(height), str(width), str(channels)]
                               + layers, capture_output=True, text=True, check=False)
        if not tap.ok(found.returncode == 0, f"{title}: dump_init runs", found.stderr):
            continue
        lines = [line.split(" ") for line in found.stdout.splitlines()]
        words = int(lines.pop()[1])
        mine = [(line[0], line[1], line[2:]) for line in lines]
        theirs, left = torch_tensors(torch, seed, (height, width, channels), layers)
        tap.ok([line[:2] for line in mine] == [line[:2] for line in theirs],
               f"{title}: names and shapes", [line[:2] for line in mine],
               [line[:2] for line in theirs])
        wrong = [f"{a[0]}[{i}]: {x}, torch has {y}" for a, b in zip(mine, theirs)
                 for i, (x, y) in enumerate(zip(a[2], b[2])) if x != y]
        tap.ok(not wrong and all(len(a[2]) == len(b[2]) for a, b in zip(mine, theirs)),
               f"{title}: {sum(len(a[2]) for a in mine)} elements, every bit", *wrong[:10])
        tap.ok(expected_left(words) == left, f"{title}: the generator stands where torch's does",
               f"{words} words drawn, torch has {left} left")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
