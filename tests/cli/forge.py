#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a forger does: change something, and make every hash beside it fit again.

forge.py bit ARCHIVE MEMBER OFFSET     flip a bit of a member, and write STATE and SHA256SUMS anew
forge.py text ARCHIVE MEMBER OLD NEW   replace text of equal length in a member, likewise
forge.py withhold ARCHIVE MEMBER...    leave members out, as an author may: the listings stay
forge.py ledger FILE STEP FIELD VALUE  set a field ("float.scalars.loss") of a step's line, and
                                       write the chains of all later lines anew; STEP "genesis":
                                       of the first line
forge.py run DIR STEP FIELD VALUE NOTE the same in a run folder, and in every snapshot of it, so
                                       that all hashes fit; NOTE becomes extra/notes of the last
forge.py seed DIR SEED                 say that all streams had this seed, in the ledger and config
forge.py list DIR                      write SHA256SUMS of a published folder anew
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
    for index, document in enumerate(documents):
        if step == ("genesis" if index == 0 else str(document["host"]["step"])):
            place = document
            for key in folders:
                place = place[key]
            place[last] = value
    Path(path).write_bytes(b"".join(map(canonical, chained(documents))))


def tar_member(name, content):
    """A member as docs/format.md, section 2, lays it out."""
    header = bytearray(BLOCK)
    fields = {0: name.encode(), 100: b"000644 ", 108: b"000000 ", 116: b"000000 ",
              124: b"%011o " % len(content), 136: b"00000000000 ", 148: b" " * 8, 156: b"0",
              257: b"ustar\x0000", 329: b"000000 ", 337: b"000000 "}
    for at, text in fields.items():
        header[at:at + len(text)] = text
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content + bytes(-len(content) % BLOCK)


def reforge(path, lines, parent, note):
    """Give an archive other ledger lines and another parent. Returns the new snapshot hash."""
    data = Path(path).read_bytes()
    contents = {name: data[start:start + size] for name, (_, start, size) in members(data).items()}
    manifest = json.loads(contents["manifest.json"])
    by_step = {line["host"].get("step", 0): line for line in lines}
    first = json.loads(contents["ledger.jsonl"].splitlines()[0])["host"].get("step", 0)
    contents["ledger.jsonl"] = b"".join(canonical(by_step[step])
                                        for step in range(first, manifest["step"] + 1))
    for when, step in (("before", first - 1), ("after", manifest["step"])):
        if manifest["chains"][when]:
            manifest["chains"][when] = {"host": by_step[step]["host_chain"],
                                        "run": by_step[step]["chain"]}
    manifest["parent"] = parent
    if note:
        names = [name for name in contents if name.startswith("extra/") and name < "extra/notes"]
        place = list(contents).index(names[-1]) + 1
        contents = dict([*list(contents.items())[:place], ("extra/notes", note.encode()),
                         *list(contents.items())[place:]])
        manifest["members"].insert(place - 1, {"in_state": False, "kind": "extra",
                                               "name": "extra/notes", "size": len(note)})
    contents["SHA256SUMS"] = b"".join(b"%s  %s\n" % (b"0" * 64, name.encode())
                                      for name in list(contents)[:-1])
    for member in manifest["members"]:
        member["size"] = len(contents[member["name"]])
    contents["manifest.json"] = canonical(manifest)
    made = bytearray(b"".join(tar_member(*item) for item in contents.items()) + bytes(2 * BLOCK))
    mend(made)
    Path(path).write_bytes(made)
    _, start, size = members(made)["SHA256SUMS"]
    return "snap1:" + sha256(made[start:start + size]).hex()


def forge_run(folder, step, field, value, note):
    folder = Path(folder)
    forge_ledger(folder / "ledger.jsonl", step, field, value)
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    archives = sorted((folder / "snapshots").iterdir())
    parent = None
    for path in archives:
        parent = reforge(path, lines, parent, note if path == archives[-1] else "")
    (folder / "latest").write_bytes(canonical({"file": f"snapshots/{archives[-1].name}",
                                               "snapshot": parent}))


def forge_seed(folder, seed):
    ledger, config = Path(folder) / "ledger.jsonl", Path(folder) / "config.json"
    genesis = json.loads(ledger.read_text().splitlines()[0])
    training = genesis["host"]["training"]
    training["seeds"] = {name: int(seed) for name in training["seeds"]}
    forge_ledger(ledger, "genesis", "host.training", training)
    config.write_bytes(canonical({**json.loads(config.read_text()), "training": training}))


def list_again(folder):
    folder = Path(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file()
                   and path.name != "SHA256SUMS.sig" and path != folder / "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(
        f"{sha256(path.read_bytes()).hex()}  {path.relative_to(folder)}\n" for path in files))


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
    elif verb == "run":
        forge_run(*rest)
    elif verb == "seed":
        forge_seed(*rest)
    elif verb == "list":
        list_again(*rest)
    else:
        forge_archive(verb, *rest)


if __name__ == "__main__":
    main()
