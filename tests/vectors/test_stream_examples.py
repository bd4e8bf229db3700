#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The engines and the schemas agree: a stream takes every valid example of its kind and gives the
same bytes back, and refuses every invalid one."""

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))

from tap import Tap  # noqa: E402

TOOL = Path(os.environ.get("top_builddir", TOP)) / "tests" / "stream_tool"
EXAMPLES = TOP / "schema" / "examples"


def answers(kind, state):
    """What the tool says to `decode` and `encode`."""
    out = subprocess.run([str(TOOL), kind], input=f"decode {state.hex()}\nencode\n", text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    return out.splitlines()


def main():
    tap = Tap()
    kinds = sorted(path.name[len("stream-"):-len(".schema.json")]
                   for path in (TOP / "schema").glob("stream-*.schema.json"))
    for kind in kinds:
        wrong = []
        valid = sorted(EXAMPLES.glob(f"valid/stream-{kind}.*"))
        invalid = sorted(EXAMPLES.glob(f"invalid/stream-{kind}.*"))
        for path in valid:
            state = path.read_bytes()
            decoded, encoded = answers(kind, state)
            if decoded or encoded.strip() != state.hex():
                wrong.append(f"{path.name}: {decoded or 'other bytes came back'}")
        tap.empty(wrong if valid else ["no example"], f"{kind}: valid examples come back the same")
        taken = [path.name for path in invalid
                 if not answers(kind, path.read_bytes())[0].startswith("error: ")]
        tap.empty(taken if invalid else ["no example"], f"{kind}: invalid examples are refused")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
