# SPDX-License-Identifier: Apache-2.0
"""The package's version, which is that of the library it was made for."""

__version__ = "0.1.0"
