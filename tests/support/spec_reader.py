# SPDX-License-Identifier: Apache-2.0
"""A reader and writer of archives, made from docs/format.md alone and sharing nothing with the
library. It is slow and short; the tests compare the two. Section 4, documents, is
spec_documents.py."""

import re
import struct

from spec_documents import (WORD, Corrupt, Unsupported, digest, document, insist, keys, number,
                            parse_document, sha256, version, word)

FIXED = ["README", "manifest.json", "state.json", "data.json", "env.json", "ledger.jsonl", "STATE",
         "SHA256SUMS"]
# Kind, pattern, may be withheld, in STATE: the table of section 3.
KINDS = [
    ("readme", r"README", False, False),
    (None, r"manifest\.json", False, False),
    ("state", r"state\.json", False, True),
    ("data", r"data\.json", False, True),
    ("stream", rf"rng/(?:shard-[0-9]{{3}}/{WORD}|(?!(?i:shard)-[0-9]{{3}}$){WORD})", True, True),
    ("tensor", rf"(?=.{{0,95}}(?:~[0-9]{{4}})?$)tensors/(?={WORD}/)[^/]{{1,64}}/"
               rf"(?:{WORD}|~[0-9]{{6}})(?:~[0-9]{{4}})?", True, True),
    ("extra", rf"extra/{WORD}", True, True),
    ("environment", r"env\.json", True, False),
    ("ledger", r"ledger\.jsonl", True, False),
    ("state_listing", r"STATE", False, False),
    ("listing", r"SHA256SUMS", False, False),
]
# The text in section 14.
README = "ea36c041a63b0912c53b3b12a4ef72014163969c8cec858c174b156d80e93274"
PART = 67108864
LARGEST_STORAGE = PART * 10000
LARGEST_MEMBER = 8 ** 11 - 1
DTYPES = {"bool": 1, "u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "u64": 8, "i64": 8,
          "f16": 2, "bf16": 2, "f32": 4, "f64": 8, "f8_e4m3fn": 1, "f8_e5m2": 1, "f8_e4m3fnuz": 1,
          "f8_e5m2fnuz": 1, "f8_e8m0fnu": 1, "c32": 4, "c64": 8, "c128": 16}


# ---- sections 2 and 3 ----

def header(name, size):
    block = bytearray(512)
    block[0:len(name)] = name.encode("ascii")
    block[100:108] = b"000644 \0"
    block[108:116] = block[116:124] = b"000000 \0"
    block[124:136] = b"%011o " % size
    block[136:148] = b"00000000000 "
    block[148:156] = b" " * 8
    block[156:157] = b"0"
    block[257:265] = b"ustar\0" + b"00"
    block[329:337] = block[337:345] = b"000000 \0"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def build(members):
    """The bytes of an archive of (name, content) pairs."""
    out = b""
    for name, content in members:
        out += header(name, len(content)) + content + bytes(-len(content) % 512)
    return out + bytes(1024)


def row(name):
    """The row of the table in section 3 that a name belongs to."""
    for index, (_, pattern, _, _) in enumerate(KINDS):
        if len(name) <= 100 and re.fullmatch(pattern, name):
            return index
    raise Corrupt(f"{name}: not legal")


def listing(lines):
    return "".join(f"{value.hex()}  {name}\n" for name, value in lines).encode()


# ---- section 5 ----

class Archive:
    """An archive that obeys every rule of section 10, or the exception that says why not. `beside`
    has the other files of its folder, bytes by name."""

    def __init__(self, data, beside=None):
        self.data = data
        self.beside = beside or {}
        self.content = {}
        self.place = 0
        self.read_member("README", 65536)
        self.read_member("manifest.json", 67108864)
        self.manifest = parse_document(self.content["manifest.json"], "manifest.json")
        try:
            version(self.manifest, "snap-archive-1", "manifest.json")
        except Unsupported:
            self.insist_intact()
            raise
        self.check_manifest()
        insist(self.sizes["README"] == len(self.content["README"]), "README: size")
        self.volumes = []
        if self.data[self.place:self.place + 512].startswith(b"volumes.json\0"):
            self.read_volumes()
        self.read_rest()
        for volume in self.volumes:
            self.read_volume(volume)
        insist(sha256(self.content["README"]).hex() == README, "README: another text")
        self.check_listings()
        self.check_state()
        self.check_data()
        if "env.json" in self.content:
            environment = parse_document(self.content["env.json"], "env.json")
            insist(isinstance(environment, dict), "env.json: no object")
        if "ledger.jsonl" in self.content:
            self.check_ledger()

    def read_member(self, name, largest, size=None):
        """Take the member at the present place, which must be `name`."""
        block = self.data[self.place:self.place + 512]
        found = re.fullmatch(rb"[0-7]{11}", block[124:135])
        insist(len(block) == 512 and found, f"{name}: header")
        told = int(found.group(), 8)
        insist(block == header(name, told) and told <= largest and size in (None, told),
               f"{name}: header")
        start = self.place + 512
        end = start + told
        padded = end + -told % 512
        insist(padded + 1024 <= len(self.data), f"{name}: truncated")
        insist(not any(self.data[end:padded]), f"{name}: padding")
        self.content[name] = self.data[start:end]
        self.place = padded

    def insist_intact(self):
        """Section 12: what is of another version must at least be listed."""
        while any(self.data[self.place:self.place + 512]):
            name = self.data[self.place:self.place + 100].rstrip(b"\0").decode("ascii", "replace")
            self.read_member(name, LARGEST_MEMBER)
        insist(self.data[self.place:] == bytes(1024), "the end")
        line = listing([("manifest.json", sha256(self.content["manifest.json"]))])
        insist(name == "SHA256SUMS" and line in self.content[name], "manifest.json: digest")

    def check_manifest(self):
        what = "manifest.json"
        manifest = keys(self.manifest, "chains coverage failure? format kind members parent run_id "
                                       "step", what)
        insist(manifest["kind"] in ("snapshot", "capsule"), f"{what}: kind")
        insist(isinstance(manifest.get("failure", {}), dict) and
               ("failure" in manifest) == (manifest["kind"] == "capsule"), f"{what}: failure")
        insist(isinstance(manifest["run_id"], str) and
               re.fullmatch("[0-9a-f]{16}", manifest["run_id"]), f"{what}: run_id")
        number(manifest["step"], what)
        if manifest["parent"] is not None:
            digest(manifest["parent"], what, "snap1:")
        heads = keys(manifest["chains"], "after before", what)
        for value in [heads["after"]] + ([heads["before"]] if heads["before"] is not None else []):
            keys(value, "host run", what)
            digest(value["host"], what)
            digest(value["run"], what)
        coverage = keys(manifest["coverage"], "captured not_captured", what)
        insist(all(isinstance(name, str) for name in coverage["captured"]), f"{what}: coverage")
        for gap in coverage["not_captured"]:
            keys(gap, "name reason", what)
            insist(isinstance(gap["name"], str) and isinstance(gap["reason"], str),
                   f"{what}: coverage")
        self.check_members(manifest["members"])

    def check_members(self, members):
        what = "manifest.json"
        insist(isinstance(members, list) and len(members) < 262144, f"{what}: members")
        self.names = []
        self.sizes = {"manifest.json": len(self.content["manifest.json"])}
        self.in_state = set()
        for entry in members:
            keys(entry, "in_state? kind name size", what)
            name = entry["name"]
            insist(isinstance(name, str), f"{what}: name")
            kind, _, _, in_state = KINDS[row(name)]
            insist(kind is not None and entry["kind"] == kind, f"{name}: kind")
            insist("in_state" not in entry or
                   (kind == "extra" and entry["in_state"] is False), f"{name}: in_state")
            if in_state and "in_state" not in entry:
                self.in_state.add(name)
            self.sizes[name] = number(entry["size"], name)
            insist(self.sizes[name] <= (PART if kind == "tensor" else LARGEST_MEMBER),
                   f"{name}: size")
            self.names.append(name)
        self.names.insert(1, "manifest.json")
        order = [(row(name), name.encode()) for name in self.names]
        insist(order == sorted(order) and len({name.lower() for name in self.names}) == len(order),
               f"{what}: order or duplicates")
        insist(set(FIXED) <= set(self.names), f"{what}: a member is missing")
        for name, lines in [("STATE", self.in_state), ("SHA256SUMS", self.names[:-1])]:
            insist(self.sizes[name] == sum(67 + len(line) for line in lines), f"{name}: size")

    def read_rest(self):
        for name in self.names[2:]:
            size = self.sizes[name]
            withheld = self.data[self.place:self.place + 512] != header(name, size)
            if withheld and KINDS[row(name)][2]:
                continue
            self.read_member(name, LARGEST_MEMBER, size)
        insist(self.data[self.place:] == bytes(1024), "the end")

    def read_volumes(self):
        """Section 9.1."""
        what = "volumes.json"
        self.read_member(what, 67108864)
        document = parse_document(self.content.pop(what), what)
        version(document, "snap-volumes-1", what)
        self.volumes = keys(document, "format volumes", what)["volumes"]
        insist(isinstance(self.volumes, list) and 1 <= len(self.volumes) <= 512, f"{what}: volumes")
        names = []
        for index, volume in enumerate(self.volumes):
            keys(volume, "file members", what)
            found = re.fullmatch(rf"({WORD})\.vol-([0-9]{{4}})\.tar", str(volume["file"]))
            insist(found and len(found.group(1)) <= 180 and found.group(2) != "0000",
                   f"{what}: file")
            if index == 0:
                stem, first = found.group(1), int(found.group(2))
            insist((stem, first + index) == (found.group(1), int(found.group(2))), f"{what}: file")
            insist(isinstance(volume["members"], list) and volume["members"], f"{what}: members")
            names += volume["members"]
        places = [self.names.index(name) if name in self.names else -1 for name in names]
        insist(places == sorted(set(places)) and
               all(name.startswith("tensors/") for name in names), f"{what}: members")

    def read_volume(self, volume):
        """One that is not there withholds its members."""
        for name in volume["members"]:
            insist(name not in self.content, f"{name}: in the index, too")
        if volume["file"] not in self.beside:
            return
        self.data, self.place = self.beside[volume["file"]], 0
        for name in volume["members"]:
            self.read_member(name, LARGEST_MEMBER, self.sizes[name])
        insist(self.data[self.place:] == bytes(1024), f"{volume['file']}: the end")

    def check_listings(self):
        text = self.content["SHA256SUMS"].decode("ascii", "replace")
        found = re.findall("([0-9a-f]{64})  (.*)\n", text)
        self.digests = {name: bytes.fromhex(value) for value, name in found}
        expected = [(name, self.digests.get(name, b"")) for name in self.names[:-1]]
        insist(listing(expected) == self.content["SHA256SUMS"], "SHA256SUMS: lines")
        for name, content in self.content.items():
            insist(name == "SHA256SUMS" or sha256(content) == self.digests[name],
                   f"{name}: digest, or SHA256SUMS")
        lines = [(name, self.digests[name]) for name in sorted(self.in_state)]
        insist(listing(lines) == self.content["STATE"], "STATE: lines")

    def check_state(self):
        what = "state.json"
        state = parse_document(self.content[what], what)
        version(state, "snap-state-1", what)
        keys(state, "binding format profile roots storages streams training", what)
        word(state["profile"], what)
        insist(isinstance(state["binding"], dict), f"{what}: binding")
        insist(state["training"] is None or isinstance(state["training"], dict),
               f"{what}: training")
        for stream in state["streams"].values():
            word(keys(stream, "kind", what)["kind"], what)
        insist({f"rng/{name}" for name in state["streams"]} ==
               {name for name in self.names if name.startswith("rng/")}, f"{what}: streams")
        self.storages = []
        self.storage_sizes = [number(keys(storage, "member size", what)["size"], what)
                              for storage in state["storages"]]
        roots = []
        for pair in state["roots"]:
            insist(isinstance(pair, list) and len(pair) == 2, f"{what}: roots")
            insist(word(pair[0], what) not in roots, f"{what}: root twice")
            roots.append(pair[0])
            self.check_node(pair[1], pair[0], [])
        insist(self.storages == [storage["member"] for storage in state["storages"]],
               f"{what}: storages")
        members = {}
        for name, size in zip(self.storages, self.storage_sizes):
            parts = max(1, -(-size // PART))
            insist(parts <= 10000, f"{name}: size")
            for part in range(parts):
                suffix = "" if parts == 1 else f"~{part:04d}"
                members[name + suffix] = min(PART, size - part * PART)
        insist(members == {name: size for name, size in self.sizes.items()
                           if name.startswith("tensors/")}, f"{what}: tensors")
        self.state = state

    def check_node(self, node, root, path):
        what = f"state.json: {root}"
        insist(isinstance(node, dict) and len(node) == 1, f"{what}: node")
        (kind, value), = node.items()
        if kind in ("list", "map"):
            insist(isinstance(value, list), f"{what}: {kind}")
        if kind == "list":
            for index, item in enumerate(value):
                self.check_node(item, root, path + [str(index)])
        elif kind == "map":
            insist(all(isinstance(pair, list) and len(pair) == 2 and type(pair[0]) in (str, int)
                       for pair in value), f"{what}: pairs")
            insist(len({(type(key), key) for key, _ in value}) == len(value), f"{what}: key twice")
            for key, item in value:
                self.check_node(item, root, path + [str(key)])
        elif kind == "tensor":
            self.check_tensor(value, root, ".".join(path))
        elif kind == "int" and isinstance(value, str):
            insist(re.fullmatch("-?[1-9][0-9]{15,4299}", value) and abs(int(value)) > 2 ** 53,
                   f"{what}: int")
        else:
            pattern = {"float": "[0-9a-f]{16}", "bytes": "([0-9a-f]{2})*"}.get(kind, "(?s).*")
            types = {"null": type(None), "bool": bool, "int": int, "float": str, "string": str,
                     "bytes": str}
            insist(kind in types and type(value) is types[kind], f"{what}: node")
            insist(not isinstance(value, str) or re.fullmatch(pattern, value), f"{what}: {kind}")

    def check_tensor(self, tensor, root, path):
        what = f"state.json: tensor {root}/{path}"
        keys(tensor, "device dtype global_offset? global_shape? offset requires_grad shape storage "
                     "strides", what)
        insist(tensor["device"] in ("cpu", "cuda"), f"{what}: device")
        insist(isinstance(tensor["requires_grad"], bool), f"{what}: requires_grad")
        item = DTYPES.get(tensor["dtype"])
        insist(item is not None, f"{what}: dtype")
        shape = [number(size, what) for size in tensor["shape"]]
        strides = [number(stride, what) for stride in tensor["strides"]]
        insist(len(shape) == len(strides) <= 16, f"{what}: dimensions")
        index = number(tensor["storage"], what)
        insist(index <= len(self.storages) and index < len(self.storage_sizes), f"{what}: storage")
        if index == len(self.storages):
            name = f"tensors/{root}/{path}"
            used = {other.lower() for other in self.storages}
            if not re.fullmatch(WORD, path) or len(name) > 95 or name.lower() in used:
                name = f"tensors/{root}/~{index:06d}"
            self.storages.append(name)
        product = item
        for size in shape:
            product *= size or 1
        insist(product <= LARGEST_STORAGE and len(path.encode()) <= 1024, f"{what}: too large")
        end = number(tensor["offset"], what)
        if 0 not in shape:
            end += sum((size - 1) * stride for size, stride in zip(shape, strides)) + 1
        insist(end * item <= self.storage_sizes[index], f"{what}: outside its storage")
        insist(("global_shape" in tensor) == ("global_offset" in tensor), f"{what}: piece")
        if "global_shape" in tensor:
            whole = [number(size, what) for size in tensor["global_shape"]]
            start = [number(size, what) for size in tensor["global_offset"]]
            insist(len(whole) == len(start) == len(shape) and
                   all(a + b <= c for a, b, c in zip(start, shape, whole)), f"{what}: piece")

    def check_data(self):
        what = "data.json"
        data = parse_document(self.content[what], what)
        version(data, "snap-data-1", what)
        keys(data, "epoch files format order position", what)
        number(data["epoch"], what)
        number(data["position"], what)
        names = []
        for file in data["files"]:
            keys(file, "name sha256 size", what)
            names.append(word(file["name"], what))
            digest(file["sha256"], what)
            number(file["size"], what)
        insist(names == sorted(set(names)), f"{what}: files")
        if data["order"] is not None:
            order = keys(data["order"], "digest samples start stream", what)
            digest(order["digest"], what)
            number(order["samples"], what)
            row("rng/" + order["stream"])
            self.order_start = self.check_start(order["start"])
        self.data_json = data

    @staticmethod
    def check_start(start):
        if "json" in keys(start, "json? hex?", "data.json") and len(start) == 1:
            return document(start["json"])
        insist(list(start) == ["hex"] and re.fullmatch("([0-9a-f]{2})*", start["hex"]),
               "data.json: start")
        content = bytes.fromhex(start["hex"])
        try:
            parse_document(content, "start")
        except Corrupt:
            return content
        raise Corrupt("data.json: start")

    # ---- sections 6 and 7 ----

    def state_digest(self):
        def first(name, size):
            return (name + "~0000" if size > PART else name).encode()
        lines = []
        for name, size in sorted(zip(self.storages, self.storage_sizes),
                                 key=lambda storage: first(*storage)):
            content = b"".join(self.content[member] for member in self.names
                               if re.fullmatch(re.escape(name) + "(~[0-9]{4})?", member))
            lines.append((name, tree_hash(content)))
        lines += [(name, self.digests[name]) for name in self.names if name.startswith("rng/")]
        return sha256(listing(lines + [("data.json", self.digests["data.json"])]))

    def check_ledger(self):
        what = "ledger.jsonl"
        heads = self.manifest["chains"]
        chain = [digest(heads["before"][name], what) for name in ("run", "host")] \
            if heads["before"] is not None else None
        text = self.content[what]
        insist(text.endswith(b"\n") or not text, f"{what}: torn")
        for data in text.splitlines(keepends=True):
            line = parse_document(data, what)
            chain = next_heads(line, chain)
            insist(chain == [digest(line["chain"], what), digest(line["host_chain"], what)],
                   f"{what}: chain")
        insist(chain == [digest(heads["after"][name], what) for name in ("run", "host")],
               f"{what}: the end")
        self.last_line = line


def tree_hash(content):
    return sha256(b"".join(sha256(content[at:at + 4096]) for at in range(0, len(content), 4096)))


def next_heads(line, before):
    """The two chain values of a line; `before` is None for a genesis line."""
    body = {key: value for key, value in line.items() if key not in ("chain", "host_chain")}
    starts = before or [b"snap-ledger-1\n", b"snap-host-1\n"]
    return [sha256(starts[0] + document(body)), sha256(starts[1] + document(body["host"]))]


def u32(numbers):
    return struct.pack(f"<{len(numbers)}I", *numbers)
