# SPDX-License-Identifier: Apache-2.0
"""Every figure that there is. A new area is a module with a list FIGURES, and one line here."""

import agent
import arithmetic
import gpu
import ledger
import package
import ranks
import storage
import story
import streams

FIGURES = [*storage.FIGURES, *package.FIGURES, *streams.FIGURES, *arithmetic.FIGURES,
           *agent.FIGURES, *gpu.FIGURES, *ranks.FIGURES, *story.FIGURES, *ledger.FIGURES]
