# SPDX-License-Identifier: Apache-2.0
"""Tars that a tar program may take, and a reader of archives must not."""

import gzip

from corpus_forgery import BLOCK, END, Cases, Hole, Member, header, pax

cases = Cases()
bad = cases
STREAM = "rng/numpy"
NOT_THE_HEADER = rf"member {STREAM}: the tar header here is not the one that a name and size give"
NOT_LISTED = f"member .*: manifest.json does not list it here, but {STREAM}"
NO_ARCHIVE = "member README: its tar header is not at the beginning: damaged, or no snap archive"


# ---- what is no regular file ----

def of_type(kind, **fields):
    def change(forgery):
        forgery[STREAM].content = b""
        forgery[STREAM].header = header(STREAM, 0, type=kind, **fields)
    return change


@bad(5, NOT_THE_HEADER)
def symbolic_link(forgery):
    """A stream is a symbolic link to a file of the reader's machine."""
    of_type(b"2", linkname=b"/etc/passwd")(forgery)


@bad(5, NOT_THE_HEADER)
def hard_link(forgery):
    """A stream is a hard link to another member."""
    of_type(b"1", linkname=b"rng/host")(forgery)


@bad(5, NOT_THE_HEADER)
def character_device(forgery):
    """A stream is the character device 1:3."""
    of_type(b"3", devmajor=b"000001 \0000003 \0")(forgery)


@bad(5, NOT_THE_HEADER)
def block_device(forgery):
    """A stream is a block device."""
    of_type(b"4")(forgery)


@bad(5, NOT_THE_HEADER)
def folder(forgery):
    """A stream is a folder."""
    of_type(b"5")(forgery)


@bad(5, NOT_THE_HEADER)
def pipe(forgery):
    """A stream is a named pipe, at which a reader would wait for ever."""
    of_type(b"6")(forgery)


@bad(5, NOT_THE_HEADER)
def contiguous_file(forgery):
    """A stream is of the type that once meant a contiguous file."""
    forgery.spoil(STREAM, type=b"7")


@bad(5, NOT_THE_HEADER)
def unknown_type(forgery):
    """A stream is of a type that nobody has given a meaning."""
    forgery.spoil(STREAM, type=b"Z")


@bad(5, NOT_THE_HEADER)
def old_regular_file(forgery):
    """A stream is of the type NUL, a regular file before POSIX."""
    forgery.spoil(STREAM, type=b"\0")


# ---- names ----

def renamed(forgery, name):
    forgery.spoil(STREAM, name=name.ljust(100, b"\0"))


@bad(5, NOT_LISTED)
def absolute_path(forgery):
    """A member's name begins at the root of the file system."""
    renamed(forgery, b"/rng/numpy")


@bad(5, NOT_LISTED)
def dotted_path(forgery):
    """A member's name begins with a dot and a slash."""
    renamed(forgery, b"./rng/numpy")


@bad(5, NOT_LISTED)
def climbing_path(forgery):
    """A member's name climbs out of the folder that it is unpacked in."""
    renamed(forgery, b"rng/../../../../tmp/numpy")


@bad(5, NOT_LISTED)
def doubled_slash(forgery):
    """A member's name has a slash too many."""
    renamed(forgery, b"rng//numpy")


@bad(5, NOT_LISTED)
def backslashes(forgery):
    """A member's name climbs where a backslash parts folders."""
    renamed(forgery, b"rng\\..\\..\\numpy")


@bad(5, NOT_THE_HEADER)
def control_characters(forgery):
    """A member's name would clear the screen that it is printed on."""
    renamed(forgery, b"rng/\033[2Jnumpy\n")


@bad(5, NOT_THE_HEADER)
def name_beyond_ascii(forgery):
    """A member's name has letters that are not ASCII."""
    renamed(forgery, "rng/númpy".encode())


@bad(5, NOT_THE_HEADER)
def bytes_after_the_name(forgery):
    """After the NUL that ends a name other bytes follow."""
    renamed(forgery, b"rng/numpy\0.py")


@bad(5, NOT_THE_HEADER)
def name_in_two_fields(forgery):
    """A name stands in two fields of the header, as ustar allows for long ones."""
    forgery.spoil(STREAM, name=b"numpy".ljust(100, b"\0"), prefix=b"rng")


@bad(5, "member README: is not where it must be: this is no snap archive")
def all_in_a_folder(forgery):
    """All members lie in a folder, as if somebody had packed an unpacked archive again."""
    for member in forgery.members:
        member.header = header("x/" + member.name, len(member.content))


# ---- members twice, elsewhere, missing ----

@bad(5, "member rng/numpy: manifest.json does not list it here")
def member_twice(forgery):
    """A stream is there twice, with other bytes the second time."""
    again = Member(STREAM, bytes(len(forgery[STREAM].content)))
    forgery.members.insert(forgery.place(STREAM) + 1, again)


@bad(5, "member manifest.json: is not where it must be")
def readme_twice(forgery):
    """README is there twice."""
    forgery.members.insert(1, Member("README", forgery["README"].content))


@bad(5, "member manifest.json: manifest.json does not list it here")
def manifest_twice(forgery):
    """A second manifest stands behind the first."""
    forgery.members.insert(2, Member("manifest.json", forgery["manifest.json"].content))


@bad(5, "member SHA256SUMS: stands after SHA256SUMS, the last")
def listing_twice(forgery):
    """A second listing stands behind the first, where unpacking would take it."""
    forgery.members.append(Member("SHA256SUMS", forgery["SHA256SUMS"].content))


@bad(5, "member extra/more: manifest.json does not list it here")
def member_not_listed(forgery):
    """There is a member that the manifest does not list."""
    forgery.members.insert(forgery.place("env.json"), Member("extra/more", b"x"))


@bad(5, "member extra/more: stands after SHA256SUMS, the last")
def member_behind_the_last(forgery):
    """There is a member behind the listing."""
    forgery.members.append(Member("extra/more", b"x"))


@bad(5, "member rng/numpy: manifest.json does not list it here|member rng/python")
def members_exchanged(forgery):
    """Two streams stand in each other's place."""
    first, second = forgery.place(STREAM), forgery.place("rng/python")
    members = forgery.members
    members[first], members[second] = members[second], members[first]


@bad(5, "member STATE: is missing, and such a member is never withheld")
def listings_exchanged(forgery):
    """The two listings stand in each other's place."""
    forgery.members[-2:] = reversed(forgery.members[-2:])


@bad(5, "member state.json: is missing, and such a member is never withheld")
def state_missing(forgery):
    """state.json, which is never withheld, is not there."""
    del forgery.members[forgery.place("state.json")]


@bad(5, "member SHA256SUMS: zeros stand where its tar header must be")
def listing_missing(forgery):
    """SHA256SUMS, the commit mark, is not there: the writer was stopped before it."""
    del forgery.members[-1]


# ---- extended headers ----

@bad(5, NOT_THE_HEADER)
def pax_time(forgery):
    """A pax header gives a stream a time of a billionth of a second."""
    forgery[STREAM].before = pax([(b"mtime", b"0.000000001")])


@bad(5, NOT_THE_HEADER)
def pax_attribute(forgery):
    """A pax header gives a stream an extended attribute."""
    forgery[STREAM].before = pax([(b"SCHILY.xattr.user.x", b"y")])


@bad(5, NOT_THE_HEADER)
def pax_path(forgery):
    """A pax header gives a stream another name, which climbs."""
    forgery[STREAM].before = pax([(b"path", b"../../numpy")])


@bad(5, NOT_THE_HEADER)
def pax_path_with_nul(forgery):
    """A pax header gives a name with a NUL in it."""
    forgery[STREAM].before = pax([(b"path", b"rng/numpy\0/../../x")])


@bad(5, NOT_THE_HEADER)
def pax_size(forgery):
    """A pax header says that a stream has 2^60 bytes."""
    forgery[STREAM].before = pax([(b"size", b"%d" % 2 ** 60)])


@bad(5, NOT_THE_HEADER)
def pax_huge(forgery):
    """A pax header has a comment of four mebibytes."""
    forgery[STREAM].before = pax([(b"comment", b"x" * (4 << 20))])


@bad(5, NOT_THE_HEADER)
def pax_claims_gigabytes(forgery):
    """A pax header says that it is eight gibibytes long, and is not."""
    forgery[STREAM].before = pax([(b"comment", b"x")], size=0o77777777777)


@bad(5, NOT_THE_HEADER)
def pax_length_of_a_record(forgery):
    """A record in a pax header says that it is longer than memory."""
    content = b"99999999999999999999 comment=x\n"
    forgery[STREAM].before = (header("PaxHeaders.0/x", len(content), type=b"x") +
                              content.ljust(BLOCK, b"\0"))


@bad(5, NO_ARCHIVE)
def pax_global(forgery):
    """A global pax header stands at the beginning."""
    forgery["README"].before = pax([(b"comment", b"x")], kind=b"g")


@bad(5, NOT_THE_HEADER)
def gnu_long_name(forgery):
    """A stream has a GNU long name."""
    name = b"rng/" + b"a" * 200 + b"\0"
    forgery[STREAM].before = (header("././@LongLink", len(name), type=b"L") +
                              name.ljust(BLOCK, b"\0"))


@bad(5, NOT_THE_HEADER)
def gnu_long_name_of_a_gigabyte(forgery):
    """A GNU long name says that it is a gibibyte long."""
    forgery[STREAM].before = header("././@LongLink", 1 << 30, type=b"L")


@bad(5, NOT_THE_HEADER)
def gnu_sparse(forgery):
    """A stream is a GNU sparse file with a hole of a tebibyte."""
    forgery.spoil(STREAM, type=b"S", magic=b"ustar  \0", sparse=b"00000000000\00000000000001\0",
                  realsize=b"\x80" + (1 << 40).to_bytes(11, "big"))


@bad(5, NOT_THE_HEADER)
def pax_sparse(forgery):
    """A stream is a sparse file of two tebibytes, as GNU tar writes them in pax."""
    forgery[STREAM].before = pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                                  (b"GNU.sparse.name", STREAM.encode()),
                                  (b"GNU.sparse.realsize", b"%d" % 2 ** 41)])


@bad(5, NOT_THE_HEADER)
def gnu_volume(forgery):
    """A stream goes on from another volume."""
    forgery.spoil(STREAM, type=b"M", magic=b"ustar  \0")


# ---- sizes that lie ----

@bad(5, "member rng/numpy: the file ends inside it: truncated, or a wrong size")
def size_past_the_end(forgery):
    """The size of a stream is that of the whole file."""
    forgery.spoil(STREAM, size=b"00100000000")


@bad(5, "member rng/numpy: the file ends inside it: truncated, or a wrong size")
def size_largest(forgery):
    """The size of a stream is the largest that a header can say."""
    forgery.spoil(STREAM, size=b"77777777777")


@bad(5, "member README: the file ends inside it: truncated, or a wrong size")
def size_of_the_first(forgery):
    """The size of README is the largest that a header can say."""
    forgery.spoil("README", size=b"77777777777")


@bad(5, "member manifest.json: the file ends inside it: truncated, or a wrong size")
def size_of_the_manifest(forgery):
    """The size of the manifest is the largest that a header can say."""
    forgery.spoil("manifest.json", size=b"77777777777")


@bad(5, NOT_THE_HEADER)
def size_negative(forgery):
    """The size of a stream is -1 in the base of 256."""
    forgery.spoil(STREAM, size=b"\xff" * 12)


@bad(5, NOT_THE_HEADER)
def size_with_a_sign(forgery):
    """The size of a stream has a minus sign."""
    forgery.spoil(STREAM, size=b"-0000000001 ")


@bad(5, NOT_THE_HEADER)
def size_in_base_256(forgery):
    """The size of a stream is right, and in the base of 256."""
    size = len(forgery[STREAM].content)
    forgery.spoil(STREAM, size=b"\x80" + size.to_bytes(11, "big"))


@bad(5, NOT_THE_HEADER)
def size_beyond_64_bits(forgery):
    """The size of a stream in the base of 256 has 80 bits."""
    forgery.spoil(STREAM, size=b"\x80\0" + b"\xff" * 10)


@bad(5, NOT_THE_HEADER)
def size_wraps_around(forgery):
    """The size of a stream, rounded up to blocks, is 0 in 64 bits."""
    forgery.spoil(STREAM, size=b"\x80\0\0\0" + b"\xff" * 8)


@bad(5, NOT_THE_HEADER)
def size_not_octal(forgery):
    """The size of a stream has digits that octal numbers have not."""
    forgery.spoil(STREAM, size=b"00000008989 ")


@bad(5, NOT_THE_HEADER)
def size_of_words(forgery):
    """The size of a stream is a word."""
    forgery.spoil(STREAM, size=b"large file  ")


@bad(5, NOT_THE_HEADER)
def size_with_blanks(forgery):
    """The size of a stream has blanks in front, as old programs write it."""
    forgery.spoil(STREAM, size=b"%11o " % len(forgery[STREAM].content))


@bad(5, NOT_THE_HEADER)
def size_without_end(forgery):
    """The size of a stream fills its field, and runs into the next."""
    forgery.spoil(STREAM, size=b"%012o" % len(forgery[STREAM].content))


@bad(5, "member rng/numpy: its tar header says [0-9]+ bytes, manifest.json [0-9]+|padding")
def size_one_less(forgery):
    """The size of a stream is one less than the manifest says."""
    forgery.spoil(STREAM, size=b"%011o " % (len(forgery[STREAM].content) - 1))


@bad(5, "member rng/numpy: its tar header says [0-9]+ bytes, manifest.json [0-9]+")
def size_one_more(forgery):
    """The size of a stream is one more than the manifest says."""
    forgery.spoil(STREAM, size=b"%011o " % (len(forgery[STREAM].content) + 1))


@bad(5, "member rng/numpy: its tar header says 0 bytes, manifest.json [0-9]+")
def size_none(forgery):
    """The size of a stream is 0, so that its content would be read as headers."""
    forgery.spoil(STREAM, size=b"00000000000")


# ---- other fields ----

@bad(5, NOT_THE_HEADER)
def checksum_wrong(forgery):
    """The checksum of a header is wrong."""
    forgery.spoil(STREAM, checksum=b"000000\0 ")


@bad(5, NOT_THE_HEADER)
def mode_of_programs(forgery):
    """A stream may be executed, by its owner's rights."""
    forgery.spoil(STREAM, mode=b"004755 \0")


@bad(5, NOT_THE_HEADER)
def owner(forgery):
    """A stream belongs to somebody."""
    forgery.spoil(STREAM, uid=b"001750 \0")


@bad(5, NOT_THE_HEADER)
def owner_by_name(forgery):
    """A stream belongs to root, by name."""
    forgery.spoil(STREAM, uname=b"root")


@bad(5, NOT_THE_HEADER)
def time(forgery):
    """A stream has a time, so that two saves would not be one file."""
    forgery.spoil(STREAM, mtime=b"14000000000 ")


@bad(5, NOT_THE_HEADER)
def link_of_a_file(forgery):
    """A regular file has the name of a link."""
    forgery.spoil(STREAM, linkname=b"/etc/passwd")


@bad(5, NO_ARCHIVE)
def version_7(forgery):
    """The headers are those of tar before ustar."""
    for member in forgery.members:
        member.header = header(member.name, len(member.content), magic=bytes(8))


@bad(5, NO_ARCHIVE)
def gnu_headers(forgery):
    """The headers are those of GNU tar."""
    for member in forgery.members:
        member.header = header(member.name, len(member.content), magic=b"ustar  \0")


# ---- blocks ----

@bad(5, "member rng/numpy: the padding after its content is not zero")
def padding_not_zero(forgery):
    """Bytes are hidden in the padding after a content."""
    forgery[STREAM].padding = b"hidden".ljust(-len(forgery[STREAM].content) % BLOCK, b"\0")


@bad(5, "member SHA256SUMS: the file ends inside it: truncated")
def one_block_at_the_end(forgery):
    """One block of zeros ends the file, and not two."""
    forgery.end = bytes(BLOCK)


@bad(5, "member SHA256SUMS: the file ends inside it: truncated")
def no_block_at_the_end(forgery):
    """No zeros end the file."""
    forgery.end = b""


@bad(5, "member SHA256SUMS: after it the file must end with two blocks of zeros")
def padded_to_a_record(forgery):
    """The file is filled up to a record of 10,240 bytes, as tar programs do."""
    forgery.end = bytes(10240)


@bad(5, "member SHA256SUMS: after it the file must end with two blocks of zeros")
def bytes_after_the_end(forgery):
    """Something is hidden behind the end."""
    forgery.end = bytes(END) + b"hidden"


@bad(5, "member rng/numpy: zeros stand where its tar header must be")
def zeros_in_the_middle(forgery):
    """The end of the archive stands in the middle, where tar programs stop reading."""
    forgery[STREAM].before = bytes(END)


@bad(5, "member tensors/model/fc1.weight: the file ends inside it: truncated")
def cut_in_a_content(forgery):
    """The file is cut in the middle of a tensor."""
    place = forgery.place("tensors/model/fc1.weight")
    del forgery.members[place + 1:]
    forgery.members[place].content = forgery.members[place].content[:1000]
    forgery.members[place].header = header("tensors/model/fc1.weight", 524288)


# ---- whole files ----

@bad(5, "member README: the file ends before it: truncated, or no snap archive")
def empty(_):
    """A file without a byte."""
    return b""


@bad(5, "member README: the file ends before it: truncated, or no snap archive")
def less_than_a_block(_):
    """A file of 511 bytes."""
    return bytes(511)


@bad(5, "member README: is not where it must be: this is no snap archive")
def zeros(_):
    """A tar of no members."""
    return bytes(END)


@bad(5, "member README: is not where it must be: this is no snap archive")
def hole_of_a_tebibyte(_):
    """A file that is one hole of a tebibyte."""
    return Hole(1 << 40)


@bad(5, NO_ARCHIVE)
def compressed(_):
    """A gzip file that grows to a gibibyte when it is read, as tar programs do by themselves."""
    return gzip.compress(bytes(1 << 20), 9, mtime=0) * 1024


@bad(5, NO_ARCHIVE)
def cpio(_):
    """A cpio archive of the old kind, which libarchive would take."""
    return b"\xc7\x71" + bytes(2000)


@bad(5, NO_ARCHIVE)
def zip_file(_):
    """The beginning of a zip file."""
    return b"PK\3\4" + bytes(2000)
