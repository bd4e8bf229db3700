#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/object-storage.md, from top to bottom in one shell, against a server that
has the bucket and the credentials of the page."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [f"{os.environ['top_srcdir']}/tests/{name}" for name in ("support", "s3")]

from s3_fixture import SMALL, SNAP, TOP, built_in, clean_environment, make_run  # noqa: E402
from stub_server import Stub  # noqa: E402
from tap import Tap  # noqa: E402

PAGE = TOP / "docs" / "object-storage.md"
ENDPOINT = "https://s3.example.org"


def main():
    tap = Tap()
    if not built_in():
        tap.skip("docs/object-storage.md", "object storage is not built in")
        return tap.done()
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    tap.ok(len(blocks) > 8, "the page has commands", len(blocks))
    shown = set(re.findall(r"^snap (\w+)", "".join(blocks), re.MULTILINE))
    tap.ok({"push", "pull", "list", "verify", "restore", "cat"} <= shown,
           "each command that works on a store is shown", shown)
    settings = dict(re.findall(r"^export (AWS_\w+)=(\S+)", "".join(blocks), re.MULTILINE))
    tap.ok(settings.get("AWS_ENDPOINT_URL_S3") == ENDPOINT, "and the variables", settings)
    with tempfile.TemporaryDirectory() as top, \
            Stub(bucket="models", user=settings["AWS_ACCESS_KEY_ID"],
                 secret=settings["AWS_SECRET_ACCESS_KEY"]) as stub:
        folder = Path(top)
        (folder / "bin").mkdir()
        (folder / "bin" / "snap").symlink_to(SNAP)
        (folder / "runs").mkdir()
        (folder / "share").mkdir()
        (folder / "data").symlink_to(TOP / "data")
        run, _ = make_run(folder, SMALL, 24)
        run.rename(folder / "runs" / "digits")
        env = clean_environment()
        env["PATH"] = f"{folder / 'bin'}:{env['PATH']}"
        script = "set -e\n" + "".join(blocks).replace(ENDPOINT, stub.url)
        done = subprocess.run(["sh", "-c", script], cwd=folder, env=env, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True)
        tap.ok(done.returncode == 0, f"all {len(blocks)} pieces run", done.stdout)
        tap.ok("digits/latest" in stub.objects, "the server was asked")
        pulled = folder / "runs/again/snapshots/step-0000000024.snap.tar"
        pushed = folder / "runs/digits/snapshots/step-0000000024.snap.tar"
        tap.ok(pulled.exists() and pulled.read_bytes() == pushed.read_bytes(),
               "what was pulled is what was pushed")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
