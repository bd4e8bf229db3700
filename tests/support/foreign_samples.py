# SPDX-License-Identifier: Apache-2.0
"""Files of other libraries that are made to mislead, each with a sentence: for the tests of `snap
import`, and, run as a script, for the kept inputs of the fuzz targets.

    foreign_samples.py FOLDER    write each to a file of the folder
"""

import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    name: str
    what: str    # a sentence
    data: bytes
    exit: int    # of snap import
    reason: str  # a pattern in its message


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def text_opcode(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def laughs(levels=12):
    """Lists of ten references each, inside each other."""
    out = [b"]q\x00"]
    for level in range(levels):
        out.append(b"(" + b"h" + bytes([level]) + (b"h" + bytes([level])) * 9 + b"lq" +
                   bytes([level + 1]))
    return b"\x80\x02" + out[0] + b"0" + b"0".join(out[1:]) + b"."


def hostile_pickles():
    import builtins
    import os
    for protocol in range(6):
        yield Sample(f"system{protocol}", f"protocol {protocol}: os.system is called",
                     pickle.dumps(Calls(os.system, "echo run >ran"), protocol), 4,
                     "posix.system is not on the short list")
        yield Sample(f"eval{protocol}", f"protocol {protocol}: builtins.eval is called",
                     pickle.dumps({"a": Calls(builtins.eval, "open('ran', 'w')")}, protocol), 4,
                     r"(builtins|__builtin__).eval is not on")
    yield Sample("getattr", "a method is looked up by getattr",
                 pickle.dumps(Calls(getattr, {}, "clear"), 2), 4, "getattr is not on")
    yield Sample("nested_name", "protocol 4: a name with a dot, for a method of a class",
                 b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", 4, "numpy.ndarray.tofile")
    yield Sample("runstring", "a function of an allowed package that executes a text",
                 b"cnumpy.testing._private.utils\nrunstring\n(Vx\n}tR.", 4, "runstring is not on")
    yield Sample("torch_load", "a call that reads another file",
                 b"ctorch\nload\n(Vother\ntR.", 4, "torch.load is not on")
    yield Sample("inst", "INST of protocol 0: subprocess.Popen", b"(Vx\nisubprocess\nPopen\n.", 4,
                 "subprocess.Popen is not on")
    yield Sample("reduce_class", "an array of gigabytes, without a byte of it in the file",
                 b"cnumpy\nndarray\n(I1000000000\ntR.", 4,
                 "numpy.ndarray with arguments that it is not known with")
    yield Sample("build_str", "BUILD: __setstate__ of a str", b"Vx\n}Va\nI1\nsb.", 4,
                 "would have to take a state")
    yield Sample("build_unknown", "BUILD of a class that is not known",
                 b"cos\n_wrap_close\n)\x81}b.", 4, "_wrap_close is not on")
    yield Sample("append_object", "APPEND to an object: its own method would run",
                 b"cargparse\nNamespace\n)RI1\na.", 4, "APPEND: refused")
    yield Sample("persid", "a persistent id as text", b"Pother\n.", 4, "PERSID: refused")
    yield Sample("binpersid", "a persistent id in a plain pickle", b"\x80\x02U\x01xQ.", 4,
                 "BINPERSID: refused")
    for code, size in ((0x82, 1), (0x83, 2), (0x84, 4)):
        yield Sample(f"ext{size}", f"EXT{size}: the extension registry",
                     b"\x80\x02" + bytes([code]) + b"\1" * size + b".", 4, f"EXT{size}: refused")
    yield Sample("next_buffer", "a buffer outside the file", b"\x80\x05\x97.", 4,
                 "NEXT_BUFFER: refused")
    yield Sample("protocol_6", "a protocol that does not exist", b"\x80\x06N.", 4, "protocol 6")
    for name, opcode in (("long4", b"\x8b\xff\xff\xff\x7f"), ("binbytes", b"B\xff\xff\xff\xff"),
                         ("binunicode8", b"\x8d" + b"\xff" * 8), ("bytes8", b"\x8e" + b"\xff" * 8),
                         ("bytearray8", b"\x96" + b"\xff" * 7 + b"\0"),
                         ("frame", b"\x95" + b"\xff" * 8)):
        yield Sample(f"huge_{name}", "a size that the file does not have", b"\x80\x05" + opcode, 5,
                     "the file has 0 more")
    yield Sample("memo_bomb", "the last place of the memo, to make it large",
                 b"\x80\x02Nr\xff\xff\xff\xff.", 4, "place 4294967295 of the memo")
    yield Sample("memo_text", "the same as text", b"Np4294967295\n.", 4,
                 "place 4294967295 of the memo")
    yield Sample("laughs_memo", "a billion values by references", laughs(), 4,
                 "with all that it refers to, it has more than")
    yield Sample("laughs_dup", "2^200 values by DUP", b"N" + b"2\x86" * 62 + b".", 4,
                 "with all that it refers to|inside each other")
    yield Sample("laughs_small", "a million values by references, of 140 bytes", laughs(7), 4,
                 "it has more than 262[0-9]+ values")
    long = "x" * 500000
    for what, opcode in (("text", text_opcode(long)),
                         ("bytes", b"B" + struct.pack("<I", len(long)) + long.encode())):
        yield Sample(f"repeated_{what}", f"{what} of half a megabyte, used a thousand times",
                     b"\x80\x04(" + opcode + b"\x94" + b"h\0" * 1000 + b"l.", 4,
                     "more than [0-9]+ bytes of text")
    yield Sample("repeated_array", "the same half megabyte as three hundred arrays",
                 b"\x80\x04B" + struct.pack("<I", len(long)) + long.encode() + b"\x940(" +
                 (b"cnumpy\nndarray\n(J" + struct.pack("<I", len(long)) + b"t" +
                  text_opcode("|u1") + b"h\0\x87R") * 300 + b"l.", 4,
                 "more than [0-9]+ bytes of text")
    yield Sample("repeated_key", "a key of half a megabyte in a thousand dicts",
                 b"\x80\x04" + text_opcode(long) + b"\x940(" + b"}h\0Ns" * 1000 + b"l.", 4,
                 "more than [0-9]+ bytes of text")
    yield Sample("compared_keys", "two long keys that differ in the end, in a thousand dicts",
                 b"\x80\x04" + text_opcode(long + "1") + b"\x940" + text_opcode(long + "2") +
                 b"\x940(" + b"}(h\0Nh\1Nu" * 1000 + b"l.", 4, "more than [0-9]+ bytes of keys")
    yield Sample("dropped", "lists of three million references, which are dropped again",
                 b"\x80\x04(" + (b"](N" + b"2" * 3000000 + b"e0") * 3 + b"l.", 4,
                 "containers have more than 8388608 items")
    yield Sample("deep", "a hundred thousand tuples inside each other",
                 b"\x80\x02N" + b"\x85" * 100000 + b".", 4, "inside each other")
    yield Sample("deep_lists", "a hundred thousand open marks", b"(" * 100000, 4,
                 "256 marks are open")
    yield Sample("cycle", "a list that contains itself", pickle.dumps(cycle(), 2), 4,
                 "it contains itself")
    yield Sample("many", "eight million empty lists", b"]" * 8000000, 4, "4194304 values")
    yield Sample("recode", "one text is made bytes ten thousand times",
                 b"\x80\x02c_codecs\nencode\nq\0" + text_opcode("x" * 60000) + b"q\1" +
                 text_opcode("latin1") + b"q\2" + b"h\0h\1h\2\x86R0" * 10000 + b"N.", 4,
                 "recoded more than once")
    yield Sample("twice", "a dict with a key twice", b"}(Va\nI1\nVa\nI2\nu.", 4,
                 "has the key that stands at byte [0-9]+ twice")
    yield Sample("trailing", "bytes behind the pickle", pickle.dumps([1], 2) + b"x", 5,
                 "1 bytes follow the pickle")


def cycle():
    made = []
    made.append(made)
    return made


def zip_of(entries, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in entries:
            file.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def hostile_files():
    pickled = b"\x80\x02}."
    tensor = (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"
              b"((X\x07\0\0\0storagectorch\nByteStorage\n"
              b"X\x01\0\0\0" b"0X\x03\0\0\0cpuK%ctQK\0%b%bI00\nccollections\nOrderedDict\n)RtR.")
    small = b"K\x08\x85"
    ones = b"K\x01\x85"

    def torch(pickle_bytes, *more):
        return zip_of([("archive/data.pkl", pickle_bytes), ("archive/version", b"3\n"), *more])

    yield Sample("torch_system", "torch.save's form, with a call of os.system in its pickle",
                 torch(b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R."), 4, "os.system is not on")
    yield Sample("torch_script", "a TorchScript program, whose code would run",
                 torch(pickled, ("archive/code/__torch__.py", b"import os")), 4,
                 "a TorchScript program")
    yield Sample("torch_missing", "a tensor whose storage is not in the file",
                 torch(tensor % (b"\x08", small, ones)), 5, "storage data/0 is not in the file")
    yield Sample("torch_small", "a storage with fewer bytes than it is said to have",
                 torch(tensor % (b"\x08", small, ones), ("archive/data/0", b"1234")), 5,
                 "has 4 bytes and not 8")
    yield Sample("torch_outside", "a tensor that reaches outside its storage",
                 torch(tensor % (b"\x04", small, ones), ("archive/data/0", b"1234")), 5,
                 "it reaches outside its storage")
    yield Sample("torch_lengths", "a tensor of two dimensions with one stride",
                 torch(tensor % (b"\x04", b"K\x02K\x02\x86", ones), ("archive/data/0", b"1234")), 5,
                 "different lengths")
    yield Sample("torch_repeat", "a tensor of a terabyte, by a stride of 0",
                 torch(tensor % (b"\x04", b"\x8a\x06\0\0\0\0\0\x01\x85", b"K\0\x85"),
                       ("archive/data/0", b"1234")), 5, "more than a storage can hold")
    yield Sample("torch_big_endian", "a file of a big-endian machine",
                 torch(pickled, ("archive/byteorder", b"big")), 4, "big-endian machine")
    yield Sample("torch_other", "an entry that torch.save does not write",
                 torch(pickled, ("archive/other", b"")), 4, "nothing that torch.save writes")
    yield Sample("zip_twice", "one name twice in a zip file",
                 zip_of([("a.npy", b"1"), ("b.npy", b"2")]).replace(b"b.npy", b"a.npy"), 5,
                 "the name is there twice")
    yield Sample("zip_climb", "a zip file with a name that climbs out of its folder",
                 zip_of([("../../x", b"1")]), 4, "neither torch.save's nor numpy.savez's")
    bomb = bytearray(zip_of([("a.npy", bytes(1 << 20))], zipfile.ZIP_DEFLATED))
    place = bomb.find(b"PK\1\2")
    bomb[place + 24:place + 28] = bomb[22:26] = struct.pack("<I", 0xfffffff0)
    yield Sample("zip_bomb", "a kilobyte that is said to inflate to four gigabytes", bytes(bomb), 5,
                 "larger than deflate can make it")
    yield Sample("zip_crc", "a changed byte",
                 zip_of([("a.npy", b"1234")]).replace(b"1234", b"1235"), 5, "its CRC is")
    yield Sample("npy_eval", "a header that would be evaluated",
                 npy("{'descr': __import__('os').system('id'), 'fortran_order': False, "
                     "'shape': (1,)}"), 4, "with fields")
    yield Sample("npy_object", "an array of objects, which are a pickle",
                 npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"12345678"), 4,
                 "a pickle, which is not executed")
    yield Sample("npy_large", "a shape of exabytes",
                 npy("{'descr': '<f8', 'fortran_order': False, "
                     "'shape': (4611686018427387904,)}"), 5, "do not agree")
    yield Sample("safetensors_large", "a header of exabytes", b"\xff" * 8 + b"{", 5,
                 "neither a file of torch.save")
    yield Sample("safetensors_cut", "a header that ends with the file",
                 safetensors('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', b"")[:40],
                 5, "a header of 53 bytes, and the file has 32 more: it is cut off")
    yield Sample("safetensors_overlap", "two tensors over the same bytes", safetensors(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},'
        '"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}', b"123"), 5, "overlaps")
    yield Sample("json_deep", "a hundred thousand arrays inside each other", b"[" * 100000, 4,
                 "inside each other")
    yield Sample("empty", "no bytes at all", b"", 5, "it is empty")
    yield Sample("text", "a text", b"hello\n", 5, "neither a file of torch.save")


def npy(header, data=b""):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def safetensors(header, data):
    return struct.pack("<Q", len(header)) + header.encode() + data


def all_samples():
    """One at a time: they are large together."""
    yield from hostile_pickles()
    yield from hostile_files()


if __name__ == "__main__":
    for sample in all_samples():
        if len(sample.data) < 100000:
            Path(sys.argv[1], sample.name).write_bytes(sample.data)
