# SPDX-License-Identifier: Apache-2.0
"""A training of several processes in FSDP2, and how its ranks tell the test what they found."""

import hashlib
import json
import os
from pathlib import Path

try:
    import torch
    if int(torch.__version__.split(".")[0]) < 2:
        # That of 1.13 cannot be imported under Python 3.11.
        raise ImportError(f"torch {torch.__version__} has no torch.distributed.checkpoint")
    import torch.distributed as dist
    from torch import nn
    from torch.distributed.fsdp import fully_shard
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor
    MISSING = None
except ImportError as problem:
    MISSING = str(problem)

if not MISSING:
    from snapstate.integrations.dcp import SnapReader


def join():
    torch.set_num_threads(1)
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", init_method=os.environ["MEET"], rank=rank, world_size=world)
    return rank, init_device_mesh("cpu", (world,))


class Sharded:
    """A model in FSDP whose rows do not divide evenly, with dropout from each rank's own stream."""

    def __init__(self, mesh, seed):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(16, 33), nn.Dropout(0.2), nn.Linear(33, 10))
        for layer in (self.model[0], self.model[2], self.model):
            fully_shard(layer, mesh=mesh)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-2)
        torch.manual_seed(seed + 1 + dist.get_rank())

    def steps(self, count):
        for _ in range(count):
            self.model(torch.randn(8, 16)).pow(2).sum().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

    def state(self):
        model, optimizer = get_state_dict(self.model, self.optimizer)
        return {"model": model, "optimizer": optimizer, "place": {"epoch": 3, "betas": (1, 2.5)}}

    def load(self, path):
        reader, state = SnapReader(), self.state()
        state["place"] = {"epoch": 0, "betas": None}
        dcp.load(state, checkpoint_id=path, storage_reader=reader)
        set_state_dict(self.model, self.optimizer, model_state_dict=state["model"],
                       optim_state_dict=state["optimizer"])
        return reader, state["place"]

    def digest(self):
        """Of every whole tensor of model and optimizer."""
        return digest_of(self.state())


def digest_of(value):
    if isinstance(value, dict):
        return {str(key): digest_of(item) for key, item in value.items()}
    if isinstance(value, DTensor):
        value = value.full_tensor()
    if isinstance(value, torch.Tensor):
        return hashlib.sha256(value.detach().contiguous().numpy().tobytes()).hexdigest()
    return repr(value)


def tell(path, value):
    if dist.get_rank() == 0:
        Path(path).write_text(json.dumps(value))


def told(path):
    return json.loads(Path(path).read_text())


def raised(call, *arguments, **options):
    """What torch's CheckpointException, which is no Exception, says of our own."""
    try:
        call(*arguments, **options)
    except BaseException as problem:
        return str(problem)
    return ""
