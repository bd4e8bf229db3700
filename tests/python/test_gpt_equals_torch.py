#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The trainer's GPT against the same torch.nn modules. The initial weights and their names are
equal, bit for bit. The loss and every gradient are those of torch in float64 but for rounding:
the bits are the definition's, and torch's are others, so this one comparison has a bound. It shows
that the definition is the right mathematics; that its bits are kept is shown elsewhere."""

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402  (after the path is set)

DUMP = Path(os.environ.get("top_builddir", TOP)) / "tests" / "ops" / "dump_step"

# Of a tensor's largest gradient; rounding makes about a tenth of it, a wrong term thousands.
BOUND = 2.0 ** -17

# (seed, context, batch, layers, heads, width)
SHAPES = [(42, 1, 3, 1, 1, 16), (7, 33, 2, 2, 3, 24), (2**32 + 5, 64, 3, 2, 4, 32)]


def config(folder, seed, context, batch, layers, heads, width):
    """The path of a config over a text of all bytes."""
    text = bytes((i * i + i // 7) % 256 for i in range(4 * context * batch + 600))
    (folder / "text").write_bytes(text)
    seeds = {"python": 1, "numpy": 1, "host": seed, "device": 1}
    training = {
        "seeds": seeds, "data": {"format": "text", "context": context},
        "model": [{"name": "transformer", "kind": "gpt", "layers": layers, "heads": heads,
                   "width": width},
                  {"name": "lm_head", "kind": "linear", "features": 256, "bias": False}],
        "optimizer": {"kind": "sgd", "learning_rate": "0.1"}, "epochs": 1, "batch_size": batch}
    path = folder / "config.json"
    path.write_text(json.dumps({"training": training, "running": {"data": {"text": "text"}}}),
                    encoding="utf-8")
    return path


def gpt(torch, context, layers, heads, width):
    """GPT-2 in torch, with the names that it has there, made in the order of its state_dict."""
    nn = torch.nn

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn = nn.Linear(width, 3 * width)
            self.c_proj = nn.Linear(width, width)

        def forward(self, x):
            b, t, c = x.shape
            q, k, v = (part.view(b, t, heads, c // heads).transpose(1, 2)
                       for part in self.c_attn(x).split(c, dim=2))
            s = (q @ k.transpose(-2, -1)) / (c // heads) ** 0.5
            mask = torch.tril(torch.ones(t, t, dtype=torch.bool))
            p = s.masked_fill(~mask, float("-inf")).softmax(dim=-1)
            return self.c_proj((p @ v).transpose(1, 2).reshape(b, t, c))

    class Mlp(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_fc = nn.Linear(width, 4 * width)
            self.c_proj = nn.Linear(4 * width, width)

        def forward(self, x):
            h = self.c_fc(x)
            # The tanh form; its constant as it is in float32.
            u = 0.7978845608 * (h + 0.044715 * h ** 3)
            return self.c_proj(0.5 * h * (1 + torch.tanh(u)))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1 = nn.LayerNorm(width)
            self.attn = Attention()
            self.ln_2 = nn.LayerNorm(width)
            self.mlp = Mlp()

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = nn.ModuleDict(dict(
                wte=nn.Embedding(256, width), wpe=nn.Embedding(context, width),
                h=nn.ModuleList([Block() for _ in range(layers)]), ln_f=nn.LayerNorm(width)))
            self.lm_head = nn.Linear(width, 256, bias=False)

        def forward(self, tokens):
            x = self.transformer.wte(tokens) + self.transformer.wpe(torch.arange(context))
            for block in self.transformer.h:
                x = block(x)
            return self.lm_head(self.transformer.ln_f(x))

    return Gpt()


def floats(words):
    return [struct.unpack(">f", bytes.fromhex(word))[0] for word in words]


def read_dump(text):
    """What dump_step printed: tensors {name: (shape, words)}, lists, gradients {name: words}."""
    tensors, gradients, rest = {}, {}, {}
    for line in text.splitlines():
        kind, *words = line.split(" ")
        if kind == "tensor":
            tensors[words[0]] = (words[1], words[2:])
        elif kind == "gradient":
            gradients[words[0]] = words[1:]
        else:
            rest[kind] = words
    return tensors, gradients, rest


def compare_weights(tap, title, tensors, model, torch):
    theirs = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    tap.ok([(name, shape) for name, (shape, _) in tensors.items()]
           == [(name, "x".join(map(str, tensor.shape))) for name, tensor in theirs.items()],
           f"{title}: names, shapes and their order", list(tensors), list(theirs))
    wrong = []
    for name, (_, words) in tensors.items():
        bits = [f"{value & 0xffffffff:08x}"
                for value in theirs[name].reshape(-1).view(torch.int32).tolist()]
        wrong += [f"{name}[{i}]: {x}, torch has {y}"
                  for i, (x, y) in enumerate(zip(words, bits)) if x != y]
    tap.ok(not wrong, f"{title}: initial weights, every bit", *wrong[:10])


def compare_step(tap, title, gradients, rest, model, torch, shape):
    model = model.double()
    tokens = torch.tensor([int(word) for word in rest["inputs"]]).view(shape)
    labels = torch.tensor([int(word) for word in rest["labels"]])
    loss = torch.nn.functional.cross_entropy(model(tokens).view(-1, 256), labels)
    loss.backward()
    mine, = floats(rest["loss"])
    tap.ok(abs(mine - loss.item()) <= BOUND * abs(loss.item()), f"{title}: the loss",
           f"{mine}, torch has {loss.item()}")
    for name, parameter in model.named_parameters():
        theirs = parameter.grad.reshape(-1)
        difference = (torch.tensor(floats(gradients[name])).double() - theirs).abs().max().item()
        largest = theirs.abs().max().item()
        # A bias of keys has no gradient at all: what is there is rounding.
        tap.ok(difference <= BOUND * largest and len(gradients[name]) == theirs.numel(),
               f"{title}: the gradient of {name}", f"off by {difference}, largest {largest}")


def main():
    tap = Tap()
    try:
        import torch
    except ImportError as error:
        tap.skip("the GPT equals torch's", f"python3-torch is missing: {error}")
        return tap.done()
    for seed, context, batch, layers, heads, width in SHAPES:
        title = f"context {context}, {layers} layers, {heads} heads, width {width}"
        with tempfile.TemporaryDirectory() as folder:
            path = config(Path(folder), seed, context, batch, layers, heads, width)
            found = subprocess.run([str(DUMP), str(path)], capture_output=True, text=True,
                                   check=False)
        if not tap.ok(found.returncode == 0, f"{title}: dump_step runs", found.stderr):
            continue
        tensors, gradients, rest = read_dump(found.stdout)
        torch.manual_seed(seed)
        model = gpt(torch, context, layers, heads, width)
        compare_weights(tap, title, tensors, model, torch)
        compare_step(tap, title, gradients, rest, model, torch, (batch, context))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
