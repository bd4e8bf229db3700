# SPDX-License-Identifier: Apache-2.0
"""Reading an archive, lazily.

    with snapstate.Archive("runs/exp1/snapshots/step-0000000500.snap.tar") as archive:
        archive.step, archive.state_hash
        weight = archive["model"]["fc.weight"]     # an ArchivedTensor: nothing is read yet
        weight.shape, weight.dtype
        weight.numpy()                             # read, and compared with its digest
        archive.load("optimizer", "torch")         # all of a root; shared memory stays shared

Opening insists on the structure of the file; the content of tensors, streams and extras is compared
with its digest when it is read. Neither torch nor NumPy is needed to open, to list, and for bytes.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional

from . import errors, tree
from ._archive_file import ArchiveFile, Member, Storage
from ._archived import ArchivedStream, ArchivedTensor, Reading

__all__ = ["Archive", "ArchivedStream", "ArchivedTensor", "Member", "Storage"]


class Archive(ArchiveFile):
    """An archive, open for reading until close() or the end of its `with` block. Safe to use from
    several threads. Raises CorruptError, UnsupportedError or EnvironmentFailure, as
    snap_archive_open in snapstate/archive.h says."""

    @property
    def storages(self) -> List[Storage]:
        """The storages, which `ArchivedTensor.storage` counts."""
        if self._storages is None:
            self._storages = [Storage(storage["member"], storage["size"])
                              for storage in self._document("state.json")["storages"]]
        return self._storages

    @property
    def roots(self) -> List[str]:
        """The names of the roots, in the trainer's order."""
        return [name for name, _ in self._document("state.json")["roots"]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.roots)

    def __contains__(self, root: object) -> bool:
        return root in self.roots

    def __len__(self) -> int:
        return len(self.roots)

    def keys(self) -> List[str]:
        return self.roots

    def node(self, root: str) -> tree.Node:
        """The node of a root, as state.json has it: not to be changed."""
        for name, node in self._document("state.json")["roots"]:
            if name == root:
                return node
        raise errors.NotFoundError(f"{self.path}: has no root {root}; it has "
                                   f"{', '.join(self.roots) or 'none'}")

    def __getitem__(self, root: str) -> Any:
        """A root as a Python value, anew each time, whose tensors are ArchivedTensor: nothing of
        them is read. Functions, enums and named tuples are names: see tree.adopt()."""
        return self._lazy(self.node(root), root)

    def _lazy(self, node: tree.Node, path: str) -> Any:
        return tree.decode(node, lambda leaf: ArchivedTensor(self, leaf),
                           lambda leaf: ArchivedTensor(self, leaf, True), path=path)

    def at(self, path: str) -> tree.Node:
        """The node at a path, "ROOT" or "ROOT/PATH": keys and indices joined by ".", as
        `snap diff` prints them. NotFoundError; InvalidError when two nodes have that path."""
        root, slash, rest = path.partition("/")
        found = _find_nodes(self.node(root), rest) if slash else [self.node(root)]
        if not found:
            raise errors.NotFoundError(f"{self.path}: has nothing at {path}")
        if len(found) > 1:
            raise errors.InvalidError(f"{self.path}: {path} is {len(found)} places, for keys that "
                                      f"hold dots: take archive[{root!r}] and go on from there")
        return found[0]

    def load(self, path: Optional[str] = None, framework: Optional[str] = "numpy", *,
             widen: bool = False) -> Any:
        """A root, or what is at "ROOT/PATH", as a Python value; None: a dict of all roots.

        `framework`: "numpy" or "torch", what tensors are made as, on the CPU; what was a NumPy
        array comes as one from both. Those that shared memory share it. None: they are
        ArchivedTensor, as archive[root] gives them. Each part of a storage is read once, straight
        into the memory of the tensors over it, and compared with its digest. UnsupportedError,
        before anything is read, for a dtype that the framework lacks. `widen`: as in
        ArchivedTensor.numpy(), for "numpy"; what is widened is a copy that shares nothing."""
        if framework not in ("numpy", "torch", None):
            raise errors.InvalidError(f'framework {framework!r}: is none of "numpy", "torch", None')
        if widen and framework != "numpy":
            raise errors.InvalidError('load(): widen is for the framework "numpy"')
        nodes = {path: self.at(path)} if path is not None else {
            root: self.node(root) for root in self.roots}
        if framework is None:
            values = {name: self._lazy(node, name) for name, node in nodes.items()}
            return values if path is None else values[path]
        tensors: List[ArchivedTensor] = []
        for name, node in nodes.items():
            tree.decode(node, lambda leaf: tensors.append(ArchivedTensor(self, leaf)),
                        lambda leaf: tensors.append(ArchivedTensor(self, leaf, True)), path=name)
        reading = Reading(self, framework, tensors)
        for tensor in tensors:
            reading.insist_dtype(tensor, widen)
        reading.fill()

        def make(leaf: Dict[str, Any]) -> Any:
            tensor = ArchivedTensor(self, leaf)
            return (reading.view_torch(tensor) if framework == "torch"
                    else reading.view_numpy(tensor, widen))

        def make_array(leaf: Dict[str, Any]) -> Any:
            return reading.view_numpy(ArchivedTensor(self, leaf, True), widen)

        values = {name: tree.decode(node, make, make_array, path=name)
                  for name, node in nodes.items()}
        return values if path is None else values[path]


def _find_nodes(node: tree.Node, path: str) -> List[tree.Node]:
    """The nodes at a path below `node`: more than one when keys hold dots."""
    if "list" in node:
        index, _, rest = path.partition(".")
        entries = [(str(number), item) for number, item in enumerate(node["list"])
                   if str(number) == index]
    elif "map" in node:
        entries = [(str(key), item) for key, item in node["map"]]
    else:
        return []
    found = [item for key, item in entries if key == path]
    for key, item in entries:
        if path.startswith(key + "."):
            found += _find_nodes(item, path[len(key) + 1:])
    return found
