#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is a document what its schema says?   validate.py SCHEMA FILE...

SCHEMA is a name: "state" for schema/state.schema.json. A file with .jsonl has a document a line.
Documents must also be canonical: sorted keys, no blanks, one final newline, no reals."""

import json
import re
import sys
from pathlib import Path

import jsonschema

SCHEMAS = Path(__file__).resolve().parents[2] / "schema"
SUFFIX = ".schema.json"
MOST_EXACT = 2**53


class NotJson(ValueError):
    pass


def refuse(what):
    def refuse_text(text):
        raise NotJson(f"{what} {text}")
    return refuse_text


def unique(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise NotJson(f"a key that is there twice among {keys}")
    return dict(pairs)


def parse(text):
    """JSON without reals and duplicate keys."""
    return json.loads(text, parse_float=refuse("a real"), parse_constant=refuse("a constant"),
                      object_pairs_hook=unique)


def all_schemas():
    """{name: schema} of the folder."""
    return {path.name[:-len(SUFFIX)]: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(SCHEMAS.glob("*" + SUFFIX))}


def validator(name, schemas):
    """A validator whose references are the files of the folder."""
    files = {other + SUFFIX: schema for other, schema in schemas.items()}
    cls = jsonschema.Draft202012Validator
    try:
        from referencing import Registry, Resource
        registry = Registry().with_resources(
            (file, Resource.from_contents(schema)) for file, schema in files.items())
        return cls(schemas[name], registry=registry)
    except (ImportError, TypeError):
        resolver = jsonschema.RefResolver(name + SUFFIX, schemas[name], store=files)
        return cls(schemas[name], resolver=resolver)


def problems(checker, document):
    return [f"{'.'.join(map(str, error.absolute_path)) or 'the document'}: {error.message[:300]}"
            for error in checker.iter_errors(document)]


def canonical(document):
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # Control characters have capital digits; two backslashes are not the beginning of one.
    text = re.sub(r"(\\\\)|\\u([0-9a-f]{4})",
                  lambda found: found[1] or "\\u" + found[2].upper(), text)
    return text.encode() + b"\n"


def integers_are_exact(node):
    if isinstance(node, dict):
        return all(map(integers_are_exact, node.values()))
    if isinstance(node, list):
        return all(map(integers_are_exact, node))
    return not isinstance(node, int) or abs(node) <= MOST_EXACT


def wrong(checker, line):
    """What is wrong with the bytes of a document, a list of lines."""
    try:
        document = parse(line.decode("utf-8"))
    except ValueError as error:
        return [f"no JSON of ours: {error}"]
    found = problems(checker, document)
    if canonical(document) != line:
        found.append("not canonical")
    if not integers_are_exact(document):
        found.append("an integer past 2^53")
    return found


def main():
    name, *paths = sys.argv[1:]
    checker = validator(name, all_schemas())
    failed = False
    for path in paths:
        data = Path(path).read_bytes()
        lines = data.splitlines(keepends=True) if path.endswith(".jsonl") else [data]
        for number, line in enumerate(lines, start=1):
            for text in wrong(checker, line):
                failed = True
                print(f"{path}:{number}: {text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
