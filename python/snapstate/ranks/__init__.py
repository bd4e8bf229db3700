# SPDX-License-Identifier: Apache-2.0
"""A run of several processes that train one model: torchrun's ranks. Rank 0 has the run folder; the
others give it what is theirs alone, and wait for what it says."""
