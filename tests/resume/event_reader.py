# SPDX-License-Identifier: Apache-2.0
"""A reader of TensorBoard's event files that shares nothing with the writer: records, checksums,
and of protobuf what an Event needs."""

import struct


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc_table()


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """The messages of a file, up to a torn record. ValueError: a checksum is wrong."""
    at = 0
    while at + 12 <= len(data):
        size, head_crc = struct.unpack_from("<QI", data, at)
        if masked_crc(data[at:at + 8]) != head_crc:
            raise ValueError(f"offset {at}: the checksum of a length")
        if at + 16 + size > len(data):
            return
        message = data[at + 12:at + 12 + size]
        if struct.pack("<I", masked_crc(message)) != data[at + 12 + size:at + 16 + size]:
            raise ValueError(f"offset {at}: the checksum of a message")
        yield message
        at += 16 + size


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """{number: [values]} of a message: integers, bytes, or the bytes of fixed numbers."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            if key & 7 == 2:
                size, at = varint(data, at)
            else:
                size = {1: 8, 5: 4}[key & 7]
            value, at = data[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def events(data):
    """(step, what, name, value): ("version", "brain.Event:2"), ("session", "start"), ("session",
    "checkpoint") with its path, ("scalar", tag) with its bits in hex, ("text", tag)."""
    for message in records(data):
        event = fields(message)
        step = event.get(2, [0])[0]
        if 3 in event:
            yield step, "version", event[3][0].decode(), None
        for log in map(fields, event.get(7, [])):
            name = {1: "start", 2: "stop", 3: "checkpoint"}[log[1][0]]
            yield step, "session", name, log.get(2, [b""])[0].decode()
        for summary in map(fields, event.get(5, [])):
            for value in map(fields, summary[1]):
                tag = value[1][0].decode()
                if 2 in value:
                    yield step, "scalar", tag, value[2][0][::-1].hex()
                else:
                    plugin = fields(fields(value[9][0])[1][0])[1][0].decode()
                    yield step, plugin, tag, fields(value[8][0])[8][0].decode()


def purged(files):
    """{tag: {step: bits}} of the scalars of files in their order, as TensorBoard shows them: a
    session that starts at a step takes back what was said of it and of later ones."""
    curves = {}
    for data in files:
        for step, what, name, value in events(data):
            if (what, name) == ("session", "start"):
                for curve in curves.values():
                    for late in [known for known in curve if known >= step]:
                        del curve[late]
            elif what == "scalar":
                curves.setdefault(name, {})[step] = value
    return curves
