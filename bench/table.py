# SPDX-License-Identifier: Apache-2.0
"""Every figure that there is. A new area is a module with a list FIGURES, and one line here."""

import arithmetic
import gpu
import ledger
import package
import storage
import story
import streams

FIGURES = [*storage.FIGURES, *package.FIGURES, *streams.FIGURES, *arithmetic.FIGURES,
           *gpu.FIGURES, *story.FIGURES, *ledger.FIGURES]
