# SPDX-License-Identifier: Apache-2.0
"""The place in a torch DataLoader, saved and restored exactly, workers included."""

from .tracked_loader import TrackedLoader

__all__ = ["TrackedLoader"]
