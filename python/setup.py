# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the wheel holds a library of this machine, which every Python 3
can load. `make wheel` calls it."""

import os

from setuptools import Distribution, setup

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

LIBRARY = os.path.join("snapstate", "libsnapstate.so.0")


class BinaryDistribution(Distribution):
    def has_ext_modules(self):
        """Whether it belongs in the folder for what depends on the machine."""
        return True


class LibraryWheel(bdist_wheel):
    def run(self):
        if not os.path.exists(LIBRARY):
            raise SystemExit(f"{LIBRARY}: is not there: pack a wheel without the library: run "
                             f"`make wheel` at the top of the tree, which puts it there")
        super().run()

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


setup(distclass=BinaryDistribution, cmdclass={"bdist_wheel": LibraryWheel})
