#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a forger does: change something, and make every hash beside it fit again.

forge.py bit ARCHIVE MEMBER OFFSET     flip a bit of a member, and write STATE and SHA256SUMS anew
forge.py text ARCHIVE MEMBER OLD NEW   replace text of equal length in a member, likewise
forge.py withhold ARCHIVE MEMBER...    leave members out, as an author may: the listings stay
forge.py ledger FILE STEP FIELD VALUE  set a field ("float.scalars.loss") of a step's line, and
                                       write the chains of all later lines anew
forge.py offset ARCHIVE MEMBER         print where the member's content begins
"""

import hashlib
import json
import sys
from pathlib import Path

BLOCK = 512


def members(data):
    """{name: (start of the header, start of the content, size)}, in order."""
    found = {}
    at = 0
    while data[at:at + BLOCK].strip(b"\0"):
        name = data[at:at + 100].rstrip(b"\0").decode()
        size = int(data[at + 124:at + 135], 8)
        found[name] = (at, at + BLOCK, size)
        at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
    return found


def mend(data):
    """Write the listings anew, for the members that are there; others keep their lines."""
    places = members(data)
    for listing in ("STATE", "SHA256SUMS"):
        _, start, size = places[listing]
        lines = bytes(data[start:start + size]).decode().splitlines()
        for i, line in enumerate(lines):
            name = line[66:]
            if name in places:
                _, content, length = places[name]
                digest = hashlib.sha256(data[content:content + length]).hexdigest()
                lines[i] = f"{digest}  {name}"
        data[start:start + size] = ("\n".join(lines) + "\n").encode()


def canonical(document):
    return json.dumps(document, sort_keys=True, ensure_ascii=False,
                      separators=(",", ":")).encode() + b"\n"


def sha256(data):
    return hashlib.sha256(data).digest()


def chained(documents):
    """The documents with the two chains that follow from them."""
    run = host = b""
    for index, document in enumerate(documents):
        document = {key: value for key, value in document.items()
                    if key not in ("chain", "host_chain")}
        if index == 0:
            run = sha256(b"snap-ledger-1\n" + canonical(document))
            host = sha256(b"snap-host-1\n" + canonical(document["host"]))
        else:
            run = sha256(run + canonical(document))
            host = sha256(host + canonical(document["host"]))
        yield {**document, "chain": run.hex(), "host_chain": host.hex()}


def forge_ledger(path, step, field, value):
    documents = [json.loads(line) for line in Path(path).read_text().splitlines()]
    *folders, last = field.split(".")
    for document in documents[1:]:
        if document["host"]["step"] == int(step):
            place = document
            for key in folders:
                place = place[key]
            place[last] = value
    Path(path).write_bytes(b"".join(map(canonical, chained(documents))))


def forge_archive(verb, path, *rest):
    data = bytearray(Path(path).read_bytes())
    if verb == "withhold":
        for name in rest:
            start, content, size = members(data)[name]
            del data[start:content + (size + BLOCK - 1) // BLOCK * BLOCK]
    elif verb == "offset":
        print(members(data)[rest[0]][1])
        return
    else:
        _, start, size = members(data)[rest[0]]
        if verb == "bit":
            data[start + int(rest[1])] ^= 1
        else:
            old, new = rest[1].encode(), rest[2].encode()
            at = data.index(old, start, start + size)
            assert len(old) == len(new)
            data[at:at + len(old)] = new
        mend(data)
    Path(path).write_bytes(data)


def main():
    verb, *rest = sys.argv[1:]
    if verb == "ledger":
        forge_ledger(*rest)
    else:
        forge_archive(verb, *rest)


if __name__ == "__main__":
    main()
