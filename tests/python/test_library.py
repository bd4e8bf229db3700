#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python package's view of the shared library is the headers': every exported function has a
row with the types of its prototype, and every struct, offset and number is the C compiler's. And:
where the library is looked for, what is said when it is not there or of another version, and that
each status has its exception."""

import ctypes
import errno
import os
import pickle
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import caught  # noqa: E402
from snapstate import _library, _prototypes, _structs, errors  # noqa: E402
from snapstate._version import __version__  # noqa: E402
from tap import Tap  # noqa: E402

INCLUDE = TOP / "snapshot" / "include"
CC = os.environ.get("CC", "cc").split()
VALUES = {"bool": ctypes.c_bool, "int": ctypes.c_int, "unsigned": ctypes.c_uint,
          "size_t": ctypes.c_size_t, "uint8_t": ctypes.c_uint8, "uint32_t": ctypes.c_uint32,
          "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "float": ctypes.c_float,
          "double": ctypes.c_double, "unsigned char": ctypes.c_ubyte, "void": None}
STRUCTS = {kind.__name__: kind for kind in _structs.STRUCTS}


# ---- the headers ----

def prototypes():
    """Name to (type of the result, types of the arguments), as texts, from the headers."""
    found = {}
    for header in sorted((INCLUDE / "snapstate").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", " ", header.read_text(encoding="utf-8"), flags=re.S)
        text = re.sub(r"^#(?:.*\\\n)*.*$|extern \"C\" \{|SNAP_PRINTF\([^)]*\)", "", text,
                      flags=re.M)
        for result, name, arguments in re.findall(
                r"([\w ]+[\w*]\s*\**)\b(snap_\w+)\s*\(([^()]*)\)\s*;", text):
            if "typedef" not in result:
                parts = [" ".join(part.split()) for part in arguments.split(",")]
                found[name] = (" ".join(result.split()), [] if parts == ["void"] else parts)
    return found


def allowed(declared):
    """The ctypes types that may stand for a declared type: of an argument with its name."""
    declared = re.sub(r"\bconst\b", " ", declared)
    pointers = declared.count("*") + declared.count("[")
    words = re.sub(r"\*|\[[^]]*\]", " ", declared).split()
    if words[0] in ("struct", "enum"):
        base = " ".join(words[:2])
    else:
        base = "unsigned char" if words[:2] == ["unsigned", "char"] else words[0]
    callbacks = {"snap_pool_task": _structs.POOL_TASK, "snap_archive_take": _structs.ARCHIVE_TAKE}
    if base in callbacks:
        return [callbacks[base]]
    if base.startswith("enum"):
        value = ctypes.c_int
    elif base.startswith("struct"):
        value = STRUCTS.get(base[7:])
    else:
        value = VALUES.get(base)
    if pointers == 0:
        return [value]
    if pointers == 1:
        if value is None or base == "unsigned char":  # opaque structs, void, char
            return [ctypes.c_void_p] + ([ctypes.c_char_p] if base == "char" else
                                        [ctypes.POINTER(ctypes.c_ubyte)] if value else [])
        return [ctypes.POINTER(value)]
    known = [ctypes.POINTER(ctypes.POINTER(value))] if base.startswith("struct") and value else []
    return [ctypes.POINTER(ctypes.c_char_p if base == "char" else ctypes.c_void_p), *known]


def disagreements():
    """What rows say otherwise than the headers do."""
    declared = prototypes()
    for name, (restype, *argtypes) in _prototypes.PROTOTYPES.items():
        if name not in declared:
            yield f"{name}: no header declares it"
            continue
        result, arguments = declared[name]
        if arguments and arguments[-1] == "...":
            arguments = arguments[:-1]
        if len(arguments) != len(argtypes):
            yield f"{name}: takes {len(arguments)} arguments, and its row has {len(argtypes)}"
        for place, (text, given) in enumerate(zip([result + " x"] + arguments,
                                                  [restype] + argtypes)):
            if given not in allowed(text):
                yield f"{name}: {place and f'argument {place}' or 'result'} is {text}, not {given}"


def check_prototypes(tap):
    exported = (TOP / "snapshot" / "libsnapstate.sym").read_text(encoding="utf-8").split()
    rows = list(_prototypes.PROTOTYPES)
    tap.empty(sorted(set(exported) ^ set(rows)), "a row for every exported function, and no other")
    tap.empty(disagreements(), "each row has the types of the prototype in the header")


def check_numbers(tap, folder):
    lines = []
    for kind in _structs.STRUCTS:
        tag = f"struct {kind.__name__}"
        lines.append((f"sizeof(struct {kind.__name__})", ctypes.sizeof(kind)))
        for field, *_ in kind._fields_:
            lines.append((f"offsetof({tag}, {field})", getattr(kind, field).offset))
            lines.append((f"sizeof((({tag} *)0)->{field})", getattr(kind, field).size))
    for kind, prefix in _structs.ENUM_PREFIXES.items():
        lines += [(f"{prefix}{member.name}", member.value) for member in kind]
    lines += [("SNAP_DIGEST_BYTES", _structs.DIGEST_BYTES), ("SNAP_MAX_DIMS", _structs.MAX_DIMS),
              ("SNAP_HASH_TEXT_BYTES", _structs.HASH_TEXT_BYTES)]
    source = folder / "numbers.c"
    source.write_text("#include <stdio.h>\n#include <snapstate/snapstate.h>\nint main(void) {\n" +
                      "".join(f'printf("%llu\\n", (unsigned long long)({text}));\n'
                              for text, _ in lines) + "return 0;\n}\n", encoding="utf-8")
    subprocess.run([*CC, "-std=c11", f"-I{INCLUDE}", str(source), "-o", str(folder / "numbers")],
                   check=True)
    theirs = subprocess.run([str(folder / "numbers")], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.split()
    tap.empty((f"{text} is {there}, and not {here}" for (text, here), there in zip(lines, theirs)
               if here != int(there)), "every size, offset and number is the C compiler's")
    headers = "".join(path.read_text(encoding="utf-8")
                      for path in sorted((INCLUDE / "snapstate").glob("*.h")))
    constants = re.sub(r"/\*.*?\*/", " ", headers, flags=re.S)
    for kind, prefix in _structs.ENUM_PREFIXES.items():
        body = next(body for body in re.findall(r"enum snap_\w+ \{(.*?)\}", constants, flags=re.S)
                    if re.search(rf"\b{prefix}{list(kind)[0].name}\b", body))
        names = re.findall(rf"\b{prefix}(\w+) =", body)
        tap.ok(names == [member.name for member in kind], f"{kind.__name__} has every constant",
               names)
    sized = set(re.findall(r"struct (\w+) \{\s*size_t size_bytes;", constants))
    tap.empty((name for name, kind in STRUCTS.items()
               if (name in sized) != issubclass(kind, _structs.Sized)),
              "the structs that begin with their size are those that set it")
    tap.ok(_structs.snap_member().size_bytes == ctypes.sizeof(_structs.snap_member),
           "and the constructor sets it")


# ---- finding and loading ----

def load_fails(tap, name, kind, pattern, path):
    try:
        _library.load(str(path))
    except errors.SnapError as problem:
        tap.ok(type(problem) is kind and re.search(pattern, str(problem)) and
               "\n" not in str(problem), name, repr(problem))
    else:
        tap.ok(False, name, "it was loaded")


def check_loading(tap, folder):
    load_fails(tap, "no library there", errors.EnvironmentFailure,
               r"nothing\.so: load the snapstate library: .*SNAPSTATE_LIBRARY",
               folder / "nothing.so")
    for name, body, pattern in [
            ("other", 'const char *snap_version(void) { return "9.9.9"; }',
             rf"is snapstate 9\.9\.9, and this Python package is {re.escape(__version__)}: in"),
            ("older", f'const char *snap_version(void) {{ return "{__version__}"; }}',
             r"has no snap_\w+: it is another build")]:
        source = folder / f"{name}.c"
        source.write_text(body + "\n", encoding="utf-8")
        library = folder / f"{name}.so"
        subprocess.run([*CC, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        load_fails(tap, f"a library of another kind ({name})", errors.UnsupportedError, pattern,
                   library)

    before = os.environ.pop(_library.VARIABLE, None)
    try:
        package = folder / "python" / "snapstate"
        real = _library.candidates
        beside, built = package / _library.SONAME, folder / ".libs" / _library.SONAME
        _library.candidates = lambda: [str(beside), str(built)]
        order = [_library.find()]
        for path in (built, beside):
            path.parent.mkdir(parents=True)
            path.touch()
            order.append(_library.find())
        os.environ[_library.VARIABLE] = "/named"
        order.append(_library.find())
        _library.candidates = real
    finally:
        os.environ.pop(_library.VARIABLE, None)
        if before is not None:
            os.environ[_library.VARIABLE] = before
    tap.ok(order == [_library.SONAME, str(built), str(beside), "/named"],
           "looked for by name, in the build tree, beside the package, where the variable says",
           order)
    tap.ok(_library.candidates() == [str(TOP / "python" / "snapstate" / _library.SONAME),
                                     str(TOP / ".libs" / _library.SONAME)],
           "beside the package, and in its build tree", _library.candidates())


def check_imports(tap):
    code = ("import sys, snapstate, snapstate.archive, snapstate.tree, snapstate.verify; "
            "print(sorted({'torch', 'numpy'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(TOP / "python")}, check=False)
    tap.ok(done.returncode == 0 and done.stdout == "[]\n",
           "importing imports neither torch nor NumPy", done.stdout)
    configure = (TOP / "configure.ac").read_text(encoding="utf-8")
    tap.ok(re.search(rf"AC_INIT\(\[snap\], \[{re.escape(__version__)}\]", configure),
           "the package has the version of configure.ac")


# ---- errors ----

def check_errors(tap, folder):
    names = {status: _library.library().snap_status_name(status).decode()
             for status in _structs.Status}
    tap.empty((f"{status.name}: {names[status]}" for status in list(_structs.Status)[1:]
               if errors.BY_STATUS.get(status) is None or
               errors.BY_STATUS[status].status != status), "an exception for every status")
    problem = caught(lambda: _library.call("snap_stream_new", b"none",
                                           ctypes.byref(ctypes.c_void_p())))
    tap.ok(type(problem) is errors.UnsupportedError and problem.status == 4 and
           str(problem) == 'stream: find its kind: this build knows no kind "none"',
           "the text is the library's, unchanged", repr(problem))
    problem = caught(lambda: _library.call("snap_archive_open", bytes(folder / "nothing"),
                                           ctypes.byref(ctypes.c_void_p())))
    tap.ok(isinstance(problem, OSError) and problem.errno == errno.ENOENT == problem.os_error and
           str(problem) == f"{folder}/nothing: opening: No such file or directory",
           "an OSError with its errno", repr(problem))
    tap.ok(issubclass(errors.InvalidError, ValueError) and
           issubclass(errors.OutOfMemory, MemoryError) and
           issubclass(errors.CaptureError, errors.InvalidError), "and Python's own kinds")
    problem = errors.CaptureError("model.x: no", path="model.x")
    copy = pickle.loads(pickle.dumps(problem))
    tap.ok((type(copy), str(copy), copy.path) == (errors.CaptureError, "model.x: no", "model.x"),
           "an error travels between processes", repr(copy))
    tap.ok(type(errors.make(99, "odd")) is errors.InternalError, "a status that nobody knows")
    for value in ("a\0b", "\udc80"):
        tap.ok(isinstance(caught(lambda: _library.utf8(value)), errors.InvalidError),
               f"a text that C would not read: {value!r}")


def check_memory(tap):
    stream, data, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
    _library.call("snap_stream_new", b"torch_cuda", ctypes.byref(stream))
    _library.call("snap_stream_encode", stream, ctypes.byref(data), ctypes.byref(size))
    tap.ok(_library.take_bytes(data, size.value) == bytes(16), "memory that the library gives away")
    address = _library.malloc_bytes(b"abc")
    tap.ok(_library.take_bytes(ctypes.c_void_p(address), 3) == b"abc", "and that it is given")
    _library.library().snap_stream_free(stream)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        folder = Path(folder)
        check_prototypes(tap)
        try:
            subprocess.run([*CC, "--version"], stdout=subprocess.DEVNULL, check=True)
        except OSError as problem:
            tap.skip("sizes and offsets", f"there is no C compiler: {problem}")
        else:
            check_numbers(tap, folder)
            check_loading(tap, folder)
        check_imports(tap)
        check_errors(tap, folder)
        check_memory(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
