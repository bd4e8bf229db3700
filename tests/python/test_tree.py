#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python values in a tree: each comes back with its type and its bits, also through an archive that
the library wrote; docs/python-tree.md shows the nodes; what has no safe form is refused, by path;
the limits are exactly the library's; a node that lies is corrupt."""

import collections
import enum
import functools
import json
import pathlib
import random
import re
import struct
import sys
import tempfile
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import caught  # noqa: E402
from snapstate import errors, tree  # noqa: E402
from snapstate.archive import Archive  # noqa: E402
from snapstate.tree import DefaultDict, DtypeName, EnumName, FunctionName, NamedFields  # noqa: E402
from tap import Tap  # noqa: E402
from write_tree import write_nodes, write_tree  # noqa: E402

Point = collections.namedtuple("Point", "x y")


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntFlag):
    LOW = 1
    HIGH = 2


class Text(str):
    pass


def text_of(node):
    return json.dumps(node, ensure_ascii=False, separators=(",", ":"))


def bits(value):
    return struct.pack(">d", value)


def same(left, right):
    """Equal with all types, orders and bits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return bits(left) == bits(right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, (list, tuple, deque)):
        return len(left) == len(right) and all(map(same, left, right)) and \
            getattr(left, "maxlen", 0) == getattr(right, "maxlen", 0)
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items())) and \
            getattr(left, "_metadata", 0) == getattr(right, "_metadata", 0) and \
            getattr(left, "factory", 0) == getattr(right, "factory", 0)
    if type(left).__module__ == "numpy" and hasattr(left, "tobytes"):
        return (left.dtype, left.shape, left.tobytes()) == \
            (right.dtype, right.shape, right.tobytes())
    return left == right


def state_dict():
    value = OrderedDict(weight=1, bias=2)
    value._metadata = OrderedDict([("", {"version": 1})])
    return value


NAN = struct.unpack(">d", bytes.fromhex("fff8000000000123"))[0]
VALUES = [
    None, True, False, 0, -1, 2**53, 2**53 + 1, -2**53, -2**53 - 1, 10**4299, -10**4299, 0.0, -0.0,
    0.1, float("inf"), NAN, 5e-324, "", "text", "größe \U0001f600", "a\0b", "ä\0", "\udc80x",
    "~tuple", b"", b"\x00\xff", bytearray(b"ab"), [], [[]], (), ((),), (1, (2, [3])), {}, {"a": {}},
    {5: 1, "5": 2}, {"": 1}, {2**53: 1}, {2**53 + 1: 1}, {True: 1}, {1: "one"}, {None: 0},
    {1.5: [2]}, {"a\0": 1},
    {(1, "x"): {"k": 1.0}, frozenset({1}): 2, b"b": 3}, {"~x": 1}, {"~tuple": [1]},
    {"~x": 1, "y": 2}, {"~dict": {"~dict": 1}}, set(), {1, "a", (2, 3)}, {True, 0.5, None},
    frozenset(), frozenset({frozenset({1}), 2}), OrderedDict(b=1, a=2), OrderedDict(),
    OrderedDict([((1, 2), 3)]), OrderedDict([("~x", 1)]), Counter("aab"), Counter({(1,): -1}),
    deque(), deque([1, [2]], maxlen=4), deque([], maxlen=0), 1j, complex(NAN, -0.0),
    slice(None), slice(1, (2,), "x"), range(0), range(10, 0, -3), state_dict(),
    {"state": {0: {"step": 3, "exp": None}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999),
                                                              "params": [0, 1]}]},
]
NAMES = [FunctionName("app.train:Loss.forward"), EnumName("app:Mode", "FAST"),
         NamedFields("app:Point", {"x": (1,), "y": {}}), DefaultDict(None, {"a": 1}),
         DefaultDict(FunctionName("builtins:list"), {(1,): []}), DtypeName("torch.float99"),
         {EnumName("app:Mode", "FAST"): 1}, {EnumName("app:Mode", "FAST")}]


def again(value):
    """Encoded, through text, decoded."""
    node, memories = tree.encode(value)
    assert memories == []
    return tree.decode(json.loads(text_of(node)), tensor=None)


def check_values(tap, folder):
    def differing(values):
        for value in values:
            back = caught(again, value)
            if not same(value, back):
                yield f"{value!r} came back as {back!r}"
            elif text_of(tree.encode(back)[0]) != text_of(tree.encode(value)[0]):
                yield f"{value!r}: encodes to another node when it has come back"
    tap.empty(differing(VALUES), "every value comes back with its type and its bits")
    tap.empty(differing(NAMES), "names come back as names")
    orders = [["b", "a", ("c", 1), 7], [7, "a", ("c", 1), "b"], [("c", 1), 7, "b", "a"]]
    tap.ok(len({text_of(tree.encode(set(order))[0]) for order in orders}) == 1,
           "a set has one form, whatever its order")

    path = folder / "values.snap.tar"
    write_tree(path, values=VALUES + NAMES, empty={}, scalar=3, text="x")
    with Archive(path) as archive:
        loaded = archive.load(framework=None)
    tap.empty((f"{value!r} came back as {back!r}"
               for value, back in zip(VALUES + NAMES, loaded["values"]) if not same(value, back)),
              "and through an archive that the library wrote")
    tap.ok(list(loaded) == ["values", "empty", "scalar", "text"] and
           (loaded["empty"], loaded["scalar"], loaded["text"]) == ({}, 3, "x"),
           "any value can be a root", loaded)


def check_page(tap, torch, numpy):
    known = {**vars(collections), "re": re, "torch": torch, "numpy": numpy,
             "EnumName": EnumName, "NamedFields": NamedFields}
    page = (TOP / "docs" / "python-tree.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.*?)` \| `(\{.*\})` \|$", page, flags=re.M)
    found, tags = [], set()
    for expression, wanted in rows:
        tags.add(re.match(r'\{"map":\[\["(~\w+)"', wanted).group(1))
        if torch is None and "torch" in expression or numpy is None and "numpy" in expression:
            tap.skip(expression, "its library is not installed")
            continue
        # An expression of our own page.
        given = text_of(tree.encode(eval(expression, known))[0])  # pylint: disable=eval-used
        if given != wanted:
            found.append(f"{expression}: {given}")
    tap.empty(found, "the nodes are those of docs/python-tree.md")
    source = (TOP / "python" / "snapstate" / "_tree_decode.py").read_text(encoding="utf-8")
    tap.ok(tags | {"~state_dict"} == set(re.findall(r'"(~\w+)": Decoder', source)),
           "which shows every tag", tags)


# ---- refusals ----

def local_things():
    class Local(enum.Enum):
        A = 1
    pair = collections.namedtuple("pair", "a")
    return Local.A, pair(1), (lambda: 0)


def looped():
    value = {"a": [1]}
    value["a"].append({"b": value})
    return value


def refusals():
    member, pair, function = local_things()
    attributed = OrderedDict()
    attributed.extra = 1
    generator = random.Random(1)
    yield {"a": [0, {"b c": object()}]}, "root.a[1]['b c']", "type builtins.object has no safe form"
    yield {"fc.weight": object()}, "root.fc.weight", "no safe form"
    yield {3: (object(),)}, "root[3][0]", "no safe form"
    yield [generator], "root[0]", "random.Random has no safe form: register it as a stream"
    yield pathlib.PurePosixPath("x"), "root", "keep str"
    yield functools.partial(len), "root", "functools.partial"
    yield [].append, "root", "not found again by its name"
    yield generator.random, "root", "not found again"
    yield [function], "root[0]", "not found again by its name; define it at the top"
    yield member, "root", "not found again by its name; keep its value"
    yield Level.LOW | Level.HIGH, "root", "keep its value"
    yield pair, "root", "keep tuple"
    yield Text("x"), "root", "Text has no safe form"
    yield {Text("x"): 1}, "root", "Text has no safe form"
    yield 10**4300, "root", "more digits than 4300"
    yield attributed, "root", "attributes of its own"
    yield looped(), "root.a[1].b.a[1]", "contains itself"


def check_refusals(tap):
    found = []
    for value, path, pattern in refusals():
        problem = caught(tree.encode, value, path="root")
        if not isinstance(problem, errors.CaptureError):
            found.append(f"{value!r}: {problem!r}")
        elif not problem.path.startswith(path) or str(problem) != f"{problem.path}: " + \
                str(problem)[len(problem.path) + 2:] or not re.search(pattern, str(problem)) or \
                "\n" in str(problem):
            found.append(f"{problem.path}: {problem}")
    tap.empty(found, "what has no safe form is refused, and its path is named")
    problem = caught(tree.encode, [object()])
    tap.ok(problem.path == "[0]" and caught(tree.encode, object()).path == "the value",
           "also without a root's name", problem)


def nested(depth, wrap):
    value = None
    for _ in range(depth):
        value = wrap(value)
    return value


def written(path, node):
    """Does the library take the node, and read it again?"""
    try:
        write_nodes(path, {"root": (node, [])})
        Archive(path).close()
    except errors.SnapError as problem:
        return str(problem)
    return True


def check_limits(tap, folder):
    path = folder / "limits.snap.tar"
    for name, wrap, most in [("lists", lambda value: [value], 14), ("tuples", lambda v: (v,), 5),
                             ("dicts", lambda value: {"k": value}, 9),
                             ("pairs", lambda value: {1.5: value}, 4)]:
        node = tree.encode(nested(most, wrap))[0]
        tap.ok(written(path, node) is True, f"{most} {name} in each other", written(path, node))
        deeper = nested(most + 1, wrap)
        problem = caught(tree.encode, deeper)
        tap.ok(isinstance(problem, errors.CaptureError) and "nested too deeply" in str(problem),
               f"and no more {name}", problem)
        tap.ok(isinstance(written(path, tree.encode(deeper, depth=-30)[0]), str),
               "which the library refuses too")
    bottom = nested(14, lambda value: [[] if value is None else value])
    tap.ok(isinstance(caught(tree.encode, bottom), errors.CaptureError) and
           isinstance(written(path, tree.encode(bottom, depth=-30)[0]), str),
           "nor an empty list where a number could still be")
    node = tree.encode({"ä" * 510: {"b": [None, 1]}})[0]
    tap.ok(written(path, node) is True, "a path of 1,024 bytes", written(path, node))
    problem = caught(tree.encode, {"ä" * 510: {"b": [None, {"": 1}]}})
    tap.ok(isinstance(problem, errors.CaptureError) and "1025 bytes" in str(problem), "and no more",
           problem)
    node["map"][0][1]["map"][0][1]["list"][1] = {"map": [["", {"int": 1}]]}
    tap.ok(isinstance(written(path, node), str), "which is the library's limit")
    for node, wanted in [(tree.encode(-10**4299)[0], True), ({"int": "1" + "0" * 4300}, False)]:
        tap.ok((written(path, node) is True) == wanted,
               f"the library {'takes' if wanted else 'refuses'} {len(node['int'])} characters")


# ---- nodes that lie ----

def tagged(tag, node):
    return {"map": [[tag, node]]}


INT, STRING = {"int": 1}, {"string": "x"}
CORRUPT = [
    tagged("~tuple", INT), tagged("~set", {"list": [INT, INT]}),
    tagged("~set", {"list": [{"list": []}]}),
    tagged("~items", INT), tagged("~items", {"list": [INT]}),
    tagged("~items", {"list": [{"list": [INT, INT]}, {"list": [{"bool": True}, INT]}]}),
    tagged("~items", {"list": [{"list": [{"list": []}, INT]}]}), tagged("~dict", {"list": []}),
    tagged("~text", STRING), tagged("~text", {"bytes": "ff"}), tagged("~bytearray", INT),
    tagged("~complex", {"list": [INT, INT]}), tagged("~slice", {"list": [INT]}),
    tagged("~range", {"list": [INT, INT, {"int": 0}]}), tagged("~range", {"list": [INT, INT]}),
    tagged("~deque", {"map": [["items", {"list": [INT, INT]}], ["maxlen", INT]]}),
    tagged("~deque", {"map": [["items", STRING], ["maxlen", INT]]}), tagged("~deque", {"map": []}),
    tagged("~defaultdict", {"map": [["factory", INT], ["items", {"map": []}]]}),
    tagged("~state_dict", {"map": [["items", {"map": []}]]}), tagged("~ordered", INT),
    tagged("~counter", STRING), tagged("~array", INT), tagged("~scalar", {"list": [STRING, INT]}),
    tagged("~scalar", {"list": [{"string": "f32"}, {"bytes": "00"}]}), tagged("~dtype", STRING),
    tagged("~dtype", {"string": "torch.Tensor.x"}), tagged("~device", {"string": "cpu\n"}),
    tagged("~size", {"list": [{"int": -1}]}), tagged("~function", {"string": "os.system"}),
    tagged("~function", INT), tagged("~enum", {"list": [{"string": "a:b"}]}),
    tagged("~enum", {"list": [{"string": "a:b"}, INT]}),
    tagged("~namedtuple", {"list": [{"string": "a:b"}, {"list": []}]}),
    tagged("~namedtuple", {"list": [{"string": "a:b"}, {"map": [["not a name", INT]]}]}),
    tagged("~namedtuple", {"list": [{"string": "a:b"}, {"map": [[1, INT]]}]}),
]


def check_corrupt(tap):
    found = []
    for node in CORRUPT:
        problem = caught(tree.decode, {"list": [INT, node]}, tensor=dict, path="root")
        if type(problem) is not errors.CorruptError or not str(problem).startswith("root[1]"):
            found.append(f"{text_of(node)}: {problem!r}")
    tap.empty(found, "a tag that does not hold what it should is corrupt, and its path is named")
    problem = caught(tree.decode, tagged("~new", INT), tensor=dict, path="root")
    tap.ok(type(problem) is errors.UnsupportedError and "root: is a ~new" in str(problem),
           "a tag of a newer version is unsupported", problem)
    names = tree.decode(tagged("~function", {"string": "os:system"}), tensor=dict)
    tap.ok(names == FunctionName("os:system"), "a function is a name, never the thing")


# ---- names and the live program ----

def check_adopt(tap):
    live = {"f": re.sub, "e": Color.BLUE, "p": Point([len], 2), "d": defaultdict(list, a=[max]),
            "t": (Color.RED,), "l": [len, [min]], "o": OrderedDict(a=sum), "q": deque([any]),
            "k": {Color.RED: 1, "x": Color.BLUE, (Color.BLUE, 1): 2}, "s": {Color.RED, Color.BLUE}}
    stored = again(live)
    stored["d"]["b"], stored["p"]["y"] = [], 7
    wanted = {**live, "d": defaultdict(list, a=[max], b=[]), "p": Point([len], 7)}
    live["e"] = live["t"] = Color.RED  # another member is no problem: the archive's is taken
    live["t"] = (Color.BLUE,)
    value, problems = tree.adopt(stored, live, path="root")
    tap.ok(problems == [] and same(value, wanted) and type(value["p"]) is Point and
           value["d"].default_factory is list, "names become the live program's own things",
           problems, value)
    others = {"f": re.match, "e": Level.LOW, "p": (1, 2), "d": defaultdict(dict), "t": (),
              "l": [len], "o": {}, "q": deque(), "k": {}, "s": {Color.RED}}
    value, problems = tree.adopt(again(wanted), others, path="root")
    places = [problem.split(": ")[0] for problem in problems]
    tap.ok(places == ["root.f", "root.e", "root.p", "root.d.a[0]", "root.d", "root.t[0]",
                      "root.l[1][0]", "root.o.a", "root.q[0]", "root.k", "root.k.x", "root.k",
                      "root.s"],
           "other things are problems, by path", *problems)
    tap.ok(problems[0] == f"root.f: the archive has re:sub, and the program {re.match!r}: it must "
           f"be the same" and value["f"] == FunctionName("re:sub"), "in words", problems[0])
    value, problems = tree.adopt(DtypeName("torch.float99"), None, path="root")
    tap.ok(len(problems) == 1, "so is a dtype that nobody has here", *problems)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        folder = Path(folder)
        check_values(tap, folder)
        check_refusals(tap)
        check_limits(tap, folder)
        check_corrupt(tap)
        check_adopt(tap)
    modules = {}
    for name in ("torch", "numpy"):
        try:
            modules[name] = __import__(name)
        except ImportError as problem:
            tap.skip(name, f"python3-{name} is not installed: {problem}")
    check_page(tap, modules.get("torch"), modules.get("numpy"))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
