# SPDX-License-Identifier: Apache-2.0
"""What the tests of the callbacks do where their framework may not be installed."""

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "python"
FRAMEWORKS = {"accelerate", "lightning", "pytorch_lightning", "transformers"}


def may_go_on(tap, framework, missing):
    """Whether all is there; `missing` names the module that is not, or is None. No distribution
    packages the frameworks: where all else must run, in CI, they are not asked for, and that their
    module is imported by nothing else is what is tested."""
    program = (f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import snapstate\n"
               f"for name in snapstate.__all__: getattr(snapstate, name)\n"
               f"import snapstate.integrations, snapstate.integrations.loop_run\n"
               f"print(*sorted({FRAMEWORKS!r} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    tap.ok(done.returncode == 0 and not done.stdout.strip(),
           "importing snapstate imports no framework", done.stdout)
    if missing is None:
        return True
    if os.environ.get("SNAP_CI") == "1" and missing != "torch":
        print(f"# snapstate.integrations.{framework} is not tested: {missing} is not installed")
    else:
        tap.skip(f"snapstate.integrations.{framework}", f"{missing} is not installed")
    return False
