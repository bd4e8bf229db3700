#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/format.md, held against the library: its example is put together from the page, every digest
in it is computed again, the library writes the same file, and a reader made from the page alone
accepts and refuses what the library does."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "support"))
# pylint: disable=wrong-import-position
import spec_reader  # noqa: E402
from spec_reader import sha256  # noqa: E402
from tap import Tap  # noqa: E402

PAGE = os.path.join(os.environ["top_srcdir"], "docs", "format.md")
WRITE = os.path.join(os.environ["top_builddir"], "tests", "write_sample")


def members_of_page(page):
    """The members in section 14: (name, content), in order."""
    example = page[page.index("## 14 An example"):]
    blocks = re.findall(r"^`([^`\n]+)`[^\n]*:\n\n```(text|hex)\n(.*?)^```$", example,
                        re.MULTILINE | re.DOTALL)
    return [(name, bytes.fromhex(text) if form == "hex" else text.encode())
            for name, form, text in blocks]


def table_of_page(page):
    return {name: value.strip("`") for name, value in
            re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", page[page.index("What follows from them"):],
                       re.MULTILINE)}


def read(data, beside=None):
    """The reader's answer: an archive, or what it raised."""
    try:
        return spec_reader.Archive(data, beside)
    except (spec_reader.Corrupt, spec_reader.Unsupported) as error:
        return error


def written_by_library(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sample.snap.tar")
        subprocess.run([WRITE, path, *arguments], check=True)
        with open(path, "rb") as file:
            return file.read()


def check_example(tap, page):
    members = members_of_page(page)
    table = table_of_page(page)
    tap.ok(len(members) == 16, "the page shows sixteen members", len(members))
    data = spec_reader.build(members)
    archive = read(data)
    if not tap.ok(isinstance(archive, spec_reader.Archive),
                  "what the page shows obeys the rules of the page", archive):
        return None
    found = {
        "size of the file": f"{len(data)} bytes",
        "SHA-256 of the file": sha256(data).hex(),
        "snapshot hash": "snap1:" + sha256(archive.content["SHA256SUMS"]).hex(),
        "state hash": "state1:" + sha256(archive.content["STATE"]).hex(),
        "run hash": "run1:" + archive.last_line["chain"],
        "head of the host chain": archive.last_line["host_chain"],
        "run id": archive.manifest["run_id"],
        "tree hash of `tensors/model/fc.weight`":
            spec_reader.tree_hash(archive.content["tensors/model/fc.weight"]).hex(),
        "tree hash of `tensors/optimizer/momentum.0`": spec_reader.tree_hash(b"").hex(),
        "state digest": "tree1:" + archive.state_digest().hex(),
    }
    for name, value in found.items():
        tap.ok(table.get(name) == value, f"the page's {name}", f"{table.get(name)}, not {value}")
    tap.ok(set(table) == set(found), "the table of the page has no other line",
           set(table) ^ set(found))
    genesis = spec_reader.parse_document(archive.content["ledger.jsonl"].splitlines(True)[0], "")
    tap.ok(genesis["chain"].startswith(archive.manifest["run_id"]),
           "the run id begins the genesis chain")
    tap.ok(archive.last_line["float"]["state"] == found["state digest"],
           "the last line's state digest is the archive's")
    tap.ok(archive.data_json["order"]["digest"] == sha256(spec_reader.u32([2, 0, 3, 1])).hex() and
           archive.last_line["host"]["samples"] == sha256(spec_reader.u32([2, 0])).hex(),
           "the digests of the sample ids")
    tap.ok(archive.order_start == archive.content["rng/order"],
           "the order's stream at the start of the epoch")
    return data


def check_damage(tap, data):
    accepted = []
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        if not isinstance(read(bytes(damaged)), spec_reader.Corrupt):
            accepted.append(f"byte {place}")
    tap.empty(accepted, "a reader made from the page refuses every seventh byte flipped")
    cut = [place for place in range(0, len(data), 512)
           if not isinstance(read(data[:place]), spec_reader.Corrupt)]
    tap.empty(cut, "and the file cut at every block")
    tap.ok(isinstance(read(data + bytes(512)), spec_reader.Corrupt), "and bytes after the end")


def check_volumes(tap, data):
    """The example, cut by the program: what a reader made from the page finds in each cut."""
    whole = spec_reader.Archive(data).content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "whole").write_bytes(data)
        for size in (1, 2048, 2560):
            done = subprocess.run([os.environ["SNAP"], "pack", "whole", "-o", f"{size}.snap.tar",
                                   "--volume-size", str(size)], cwd=folder, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            tap.ok(done.returncode == 0, f"cut at {size}", done.stdout)
            index = (path / f"{size}.snap.tar").read_bytes()
            volumes = {file.name: file.read_bytes() for file in path.glob(f"{size}.vol-*.tar")}
            found = read(index, volumes)
            tap.ok(len(volumes) > 1 and isinstance(found, spec_reader.Archive) and
                   found.content == whole, "has the same members", found)
            missing = sorted(volumes)[0]
            lost = read(index, {name: volumes[name] for name in volumes if name != missing})
            tap.ok(isinstance(lost, spec_reader.Archive) and
                   sorted(set(whole) - set(lost.content)) == sorted(lost.volumes[0]["members"]),
                   "without a volume its members are withheld", lost)
            other = {**volumes, missing: volumes[sorted(volumes)[1]]}
            tap.ok(isinstance(read(index, other), spec_reader.Corrupt), "another volume is refused")


def defined_numbers(text):
    """The macros of a header that are numbers, or sums and products of numbers and of those before
    them."""
    numbers = {}
    for name, value in re.findall(r"#define (SNAP_\w+) (.+)$", text, re.MULTILINE):
        value = re.sub(r"\b(\d+)(?:u|ull|ll)\b", r"\1", value)
        value = re.sub(r"\bSNAP_\w+", lambda used: str(numbers.get(used[0], used[0])), value)
        if re.fullmatch(r"[\d+* ()]+", value):
            numbers[name] = eval(value)  # digits, sums and products alone
    return numbers


def check_limits(tap, page):
    """The numbers of section 11 are those of the header."""
    path = os.path.join(os.environ["top_srcdir"], "snapshot", "format", "limits.h")
    with open(path, encoding="utf-8") as file:
        code = defined_numbers(file.read())
    rows = page[page.index("## 11 Limits"):page.index("## 12 Versions")]
    told = {int(value.replace(",", "")) for value in
            re.findall(r"^\| [^|]+ \| ([\d,]+)\b", rows, re.MULTILINE)}
    dimensions = 16  # in the public header
    tap.empty(told - {dimensions} - set(code.values()), "the limits of the page are the library's")
    tap.empty((f"{name} {value}" for name, value in code.items()
               if f"{value:,}" not in rows),
              "the limits of the library are on the page")


def main():
    tap = Tap()
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    data = check_example(tap, page)
    if data is not None:
        tap.ok(written_by_library() == data, "the library writes the same bytes")
        check_damage(tap, data)
        check_volumes(tap, data)
        thin = read(written_by_library("4092"))
        tap.ok(isinstance(thin, spec_reader.Archive) and len(thin.content) == 6,
               "a reader made from the page accepts withheld members", thin)
        newer = data.replace(b"snap-archive-1\",\"kind", b"snap-archive-2\",\"kind", 1)
        tap.ok(isinstance(read(newer), spec_reader.Corrupt), "a changed version alone is damage")
        old = sha256(dict(members_of_page(page))["manifest.json"]).hex().encode()
        new = sha256(dict(members_of_page(page))["manifest.json"].replace(
            b"snap-archive-1", b"snap-archive-2")).hex().encode()
        tap.ok(isinstance(read(newer.replace(old, new)), spec_reader.Unsupported),
               "and with its digest a newer version")
    check_limits(tap, page)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
