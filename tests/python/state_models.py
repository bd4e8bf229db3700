# SPDX-License-Identifier: Apache-2.0
"""Modules that hold what is easily lost, and an optimizer whose slots are wider than its
weights."""

import torch
from torch import nn

TORCH = int(torch.__version__.split(".")[0])


class Tied(nn.Module):
    """Weights of the output that are those of the embedding, or only look alike."""

    def __init__(self, tied=True):
        super().__init__()
        self.embedding = nn.Embedding(4, 5)
        self.output = nn.Linear(5, 4, bias=False)
        if tied:
            self.output.weight = self.embedding.weight

    def forward(self, x):
        return self.output(x @ self.embedding.weight)


class Views(nn.Module):
    """Parameters in one larger memory, one of them with gaps between its elements."""

    def __init__(self):
        super().__init__()
        self.whole = torch.rand(100)
        self.weight = nn.Parameter(self.whole[10:34].view(4, 6))
        self.bias = nn.Parameter(self.whole[34:40])
        self.gaps = nn.Parameter(self.whole[60:90].view(5, 6).t()[:, ::2])

    def forward(self, x):
        return (x @ self.weight + self.bias) * self.gaps.sum()


class Images(nn.Module):
    """Strides of channels last, batch norms, one of them frozen."""

    def __init__(self, memory_format=None):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3).to(memory_format=memory_format or torch.channels_last)
        self.single = nn.Conv2d(4, 3, 1).to(memory_format=torch.channels_last)
        self.norm, self.frozen = nn.BatchNorm2d(4), nn.BatchNorm2d(3, momentum=None)
        self.dropout = nn.Dropout(0.3)
        self.frozen.eval()

    def forward(self, x):
        x = x.reshape(-1, 2, 4, 4).contiguous(memory_format=torch.channels_last)
        return self.frozen(self.single(self.dropout(self.norm(self.conv(x))))).flatten(1)


class Extra(nn.Module):
    """Extra state, given as it is or as copies."""

    def __init__(self, copies=False):
        super().__init__()
        self.linear, self.copies = nn.Linear(4, 2), copies
        self.extra = {"calls": 0, "sum": torch.ones(4), "parts": [torch.ones(2), (torch.ones(1),)]}

    def get_extra_state(self):
        if not self.copies:
            return self.extra
        return {**self.extra, "sum": self.extra["sum"].clone(),
                "parts": [self.extra["parts"][0].clone(), (self.extra["parts"][1][0].clone(),)]}

    def set_extra_state(self, state):
        self.extra = state

    def forward(self, x):
        self.extra["calls"] += 1
        self.extra["sum"] += x.sum()
        self.extra["parts"][0] *= 1.01
        self.extra["parts"][1][0].add_(self.extra["calls"])
        return self.linear(x * self.extra["sum"] * self.extra["parts"][0].sum())


class Constant(nn.Module):
    """Extra state that begins as a tensor which all of the kind have."""

    ZERO = torch.zeros(4)

    def __init__(self):
        super().__init__()
        self.linear, self.sum = nn.Linear(4, 2), self.ZERO

    def get_extra_state(self):
        return {"sum": self.sum}

    def set_extra_state(self, state):
        self.sum = state["sum"]

    def forward(self, x):
        self.sum = self.sum + x.sum(0)
        return self.linear(x * self.sum)


class Buffers(nn.Module):
    """Buffers of all kinds, that steps change."""

    def __init__(self, missing=False):
        super().__init__()
        self.linear = nn.Linear(4, 2)
        kinds = {"f16": torch.rand(3).half(), "bool": torch.rand(5) > 0.5, "scalar": torch.rand(()),
                 "bytes": torch.randint(9, (3,), dtype=torch.uint8), "empty": torch.rand(0, 3),
                 "complex": torch.rand(3, dtype=torch.cfloat), "every": torch.rand(8)[::2],
                 "turned": torch.rand(2, 3).t(), "expanded": torch.rand(1).expand(5),
                 "windows": torch.rand(20).as_strided((4, 3), (2, 1))}
        if TORCH >= 2:
            kinds["f8"] = torch.rand(5).to(torch.float8_e4m3fn)
        for index, (name, tensor) in enumerate(kinds.items()):
            self.register_buffer(name, tensor, persistent=index % 2 == 0)
        self.register_buffer("nothing", torch.zeros(2) if missing else None)

    def forward(self, x):
        self.scalar += x.sum()
        self.complex *= 1j
        self.bytes += 1
        self.bool.logical_not_()
        self.every.add_(self.scalar)
        return self.linear(x) * self.scalar


class Names(nn.Module):
    """Names that are no words, and a module under two names."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ParameterDict({"a b/c": nn.Parameter(torch.rand(2)),
                                       "~tuple": nn.Parameter(torch.rand(1)),
                                       "\u00fc": nn.Parameter(torch.rand(2))})
        self.first = nn.Linear(4, 2)
        self.second = self.first

    def forward(self, x):
        return self.first(x) * self.parts["\u00fc"] + self.parts["a b/c"]


class Wide(torch.optim.Optimizer):
    """Momentum in float32, a float32 copy of each weight, and weights in bfloat16."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.1})

    def step(self, closure):
        loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    slots = self.state[parameter]
                    if not slots:
                        slots.update(step=0, master=parameter.float(),
                                     momentum=torch.zeros_like(parameter, dtype=torch.float32))
                    slots["step"] += 1
                    slots["momentum"].mul_(0.9).add_(parameter.grad.float())
                    slots["master"] -= group["lr"] * slots["momentum"]
                    parameter.copy_(slots["master"])
        return loss


class Annealed(nn.Module):
    """A rate and a temperature that steps change, a count of calls, one that comes with the first
    step, and one that is not a number each time."""

    def __init__(self, **more):
        super().__init__()
        self.layer, self.dropout = nn.Linear(4, 2), nn.Dropout(0.1)
        self.calls, self.temperature, self.last = 0, 1.0, None
        vars(self).update(more)

    def forward(self, batch):
        self.calls += 1
        self.temperature *= 0.9
        self.dropout.p = min(0.5, 0.1 * self.calls)
        self.was_called = True
        self.last = None if self.calls % 2 else self.calls
        return self.dropout(self.layer(batch)) / self.temperature + (self.last or 0)
