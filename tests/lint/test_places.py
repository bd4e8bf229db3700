#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adding a thing: a command, a stream, a layer, a store or a schema has several places, and none
may be forgotten. Each rule below finds the things of one kind and names the places of each."""

import re
import sys

import source_tree
from tap import Tap


def matches(tree, pattern):
    """The first group of `pattern` for every path that it matches, with the path."""
    found = ((re.fullmatch(pattern, path), path) for path in sorted(tree))
    return [(match.group(1), path) for match, path in found if match]


def has(tree, path, text):
    """None if `path` is there and has `text` in it, else what is missing."""
    if path not in tree:
        return f"{path} is missing"
    return None if re.search(text, tree[path]) else f"{path} does not have {text}"


def some(tree, pattern):
    return None if any(re.fullmatch(pattern, path) for path in tree) else f"no file {pattern}"


def some_has(tree, pattern, text):
    found = any(re.fullmatch(pattern, path) and re.search(text, tree[path]) for path in tree)
    return None if found else f"no file {pattern} has {text}"


def commands(tree):
    for name, path in matches(tree, r"cli/cmd_(\w+)\.c"):
        dashed = name.replace("_", "-")
        yield path, [
            has(tree, "cli/command_table.c", rf"&cmd_{name}\b"),
            has(tree, f"docs/man/snap-{dashed}.1", "."),
            has(tree, "docs/man/snap.1", rf"snap\\?-{dashed}\b"),
            has(tree, f"tests/cli/test_{name}.sh", "."),
            has(tree, f"schema/cmd-{dashed}.schema.json", "."),
        ]


def is_json(tree, kind):
    """Is a stream's member a document, as docs/format.md has it?"""
    rows = tree.get("docs/format.md", "").splitlines()
    return any(re.match(rf"\| .*`{kind}`.* \| document", row) for row in rows)


def streams(tree):
    for name, path in matches(tree, r"snapshot/stream/(\w+)\.c"):
        if f"const struct snap_stream_family snap_{name}_family =" not in tree[path]:
            continue
        kind = re.search(r'#define KIND "(\w+)"', tree[path])
        kind = kind.group(1) if kind else name
        yield path, [
            has(tree, "snapshot/stream/stream_registry.c", rf"&snap_{name}_family\b"),
            has(tree, "docs/format.md", rf"\b{kind}\b"),
            some_has(tree, r"tests/unit/test_stream_\w+\.c", rf'"{kind}"'),
            has(tree, "tests/fuzz/fuzz_stream.c", rf'"{kind}"'),
            has(tree, f"schema/stream-{name}.schema.json", ".") if is_json(tree, kind) else None,
        ]


def layers(tree):
    for name, path in matches(tree, r"trainer/layers/(\w+)\.c"):
        if f"trn_{name}_layer =" not in tree[path]:
            continue
        yield path, [
            has(tree, "trainer/layers/layer_registry.c", rf"&trn_{name}_layer\b"),
            has(tree, "schema/config.schema.json", f'"{name}"'),
            has(tree, "docs/determinism.md", rf"\b{name}\b"),
            some_has(tree, r"tests/ops/\w+\.c", rf"\bTRN_LAYER_{name.upper()}\b"),
        ]


def stores(tree):
    for name, path in matches(tree, r"snapshot/store/store_(\w+)\.c"):
        if f"snap_store_{name}_open" in tree[path]:
            yield path, [some_has(tree, r"tests/unit/test_store\w*\.c",
                                  rf"\bsnap_store_{name}_open\b")]


def schemas(tree):
    for name, path in matches(tree, r"schema/([\w-]+)\.schema\.json"):
        yield path, [
            some(tree, rf"schema/examples/valid/{name}\..*json"),
            some(tree, rf"schema/examples/invalid/{name}\..*json"),
        ]


KINDS = {"command": commands, "stream": streams, "layer": layers, "store": stores,
         "schema": schemas}


def forgotten(rule, tree):
    return [f"{path}: {missing}" for path, places in rule(tree) for missing in places if missing]


# A tree with one of each, in which nothing was forgotten.
COMPLETE = {
    "cli/cmd_look.c": "", "cli/command_table.c": "&cmd_look,", "docs/man/snap-look.1": ".TH",
    "docs/man/snap.1": ".BR snap-look (1)", "tests/cli/test_look.sh": "#!",
    "schema/cmd-look.schema.json": "{}", "schema/examples/valid/cmd-look.a.json": "{}",
    "schema/examples/invalid/cmd-look.b.json": "{}",
    "snapshot/stream/dice.c": '#define KIND "die"\nconst struct snap_stream_family '
                              "snap_dice_family = {}",
    "snapshot/stream/stream_registry.c": "&snap_dice_family",
    "docs/format.md": "| `die` | document |",
    "tests/unit/test_stream_state.c": '"die"', "tests/fuzz/fuzz_stream.c": '"die"',
    "schema/stream-dice.schema.json": "{}",
    "schema/examples/valid/stream-dice.a.json": "",
    "schema/examples/invalid/stream-dice.b.json": "",
    "trainer/layers/sum.c": "const struct trn_layer_type trn_sum_layer = {",
    "trainer/layers/layer_registry.c": "&trn_sum_layer", "docs/determinism.md": "sum",
    "schema/config.schema.json": '"sum"', "schema/examples/valid/config.a.json": "",
    "schema/examples/invalid/config.b.json": "", "tests/ops/test_model.c": "TRN_LAYER_SUM",
    "snapshot/store/store_tape.c": "snap_store_tape_open(",
    "tests/unit/test_store.c": "snap_store_tape_open(",
}
THINGS = {"cli/cmd_look.c", "snapshot/stream/dice.c", "trainer/layers/sum.c",
          "snapshot/store/store_tape.c"}


def all_forgotten(tree):
    return [line for rule in KINDS.values() for line in forgotten(rule, tree)]


def main():
    tap = Tap()
    tap.empty(all_forgotten(COMPLETE), "a tree with every place is accepted")
    tap.empty((f"without {path}" for path in COMPLETE if path not in THINGS
               and not all_forgotten({name: COMPLETE[name] for name in COMPLETE if name != path})),
              "every place is missed where it is not")

    tree = {path: source_tree.read(path)
            for path in source_tree.files(".c", ".h", ".md", ".json", ".1", ".sh", ".py", ".txt")}
    for kind, rule in KINDS.items():
        tap.ok(list(rule(tree)), f"a {kind} is found")
        tap.empty(forgotten(rule, tree), f"no place of a {kind} was forgotten")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
