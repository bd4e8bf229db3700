#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snapstate.loader, as test_loader.py has it, for every kind of sampler, dataset and option: from
behind each batch of two epochs, and from between them, a fresh process goes on bit for bit.

    test_loader_kinds.py [TEXT ...]     only loaders whose name contains a TEXT
"""

import sys
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402


def main():
    tap = Tap()
    for name, make in loader_cases.kinds().items():
        if not sys.argv[1:] or any(text in name for text in sys.argv[1:]):
            check_transparent(tap, name, make)
            check_restores(tap, name, make)
    return tap.done()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    try:
        import torch
    except ImportError as problem:
        tap = Tap()
        tap.skip("torch", f"python3-torch is not installed: {problem}")
        sys.exit(tap.done())

    import loader_cases
    from loader_journeys import check_restores, check_transparent

    torch.set_num_threads(1)
    sys.exit(main())
