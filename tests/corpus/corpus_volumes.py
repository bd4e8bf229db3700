# SPDX-License-Identifier: Apache-2.0
"""Archives with volumes: good ones, one of which a volume is missing, and those whose volumes.json
or whose volumes lie."""

from corpus_forgery import Cases, Hole, Member, header
from spec_reader import document

cases = Cases()
BIAS = "tensors/model/fc1.bias"
WEIGHT = "tensors/model/fc1.weight"
MIB = 1 << 20


def listing(*volumes):
    return document({"format": "snap-volumes-1",
                     "volumes": [{"file": file, "members": members} for file, members in volumes]})


@cases(0)
def good_in_a_volume(forgery):
    """Two tensors are in a volume."""
    forgery.cut({"good_in_a_volume.vol-0001.tar": [BIAS, WEIGHT]})


@cases(0)
def good_in_two_volumes(forgery):
    """Two tensors are in a volume each, whose numbers begin with 9."""
    forgery.cut({"good_in_two_volumes.vol-0009.tar": [BIAS],
                 "good_in_two_volumes.vol-0010.tar": [WEIGHT]})


@cases(6, "incomplete_volume.vol-0001.tar.* is not there", seen_by="verify restore cat",
       member=WEIGHT)
def incomplete_volume(forgery):
    """A volume is missing."""
    forgery.cut({"incomplete_volume.vol-0001.tar": [BIAS, WEIGHT]})
    forgery.volumes.clear()


@cases(4, "snap-volumes-2")
def unsupported_volumes(forgery):
    """volumes.json is of a later version of the format."""
    forgery.cut({}, listing(("a.vol-0001.tar", [WEIGHT])).replace(b"volumes-1", b"volumes-2"))


# ---- volumes.json ----

@cases(5, r"volumes.json: \"../a.vol-0001.tar\" is no name of a volume")
def volume_climbs(forgery):
    """The name of a volume climbs out of the folder."""
    forgery.cut({}, listing(("../a.vol-0001.tar", [WEIGHT])))


@cases(5, r"volumes.json: \"/etc/passwd\" is no name of a volume")
def volume_elsewhere(forgery):
    """The name of a volume is a file of the reader's machine."""
    forgery.cut({}, listing(("/etc/passwd", [WEIGHT])))


@cases(5, "volumes.json: 513 volumes: there are 1 to 512")
def volumes_too_many(forgery):
    """There are more volumes than a reader may be made to open."""
    forgery.cut({}, listing(*((f"a.vol-{n:04}.tar", [WEIGHT]) for n in range(1, 514))))


@cases(5, "is no tensor that is to be there, in this order")
def volume_of_a_stream(forgery):
    """A volume is said to have a stream."""
    forgery.cut({"volume_of_a_stream.vol-0001.tar": ["rng/numpy"]})


@cases(5, "is no tensor that is to be there, in this order")
def volume_of_what_is_here(forgery):
    """A volume is said to have a tensor that is in the archive itself."""
    forgery.cut({}, listing(("a.vol-0001.tar", [WEIGHT])))


@cases(5, "is no tensor that is to be there, in this order")
def volume_in_another_order(forgery):
    """A volume has its members in another order than the manifest."""
    forgery.cut({"volume_in_another_order.vol-0001.tar": [WEIGHT, BIAS]})


@cases(5, "member volumes.json: .*manifest.json does not list it")
def volumes_at_another_place(forgery):
    """volumes.json stands after state.json."""
    forgery.cut({"volumes_at_another_place.vol-0001.tar": [WEIGHT]})
    forgery.members.insert(3, forgery.members.pop(2))


@cases(5, "member volumes.json: .*manifest.json does not list it")
def volumes_twice(forgery):
    """volumes.json stands there twice."""
    forgery.cut({"volumes_twice.vol-0001.tar": [WEIGHT]})
    forgery.members.insert(3, forgery.members[2])


@cases(5, "from byte [0-9]+ on: more arrays and objects")
def volumes_of_objects(forgery):
    """volumes.json is 30,000 objects without keys, in 90 KB."""
    forgery.cut({}, b'{"format":"snap-volumes-1","volumes":[' + b"{}," * 30000 + b"{}]}\n")


@cases(5, "from byte [0-9]+ on: a string longer than it may be")
def volume_with_a_long_name(forgery):
    """A volume's name has 100,000 bytes."""
    forgery.cut({}, listing(("a" * 100000 + ".vol-0001.tar", [WEIGHT])))


@cases(5, "larger than")
def volumes_dense(forgery):
    """volumes.json is 60 MiB of objects without keys, of which each takes a reader 70 bytes."""
    forgery.cut({}, b'{"format":"snap-volumes-1","volumes":[' + b"{}," * (20 * MIB) + b"{}]}\n")


@cases(5, "larger than")
def volumes_of_strings(forgery):
    """A volume is said to have 20 million members, in 60 MiB."""
    text = listing(("a.vol-0001.tar", ["x"]))
    forgery.cut({}, text.replace(b'"x"', b'"",' * (20 * MIB) + b'"x"'))


@cases(5, "member volumes.json: is larger than")
def volumes_of_zeros(forgery):
    """volumes.json is a gibibyte of zeros."""
    forgery.cut({}, Hole(1024 * MIB))


# ---- volumes ----

@cases(5, f"volume_damaged.vol-0001.tar: member {WEIGHT}: .*digest",
       seen_by="verify restore cat python sanitized", member=WEIGHT)
def volume_damaged(forgery):
    """A byte of a tensor in a volume is another one."""
    forgery.cut({"volume_damaged.vol-0001.tar": [WEIGHT]})
    member = forgery.volumes["volume_damaged.vol-0001.tar"][0]
    member.content = bytes([member.content[0] ^ 1]) + member.content[1:]


@cases(5, "volume_of_another.vol-0001.tar: member ")
def volume_of_another(forgery):
    """A volume has another tensor than the one that it is said to have."""
    forgery.cut({"volume_of_another.vol-0001.tar": [WEIGHT]})
    forgery.volumes["volume_of_another.vol-0001.tar"] = [forgery[BIAS]]


@cases(5, "volume_truncated.vol-0001.tar: ")
def volume_truncated(forgery):
    """A volume says that its tensor is larger than it is."""
    forgery.cut({"volume_truncated.vol-0001.tar": [WEIGHT]})
    member = forgery.volumes["volume_truncated.vol-0001.tar"][0]
    member.header = header(WEIGHT, 1 << 30)


@cases(5, "volume_of_more.vol-0001.tar: ")
def volume_of_more(forgery):
    """A volume has a member more than it is said to have."""
    forgery.cut({"volume_of_more.vol-0001.tar": [WEIGHT]})
    forgery.volumes["volume_of_more.vol-0001.tar"].append(Member("tensors/model/zz", b"more"))
