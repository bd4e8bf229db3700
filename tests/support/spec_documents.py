# SPDX-License-Identifier: Apache-2.0
"""Documents of an archive and their fields, made from section 4 of docs/format.md alone; of
spec_reader.py."""

import hashlib
import json
import re

WORD = r"[A-Za-z0-9_][A-Za-z0-9._-]*"


class Corrupt(Exception):
    """The text names the member."""


class Unsupported(Exception):
    """An archive of another version."""


def insist(condition, text):
    if not condition:
        raise Corrupt(text)


def sha256(data):
    return hashlib.sha256(data).digest()


SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def json_text(value, depth=0):
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        insist(abs(value) <= 2 ** 53, "an integer past 2^53")
        return str(value)
    if isinstance(value, str):
        insist("\0" not in value, "a NUL")
        return '"' + "".join(SHORT.get(c) or (f"\\u{ord(c):04X}" if c < " " else c)
                             for c in value) + '"'
    insist(isinstance(value, (list, dict)), "a number that is no integer")
    insist(depth < 32, "too deep")
    if isinstance(value, list):
        return "[" + ",".join(json_text(item, depth + 1) for item in value) + "]"
    return "{" + ",".join(json_text(key) + ":" + json_text(value[key], depth + 1)
                          for key in sorted(value, key=lambda key: key.encode())) + "}"


def document(value):
    return (json_text(value) + "\n").encode()


def parse_document(data, what):
    try:
        value = json.loads(data.decode("utf-8"))
        same = document(value) == data
    except (ValueError, RecursionError, Corrupt) as error:
        raise Corrupt(f"{what}: {error}") from error
    insist(same, f"{what}: not canonical")
    return value


def keys(value, wanted, what):
    insist(isinstance(value, dict), f"{what}: no object")
    names = wanted.split()
    needed = {name for name in names if not name.endswith("?")}
    insist(needed <= set(value) <= {name.rstrip("?") for name in names}, f"{what}: keys")
    return value


def number(value, what):
    if isinstance(value, str) and re.fullmatch("[1-9][0-9]{15,19}", value):
        insist(2 ** 53 < int(value) < 2 ** 64, f"{what}: number")
        return int(value)
    insist(type(value) is int and 0 <= value <= 2 ** 53, f"{what}: number")
    return value


def digest(value, what, prefix=""):
    insist(isinstance(value, str) and re.fullmatch(prefix + "[0-9a-f]{64}", value),
           f"{what}: digest")
    return bytes.fromhex(value[len(prefix):])


def word(value, what):
    insist(isinstance(value, str) and len(value) <= 64 and re.fullmatch(WORD, value),
           f"{what}: word")
    return value


def version(value, name, what):
    insist(isinstance(value, dict) and isinstance(value.get("format"), str), f"{what}: format")
    if value["format"] != name:
        stem = re.escape(name.rstrip("0123456789"))
        if re.fullmatch(stem + "[1-9][0-9]{0,8}", value["format"]):
            raise Unsupported(f"{what}: {value['format']}")
        raise Corrupt(f"{what}: format")
