# SPDX-License-Identifier: Apache-2.0
"""Trainings as people write them, small enough to be run hundreds of times: each builds its objects
and a function that makes a step. None of them knows that it will be killed."""

import gzip
import os
import random
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


def data_folder():
    """The folder of test data, or None."""
    return os.environ.get("SNAP_TEST_DATA")


def read_idx(name):
    path = os.path.join(data_folder(), "data", "mnist", name)
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        raw = file.read()
    dims = struct.unpack(f">{raw[3]}I", raw[4:4 + 4 * raw[3]])
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * raw[3]).reshape(dims)


def find_idx(start):
    folder = os.path.join(data_folder(), "data", "mnist")
    return next(name for name in sorted(os.listdir(folder)) if name.startswith(start))


class Digits(Dataset):
    """MNIST, shifted at random by NumPy's generator and erased by Python's, in the workers."""

    def __init__(self, count):
        self.images = read_idx(find_idx("t10k-images"))[:count]
        self.labels = read_idx(find_idx("t10k-labels"))[:count]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index].astype(np.float32) / 255
        image = np.roll(image, np.random.randint(-2, 3), axis=1)
        if random.random() < 0.3:
            image = image * (torch.rand(28, 28) < 0.9).numpy()
        return torch.from_numpy(np.ascontiguousarray(image))[None], int(self.labels[index])


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(y)))


class Program:
    """What a run is given, and `train(batch)`, which gives back a loss."""

    def __init__(self, **objects):
        self.objects = objects

    def train(self, batch):
        raise NotImplementedError


class Cnn(Program):
    """ResNet-like, dropout, batch norm, augmentation in workers, Adam, cosine schedule."""

    def __init__(self, workers=0, persistent=False):
        self.model = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), Block(8), Block(8),
                                   nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout(0.2),
                                   nn.Linear(72, 10))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 60)
        loader = DataLoader(Digits(160), batch_size=16, shuffle=True, num_workers=workers,
                            persistent_workers=persistent)
        super().__init__(model=self.model, optimizer=self.optimizer, scheduler=self.scheduler,
                         loader=loader)

    def train(self, batch):
        images, labels = batch
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(images), labels)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss


class TextWindows(Dataset):
    def __init__(self, length, count):
        folder = os.path.join(data_folder(), "data", "text")
        name = next(name for name in sorted(os.listdir(folder)) if name.endswith(".txt"))
        with open(os.path.join(folder, name), "rb") as file:
            self.bytes = torch.frombuffer(bytearray(file.read(20000)), dtype=torch.uint8).long()
        self.length, self.count = length, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        at = index * 97 % (len(self.bytes) - self.length - 1)
        return self.bytes[at:at + self.length + 1]


class Gpt(Program):
    """A small GPT on bytes, tied embeddings, AdamW with two groups, warm-up."""

    def __init__(self, workers=0, persistent=False):
        width = 32
        self.model = nn.ModuleDict({
            "tokens": nn.Embedding(256, width), "places": nn.Embedding(32, width),
            "blocks": nn.ModuleList([nn.TransformerEncoderLayer(
                width, 4, 64, dropout=0.1, batch_first=True, norm_first=True) for _ in range(2)]),
            "norm": nn.LayerNorm(width), "head": nn.Linear(width, 256, bias=False)})
        self.model["head"].weight = self.model["tokens"].weight
        decayed = [p for p in self.model.parameters() if p.dim() > 1]
        others = [p for p in self.model.parameters() if p.dim() <= 1]
        self.optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1},
                                            {"params": others, "weight_decay": 0.0}], lr=2e-3)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, warm_up)
        loader = DataLoader(TextWindows(32, 90), batch_size=6, shuffle=True, num_workers=workers,
                            persistent_workers=persistent, drop_last=True)
        super().__init__(model=self.model, optimizer=self.optimizer, scheduler=self.scheduler,
                         loader=loader)

    def train(self, batch):
        inputs, targets = batch[:, :-1], batch[:, 1:]
        count = inputs.shape[1]
        mask = torch.full((count, count), float("-inf")).triu(1)
        x = self.model["tokens"](inputs) + self.model["places"](torch.arange(count))
        for block in self.model["blocks"]:
            x = block(x, src_mask=mask)
        logits = self.model["head"](self.model["norm"](x))
        loss = F.cross_entropy(logits.reshape(-1, 256), targets.reshape(-1))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        return loss


def warm_up(step):
    return min(1.0, (step + 1) / 10)


class Lstm(Program):
    """Two layers with dropout between, SGD with momentum, a plateau schedule."""

    def __init__(self, workers=0, persistent=False):
        self.model = nn.ModuleDict({"embedding": nn.Embedding(256, 16),
                                    "lstm": nn.LSTM(16, 24, 2, dropout=0.2, batch_first=True),
                                    "head": nn.Linear(24, 256)})
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9,
                                         nesterov=True)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, patience=3)
        loader = DataLoader(TextWindows(24, 64), batch_size=8, shuffle=True, num_workers=workers,
                            persistent_workers=persistent,
                            generator=torch.Generator().manual_seed(3))
        super().__init__(model=self.model, optimizer=self.optimizer, scheduler=self.scheduler,
                         loader=loader)

    def train(self, batch):
        hidden, _ = self.model["lstm"](self.model["embedding"](batch[:, :-1]))
        loss = F.cross_entropy(self.model["head"](hidden).reshape(-1, 256),
                               batch[:, 1:].reshape(-1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step(loss.item())
        return loss


class WideAdam(torch.optim.Optimizer):
    """Adam that keeps float32 moments, and a float32 copy, of parameters of fewer bits."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    state["master"] = parameter.detach().float().clone()
                    state["m"] = torch.zeros_like(state["master"])
                    state["v"] = torch.zeros_like(state["master"])
                gradient = parameter.grad.float()
                state["step"] += 1
                state["m"].lerp_(gradient, 0.1)
                state["v"].mul_(0.99).addcmul_(gradient, gradient, value=0.01)
                m = state["m"] / (1 - 0.9 ** state["step"])
                v = state["v"] / (1 - 0.99 ** state["step"])
                state["master"].sub_(group["lr"] * m / (v.sqrt() + 1e-8))
                parameter.copy_(state["master"])


class Mixed(Program):
    """A bfloat16 model with float32 moments."""

    def __init__(self, workers=0, persistent=False):
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.1),
                                   nn.Linear(32, 10)).to(torch.bfloat16)
        self.optimizer = WideAdam(self.model.parameters(), 1e-3)
        loader = DataLoader(Digits(96), batch_size=12, shuffle=True, num_workers=workers,
                            persistent_workers=persistent)
        super().__init__(model=self.model, optimizer=self.optimizer, loader=loader)

    def train(self, batch):
        images, labels = batch
        loss = F.cross_entropy(self.model(images.to(torch.bfloat16)).float(), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


class Gan(Program):
    """Two models and two optimizers; noise from a generator of its own."""

    def __init__(self, workers=0, persistent=False):
        self.noise = torch.Generator().manual_seed(11)
        self.generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 784), nn.Tanh())
        self.critic = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.LeakyReLU(0.2),
                                    nn.Dropout(0.3), nn.Linear(32, 1))
        self.of_generator = torch.optim.Adam(self.generator.parameters(), 2e-4, (0.5, 0.999))
        self.of_critic = torch.optim.RMSprop(self.critic.parameters(), 1e-4, centered=True)
        loader = DataLoader(Digits(96), batch_size=12, shuffle=True, num_workers=workers,
                            persistent_workers=persistent)
        super().__init__(model={"generator": self.generator, "critic": self.critic},
                         optimizer={"generator": self.of_generator, "critic": self.of_critic},
                         loader=loader, streams={"noise": self.noise})

    def train(self, batch):
        images = batch[0] * 2 - 1
        noise = torch.randn(len(images), 8, generator=self.noise)
        made = self.generator(noise)
        self.of_critic.zero_grad()
        critic_loss = F.softplus(-self.critic(images)).mean() + \
            F.softplus(self.critic(made.detach())).mean()
        critic_loss.backward()
        self.of_critic.step()
        self.of_generator.zero_grad()
        loss = F.softplus(-self.critic(made)).mean()
        loss.backward()
        self.of_generator.step()
        return loss


class Accumulating(Program):
    """An update every three batches, on gradients that add up."""

    def __init__(self, workers=0, persistent=False):
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(784, 24), nn.BatchNorm1d(24), nn.ReLU(),
                                   nn.Dropout(0.1), nn.Linear(24, 10))
        self.optimizer = torch.optim.NAdam(self.model.parameters(), 2e-3)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.01, total_steps=80)
        self.batches = {"since_update": 0}
        loader = DataLoader(Digits(96), batch_size=4, shuffle=True, num_workers=workers,
                            persistent_workers=persistent)
        super().__init__(model=self.model, optimizer=self.optimizer, scheduler=self.scheduler,
                         loader=loader, values=self.batches)

    def train(self, batch):
        images, labels = batch
        loss = F.cross_entropy(self.model(images), labels) / 3
        loss.backward()
        self.batches["since_update"] += 1
        if self.batches["since_update"] == 3:
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.scheduler.step()
            self.batches["since_update"] = 0
        return loss


PROGRAMS = {"cnn": Cnn, "gpt": Gpt, "lstm": Lstm, "bf16": Mixed, "gan": Gan,
            "accumulation": Accumulating}


def build(name, workers=0, persistent=False, threads=1):
    """A program with everything seeded, as in a fresh process."""
    torch.set_num_threads(threads)
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(4)
    return PROGRAMS[name](workers, persistent)
