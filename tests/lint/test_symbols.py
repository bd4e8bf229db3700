#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The symbols of the library: what it exports is what its public headers declare, the trainer takes
nothing else from it, it holds no variable, and calls nothing that prints or ends the process.

`test_symbols.py --write` writes snapshot/libsnapstate.sym anew from the headers."""

import re
import subprocess
import sys

import source_tree
from tap import Tap

SYMBOL_FILE = source_tree.TOP / "snapshot" / "libsnapstate.sym"
SHARED = source_tree.BUILD / ".libs" / "libsnapstate.so"
STATIC = source_tree.BUILD / ".libs" / "libsnapstate.a"
TRAINER = source_tree.BUILD / ".libs" / "libtrainer.a"

# What a library has no business to call: it would print, end the process, or take part in what is
# the process's own.
FORBIDDEN = re.compile(
    r"^(_*(v?printf)(_chk)?|puts|putchar|putchar_unlocked|perror|stdin|stdout|stderr"
    r"|_?exit|_Exit|quick_exit|abort|__assert\w*|v?errx?|v?warnx?|error|psignal"
    r"|system|setlocale|signal|sigaction|srand|rand|random|srandom|setenv|putenv|unsetenv|chdir)$")

# Sections for what is never written after start.
CONSTANT_SECTIONS = (".rodata", ".data.rel.ro", ".eh_frame")


def declared_functions(text):
    """Names of the functions declared (not defined inline) in the text of a header."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r'extern\s+"C"\s*\{', " ", text)
    inner = re.compile(r"\{[^{}]*\}")
    while inner.search(text):
        text = inner.sub(" @ ", text)
    text = re.sub(r"\)\s*@", ");", text)
    names = set()
    for declaration in text.split(";"):
        if re.search(r"\b(typedef|static)\b", declaration):
            continue
        name = re.search(r"\b(snap_\w+)\s*\(", declaration)
        if name:
            names.add(name.group(1))
    return names


# What nvcc adds to an object: handles of its kernels, and the host's shadows of __constant__
# arrays.
NVCC = re.compile(r"__device_stub__|__cudaFatCubinHandle|sha256_rounds")


def nm(*arguments):
    out = subprocess.run(["nm", *map(str, arguments)], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, check=True, text=True)
    return out.stdout.splitlines()


def undefined(path):
    return {line.split()[-1].split("@")[0] for line in nm("--undefined-only", path)
            if line.startswith(" ")}


def variables(path):
    """Symbols of the objects in an archive that lie in memory that can be written."""
    for line in nm("--format=sysv", "--defined-only", path):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7 and fields[3] in ("OBJECT", "TLS", "NOTYPE"):
            if re.match(r"\.t?(data|bss)|\*COM\*", fields[6]):
                if not fields[6].startswith(CONSTANT_SECTIONS) and not NVCC.search(fields[0]):
                    yield f"{fields[0]} in {fields[6]}"


def difference(left_name, left, right_name, right):
    return ([f"{name}: in {left_name}, not in {right_name}" for name in sorted(left - right)] +
            [f"{name}: in {right_name}, not in {left_name}" for name in sorted(right - left)])


SAMPLE = """
#define X(a) snap_macro(a)
#ifdef __cplusplus
extern "C" {
#endif
/* snap_comment(1); */
typedef void snap_callback(void *arg);
struct snap_ops { int (*snap_member)(int); };
static inline int snap_inline(int a) { return snap_called(a); }
enum snap_status snap_one(int a) SNAP_PRINTF(1, 2);
const char *
snap_two (void (*task)(void *), struct { int snap_x; } *b);
#ifdef __cplusplus
}
#endif
"""


def main(arguments):
    headers = source_tree.files("snapshot/include/snapstate/snapstate.h", ".h")
    headers = [path for path in headers if path.startswith("snapshot/include/snapstate/")]
    declared = set().union(*(declared_functions(source_tree.read(path)) for path in headers))
    if arguments == ["--write"]:
        SYMBOL_FILE.write_text("".join(f"{name}\n" for name in sorted(declared)))
        return 0

    tap = Tap()
    tap.ok(declared_functions(SAMPLE) == {"snap_one", "snap_two"},
           "declarations are told from what looks like one", declared_functions(SAMPLE))
    listed = SYMBOL_FILE.read_text().split()
    tap.ok(listed == sorted(set(listed)), "libsnapstate.sym is sorted")
    tap.empty(difference("the public headers", declared, "libsnapstate.sym", set(listed)),
              "libsnapstate.sym lists what the public headers declare")

    if SHARED.exists():
        exported = {line.split()[-1].split("@")[0] for line in nm("-D", "--defined-only", SHARED)}
        tap.empty(difference("libsnapstate.so", exported, "libsnapstate.sym", set(listed)),
                  "the shared library exports what libsnapstate.sym lists")
    else:
        tap.skip("exported symbols", "no shared library was built")

    if not STATIC.exists():
        tap.skip("symbols of the objects", "no static library was built")
        return tap.done()
    called = undefined(STATIC)
    tap.ok("SHA256" in called or "EVP_DigestFinal_ex" in called or len(called) > 10,
           "calls of the library are found", called)
    tap.empty(sorted(name for name in called if FORBIDDEN.match(name)),
              "the library calls nothing that prints or ends the process")
    if "__asan_init" in called:
        tap.skip("variables", "AddressSanitizer adds its own")
    else:
        tap.empty(variables(STATIC), "the library holds no variable")
    taken = {name for name in undefined(TRAINER) if name.startswith("snap_")}
    tap.empty(sorted(taken - set(listed)), "the trainer takes from the library what it exports")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
