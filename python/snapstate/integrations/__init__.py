# SPDX-License-Identifier: Apache-2.0
"""Runs inside the training loops of others: a module for each framework, which imports it.

    from snapstate.integrations.lightning import SnapCallback
    from snapstate.integrations.transformers import SnapCallback
    from snapstate.integrations.accelerate import SnapRun
"""
