#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inputs of the fuzz targets as text: a line of hex for each, and lines of # that say what one is.

    inputs.py unpack FILE FOLDER   each input as a file of the folder
    inputs.py pack FILE FOLDER     add the files of the folder that FILE does not have; no long ones
    inputs.py add FILE INPUT "what it is"
"""

import hashlib
import sys
import zlib
from pathlib import Path

# Larger inputs are kept compressed, behind a z.
LARGE = 200
# Longer lines are not packed: the file would be megabytes, and the short ones have nearly all
# paths.
LONGEST = 500


def encode(data):
    return data.hex() if len(data) < LARGE else "z" + zlib.compress(data, 9).hex()


def decode(line):
    return zlib.decompress(bytes.fromhex(line[1:])) if line[0] == "z" else bytes.fromhex(line)


def read(path):
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [decode(line) for line in lines if line and not line.startswith("#")]


def append(path, lines):
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def main(verb, path, place, note=""):
    path, place = Path(path), Path(place)
    if verb == "unpack":
        for data in read(path):
            (place / hashlib.sha256(data).hexdigest()[:24]).write_bytes(data)
    elif verb == "pack":
        there = set(read(path))
        found = sorted({file.read_bytes() for file in place.iterdir()} - there - {b""},
                       key=lambda data: (len(data), data))
        append(path, [line for line in map(encode, found) if len(line) <= LONGEST])
    elif verb == "add":
        append(path, [f"# {note}", encode(place.read_bytes())])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
