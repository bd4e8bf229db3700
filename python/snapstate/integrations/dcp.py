# SPDX-License-Identifier: Apache-2.0
"""torch.distributed.checkpoint over archives (torch 2.4 or newer).

    dcp.save(state, storage_writer=SnapWriter("ckpt/step-500", step=500))
    dcp.load(state, storage_reader=SnapReader("ckpt/step-500"))

Each rank writes one archive, its volume: the shards that torch's planner gave it, as NAME@OFFSET
with their place in the whole tensor, plain values, and the rank's streams. When all are durable
rank 0 writes the index, which has their hashes. Reading with another number of ranks, or other
shards, is torch's own resharding. Nothing in an archive is pickled. docs/torchrun.md is the guide,
docs/format.md, section 8.1, the format.
"""

from .dcp_reader import SnapReader
from .dcp_writer import SnapWriter

__all__ = ["SnapReader", "SnapWriter"]
