#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the four IDX files of this folder from digits.csv.gz (see README.md).

    make_digits.py CSV_GZ FOLDER

CSV_GZ is digits.csv.gz as scikit-learn ships it; FOLDER receives the files. The same bytes come out
every time. Python's standard library is enough.
"""

import gzip
import os
import struct
import sys

IMAGES = 1797
HEIGHT = 8
WIDTH = 8
INK_MAX = 16
CLASSES = 10

# Every fifth image is held out. Neighbours in the source look alike (it seems to be ordered by
# writer), so that a cut at one place would leave some of the 13 writers out of one part.
TEST_EVERY = 5

# The third byte of an IDX file's magic number: the elements are unsigned bytes.
IDX_UNSIGNED_BYTE = 0x08


def read_rows(path):
    """The rows of the table as (pixels, label), in its order; ValueError names what is wrong."""
    rows = []
    with gzip.open(path, "rt", encoding="ascii") as table:
        for number, line in enumerate(table, start=1):
            values = [int(field) for field in line.split(",")]
            if len(values) != HEIGHT * WIDTH + 1:
                raise ValueError(f"line {number}: {len(values)} values, expected 65")
            pixels, label = values[:-1], values[-1]
            if min(pixels) < 0 or max(pixels) > INK_MAX or not 0 <= label < CLASSES:
                raise ValueError(f"line {number}: a value out of range")
            rows.append((pixels, label))
    if len(rows) != IMAGES:
        raise ValueError(f"{len(rows)} lines, expected {IMAGES}")
    return rows


def idx(shape, data):
    """An IDX file: two zero bytes, element type, number of dimensions, sizes (big-endian), data."""
    header = struct.pack(">BBBB", 0, 0, IDX_UNSIGNED_BYTE, len(shape))
    return header + struct.pack(f">{len(shape)}I", *shape) + data


def part_files(name, rows):
    """The two files of one part: {file name: bytes}."""
    pixels = b"".join(bytes(pixels) for pixels, _ in rows)
    labels = bytes(label for _, label in rows)
    return {
        f"digits-{name}-images.idx3-ubyte": idx((len(rows), HEIGHT, WIDTH), pixels),
        f"digits-{name}-labels.idx1-ubyte": idx((len(rows),), labels),
    }


def main(arguments):
    if len(arguments) != 2:
        print("usage: make_digits.py CSV_GZ FOLDER", file=sys.stderr)
        return 2
    source, folder = arguments
    try:
        rows = read_rows(source)
    except (OSError, EOFError, ValueError) as cause:
        print(f"make_digits.py: {source}: {cause}", file=sys.stderr)
        return 3

    held_out = TEST_EVERY - 1
    files = part_files("train", [r for i, r in enumerate(rows) if i % TEST_EVERY != held_out])
    files.update(part_files("test", [r for i, r in enumerate(rows) if i % TEST_EVERY == held_out]))
    try:
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as out:
                out.write(data)
    except OSError as cause:
        print(f"make_digits.py: {cause}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
