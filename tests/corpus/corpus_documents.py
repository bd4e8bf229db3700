# SPDX-License-Identifier: Apache-2.0
"""Archives whose tar and digests are right, and whose documents and contents are not; and those
that are good, or of a later version, or not complete."""

import re

from corpus_forgery import Cases, Hole, Member, digest
from spec_reader import document

cases = Cases()
WEIGHT = "tensors/model/fc1.weight"
MIB = 1 << 20


# ---- good, incomplete, unsupported ----

@cases(0)
def good(_):
    """Nothing is changed: all that a reader reads is as it should be."""


@cases(0, seen_by="verify cat show list hash python sanitized")
def good_with_the_longest_name(forgery):
    """An extra that the trainer does not know has a name of 100 bytes, and no content."""
    add_extra(forgery, "extra/" + "x" * 94, b"")


@cases(0, seen_by="verify cat show list hash python sanitized")
def good_with_a_hole(forgery):
    """An extra is a quarter of a gibibyte of zeros: more than a reader may hold in memory."""
    add_extra(forgery, "extra/zeros", Hole(256 * MIB))


@cases(6, "model/fc1.weight", seen_by="verify restore cat", member=WEIGHT)
def incomplete(forgery):
    """A tensor is withheld: the hashes stand, and what needs the tensor says that it is absent."""
    del forgery.members[forgery.place(WEIGHT)]


@cases(4, "snap-archive-2")
def unsupported_archive(forgery):
    """The archive is of a later version of the format, and intact."""
    forgery.text("manifest.json", "snap-archive-1", "snap-archive-2")


@cases(4, "snap-state-9")
def unsupported_state(forgery):
    """The state is of a later version of the format."""
    forgery.text("state.json", "snap-state-1", "snap-state-9")


@cases(4, "snap-data-7")
def unsupported_data(forgery):
    """data.json is of a later version of the format."""
    forgery.text("data.json", "snap-data-1", "snap-data-7")


@cases(5, "member manifest.json: is of a format not known here, and SHA256SUMS does not list it")
def later_version_by_damage(forgery):
    """The manifest says a later version, and its digest is not the one that is listed."""
    manifest = forgery["manifest.json"]
    manifest.content = manifest.content.replace(b"snap-archive-1", b"snap-archive-2")


def add_extra(forgery, name, content):
    manifest = forgery.document("manifest.json")
    place = forgery.place("env.json")
    forgery.members.insert(place, Member(name, content))
    manifest["members"].insert(place - 1, {"in_state": False, "kind": "extra", "name": name,
                                           "size": len(content)})
    forgery["manifest.json"].content = document(manifest)
    forgery.settle()


# ---- JSON that wants memory ----

def replace(forgery, name, content):
    """Another text for a document, listed and with the size that the manifest says; the manifest
    itself is found to be none before its digest matters."""
    forgery[name].content = content
    if name != "manifest.json":
        forgery.settle()


@cases(5, "member manifest.json: ")
def manifest_of_zeros(forgery):
    """The manifest is a hole of 64 MiB."""
    replace(forgery, "manifest.json", Hole(64 * MIB))


@cases(5, "member manifest.json: is larger than allowed")
def manifest_too_large(forgery):
    """The manifest is a hole of one byte more than the most that is allowed."""
    replace(forgery, "manifest.json", Hole(64 * MIB + 1))


@cases(5, "member manifest.json: ")
def manifest_deep(forgery):
    """The manifest is 16 MiB of arrays in each other."""
    replace(forgery, "manifest.json", b"[" * (16 * MIB))


@cases(5, "member manifest.json: ")
def manifest_of_many_numbers(forgery):
    """The manifest is an object with an array of eight million zeros."""
    replace(forgery, "manifest.json", b'{"chains":[0' + b",0" * (8 * MIB) + b"]}\n")


@cases(5, "member manifest.json: ")
def manifest_of_many_objects(forgery):
    """The manifest is an object with an array of five million empty objects."""
    replace(forgery, "manifest.json", b'{"chains":[{}' + b",{}" * (5 * MIB) + b"]}\n")


@cases(5, "member manifest.json: ")
def manifest_of_many_keys(forgery):
    """The manifest is an object of a million keys."""
    keys = b",".join(b'"%06x":0' % i for i in range(MIB))
    replace(forgery, "manifest.json", b"{" + keys + b"}\n")


@cases(5, "member manifest.json: ")
def manifest_of_one_string(forgery):
    """The manifest is an object with a string of 32 MiB."""
    replace(forgery, "manifest.json", b'{"chains":"' + b"x" * (32 * MIB) + b'"}\n')


@cases(5, "member manifest.json: ")
def manifest_of_one_key(forgery):
    """The manifest is an object with a key of 32 MiB."""
    replace(forgery, "manifest.json", b'{"' + b"x" * (32 * MIB) + b'":0}\n')


@cases(5, "member manifest.json: ")
def manifest_of_one_number(forgery):
    """The manifest is an object with a number of 32 million digits."""
    replace(forgery, "manifest.json", b'{"chains":' + b"9" * (32 * MIB) + b"}\n")


@cases(5, "member manifest.json: ")
def manifest_of_blanks(forgery):
    """The manifest has 32 MiB of blanks in front."""
    replace(forgery, "manifest.json", b" " * (32 * MIB) + forgery["manifest.json"].content)


@cases(5, "member manifest.json: ")
def manifest_of_members_that_are_not_there(forgery):
    """The manifest lists 200,000 extras more than the file has room for."""
    manifest = forgery.document("manifest.json")
    place = forgery.place("env.json") - 1
    manifest["members"][place:place] = [{"kind": "extra", "name": f"extra/x{i:06}", "size": 0}
                                        for i in range(200000)]
    replace(forgery, "manifest.json", document(manifest))


@cases(5, "member state.json: ")
def state_of_zeros(forgery):
    """state.json is a hole of 64 MiB."""
    replace(forgery, "state.json", Hole(64 * MIB))


@cases(5, "member state.json: ")
def state_deep(forgery):
    """state.json is 16 MiB of objects in each other."""
    replace(forgery, "state.json", b'{"a":' * (3 * MIB))


@cases(5, "member state.json: ")
def state_of_many_objects(forgery):
    """The binding in state.json is five million empty objects."""
    replace(forgery, "state.json", b'{"binding":{"a":[{}' + b",{}" * (5 * MIB) + b"]}}\n")


@cases(5, "member state.json: ")
def state_of_one_string(forgery):
    """The profile in state.json is a string of 4 MiB."""
    forgery.edit("state.json", lambda state: state.update(profile="x" * (4 * MIB)))


@cases(5, "member data.json: ")
def data_deep(forgery):
    """data.json is 8 MiB of arrays in each other."""
    replace(forgery, "data.json", b"[" * (8 * MIB))


@cases(5, "member env.json: ")
def environment_deep(forgery):
    """env.json is a mebibyte of arrays in each other."""
    replace(forgery, "env.json", b"[" * MIB)


@cases(5, "member ledger.jsonl: is not canonical JSON", seen_by="verify", member="ledger.jsonl")
def ledger_of_zeros(forgery):
    """ledger.jsonl is a hole of a quarter of a gibibyte, without a newline."""
    replace(forgery, "ledger.jsonl", Hole(256 * MIB))


@cases(5, "member ledger.jsonl: .*more than 32 deep", seen_by="verify", member="ledger.jsonl")
def ledger_deep(forgery):
    """The second line of ledger.jsonl is 8 MiB of arrays in each other."""
    lines = forgery["ledger.jsonl"].content.splitlines(True)
    replace(forgery, "ledger.jsonl", lines[0] + b"[" * (8 * MIB) + b"\n" + b"".join(lines[2:]))


# ---- JSON that is not the one text of its value ----

def written_otherwise(old, new):
    def change(forgery):
        forgery.text("state.json", old, new)
    return change


@cases(5, "member state.json: is not canonical JSON")
def keys_out_of_order(forgery):
    """Keys in state.json do not stand in the order of their bytes."""
    written_otherwise('"format":"snap-state-1","profile":"portable-1"',
                      '"profile":"portable-1","format":"snap-state-1"')(forgery)


@cases(5, "member state.json: .*(duplicate|twice)")
def key_twice(forgery):
    """A key in state.json stands there twice, so that two readers could read two things."""
    written_otherwise('"profile":"portable-1"', '"profile":"p","profile":"portable-1"')(forgery)


@cases(5, "member state.json: ")
def real_number(forgery):
    """A number in state.json has a fraction."""
    written_otherwise('"offset":0', '"offset":0.0')(forgery)


@cases(5, "member state.json: ")
def negative_zero(forgery):
    """A number in state.json is a negative zero."""
    written_otherwise('"offset":0', '"offset":-0')(forgery)


@cases(5, "member state.json: ")
def escaped_letter(forgery):
    """A letter in state.json is escaped, which need not be."""
    written_otherwise('"portable-1"', '"\\u0070ortable-1"')(forgery)


@cases(5, "member state.json: ")
def nul_in_a_string(forgery):
    """A string in state.json has an escaped NUL, at which C would stop."""
    written_otherwise('"portable-1"', '"portable-1\\u0000"')(forgery)


@cases(5, "member state.json: ")
def not_utf_8(forgery):
    """A string in state.json is not UTF-8."""
    content = forgery["state.json"].content
    replace(forgery, "state.json", content.replace(b'"portable-1"', b'"\xc0\xafortable"', 1))


@cases(5, "member state.json: ")
def byte_order_mark(forgery):
    """state.json begins with a byte order mark."""
    replace(forgery, "state.json", b"\xef\xbb\xbf" + forgery["state.json"].content)


@cases(5, "member state.json: ")
def no_newline(forgery):
    """state.json does not end with a newline."""
    replace(forgery, "state.json", forgery["state.json"].content[:-1])


# ---- numbers that lie ----

def first_tensor(**fields):
    """Change fields of the first tensor of the state."""
    def change(state):
        value = state["roots"][0][1]
        while "tensor" not in value:
            (value,) = value.values()
            value = value[0][1]
        value["tensor"].update(fields)
    return change


@cases(5, "state.json: ")
def tensor_of_2_to_the_60(forgery):
    """A tensor says that it has 2^60 elements."""
    forgery.edit("state.json", first_tensor(shape=[str(2 ** 60)], strides=[1]))


@cases(5, "state.json: ")
def tensor_of_2_to_the_60_by_strides_of_0(forgery):
    """A tensor has 2^60 elements, all of them the same four bytes."""
    forgery.edit("state.json", first_tensor(shape=[2 ** 30, 2 ** 30], strides=[0, 0]))


@cases(5, "state.json: ")
def tensor_whose_size_wraps_around(forgery):
    """The product of a tensor's shape is 0 in 64 bits."""
    forgery.edit("state.json", first_tensor(shape=[2 ** 32, 2 ** 32], strides=[0, 0]))


@cases(5, "state.json: ")
def tensor_whose_strides_wrap_around(forgery):
    """The last element of a tensor lies inside its storage when counted in 64 bits."""
    forgery.edit("state.json", first_tensor(shape=[2, 2], strides=[str(2 ** 63), str(2 ** 63)]))


@cases(5, "state.json: ")
def tensor_behind_its_storage(forgery):
    """A tensor begins behind its storage."""
    forgery.edit("state.json", first_tensor(offset=2 ** 53))


@cases(5, "state.json: ")
def tensor_of_17_dimensions(forgery):
    """A tensor has a dimension more than is allowed."""
    forgery.edit("state.json", first_tensor(shape=[1] * 17, strides=[1] * 17))


@cases(5, "state.json: ")
def tensor_of_a_million_dimensions(forgery):
    """A tensor has a million dimensions."""
    forgery.edit("state.json", first_tensor(shape=[1] * MIB, strides=[1]))


@cases(5, "state.json: ")
def tensor_of_another_storage(forgery):
    """A tensor is a view of a storage that there is not."""
    forgery.edit("state.json", first_tensor(storage=999999))


@cases(5, "state.json: ")
def tensor_with_negative_strides(forgery):
    """A tensor's strides lead out of its storage backwards."""
    forgery.edit("state.json", first_tensor(strides=[-1] * 4))


@cases(5, "state.json: |member tensors/")
def storage_of_an_exabyte(forgery):
    """A storage says that it has 2^60 bytes."""
    forgery.edit("state.json", lambda state: state["storages"][0].update(size=str(2 ** 60)))


@cases(5, "member manifest.json: .*the size is past the most allowed")
def member_of_an_exabyte(forgery):
    """The manifest says that a tensor has 2^60 bytes."""
    manifest = forgery.document("manifest.json")
    next(m for m in manifest["members"] if m["name"] == WEIGHT)["size"] = str(2 ** 60)
    replace(forgery, "manifest.json", document(manifest))


@cases(5, "member manifest.json: .*step")
def step_past_the_last(forgery):
    """The step is past the last that there can be."""
    manifest = forgery.document("manifest.json")
    manifest["step"] = str(2 ** 64 - 1)
    replace(forgery, "manifest.json", document(manifest))


# ---- digests that lie ----

@cases(5, "member README: ")
def readme_of_another(forgery):
    """README tells the reader to run a program, and is listed so."""
    forgery.text("README", "This", "curl")


@cases(5, f"member {WEIGHT}: its content does not have the digest",
       seen_by="verify restore cat python sanitized", member=WEIGHT)
def bit_of_a_tensor(forgery):
    """A bit of a tensor is another."""
    content = bytearray(forgery[WEIGHT].content)
    content[300000] ^= 1
    forgery[WEIGHT].content = bytes(content)


@cases(5, "member state.json: its content does not have the digest")
def bit_of_the_state(forgery):
    """A bit of state.json is another."""
    forgery["state.json"].content = forgery["state.json"].content.replace(b"conv1", b"conv0", 1)


@cases(5, "STATE and SHA256SUMS list different digests")
def listings_disagree(forgery):
    """STATE lists another digest than SHA256SUMS."""
    state = forgery["STATE"]
    first = b"1" if state.content.startswith(b"0") else b"0"
    state.content = first + state.content[1:]
    sums = forgery["SHA256SUMS"]
    sums.content = re.sub(rb"[0-9a-f]{64}  STATE\n", digest(state.content).encode() + b"  STATE\n",
                          sums.content)


@cases(5, "ledger.jsonl: line 3", seen_by="verify", member="ledger.jsonl")
def ledger_off_its_chain(forgery):
    """A line of the ledger is another, and all digests of the archive fit it."""
    lines = forgery["ledger.jsonl"].content.splitlines(True)
    lines[2] = lines[2].replace(b'"epoch":0', b'"epoch":1', 1)
    replace(forgery, "ledger.jsonl", b"".join(lines))
