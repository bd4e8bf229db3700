#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A ledger that is intact and false: one value of one step is changed, and every chain value from
there on is made again.   forge_ledger.py LEDGER FORGED STEP PART.PART.NAME   e.g. float.scalars.loss"""

import hashlib
import json
import sys


def document(value):
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            + "\n").encode()


def change(text):
    """Another last hex digit."""
    return text[:-1] + ("1" if text[-1] == "0" else "0")


def main():
    source, target, step, field = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    chain = bytes.fromhex(lines[0]["chain"])
    host_chain = bytes.fromhex(lines[0]["host_chain"])
    for line in lines[1:]:
        if line["host"]["step"] == int(step):
            *parts, name = field.split(".")
            place = line
            for part in parts:
                place = place[part]
            place[name] = change(place[name])
        del line["chain"], line["host_chain"]
        chain = hashlib.sha256(chain + document(line)).digest()
        host_chain = hashlib.sha256(host_chain + document(line["host"])).digest()
        line["chain"] = chain.hex()
        line["host_chain"] = host_chain.hex()
    with open(target, "wb") as file:
        for line in lines:
            file.write(document(line))


if __name__ == "__main__":
    main()
