#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The corpus of archives: good ones, and those that readers must refuse, each made from one good
archive. All that they are made of is in this folder; the same base gives the same bytes.

    corpus.py BASE FOLDER [NAME...]    write them, NAME.snap.tar each, and a list in FOLDER/README
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
# pylint: disable=wrong-import-position
import corpus_documents  # noqa: E402
import corpus_tars  # noqa: E402
import corpus_volumes  # noqa: E402

CASES = corpus_documents.cases + corpus_tars.cases + corpus_volumes.cases


def main(base, folder, *names):
    lines = []
    for case in CASES:
        if not names or case.name in names:
            case.write(base, os.path.join(folder, f"{case.name}.snap.tar"))
            lines.append(f"{case.name}: {case.sentence} Exit status {case.status}.\n")
    with open(os.path.join(folder, "README"), "w", encoding="utf-8") as file:
        file.writelines(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
