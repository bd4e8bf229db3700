#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages for people who come from elsewhere: their code, from top to bottom, in an empty
folder."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support")]

from tap import Tap  # noqa: E402

PAGES = {"moving-from-torch-save.md": ["torch"], "moving-from-accelerate.md": ["accelerate"],
         "moving-from-lightning.md": ["lightning"],
         "moving-from-transformers.md": ["transformers", "accelerate"]}


def code_of(page):
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"),
                        re.MULTILINE | re.DOTALL)
    return len(blocks), "\n".join(blocks)


def main():
    tap = Tap()
    path = os.pathsep.join(filter(None, [str(TOP / "python"), os.environ.get("PYTHONPATH")]))
    for name, needs in PAGES.items():
        missing = [need for need in needs if importlib.util.find_spec(need) is None]
        if missing:
            # No distribution packages these: where all else must run, they are not asked for.
            if os.environ.get("SNAP_CI") == "1" and missing != ["torch"]:
                print(f"# docs/{name} is not run: {missing[0]} is not installed")
            else:
                tap.skip(f"docs/{name}", f"{missing[0]} is not installed")
            continue
        count, code = code_of(TOP / "docs" / name)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, universal_newlines=True, check=False,
                                  env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
        tap.ok(count > 0 and done.returncode == 0, f"docs/{name}: its {count} pieces of code run",
               done.stdout)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
