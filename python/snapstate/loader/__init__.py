# SPDX-License-Identifier: Apache-2.0
"""The place in a torch DataLoader, workers included, or in another iterable: saved and restored."""

from .tracked_loader import TrackedLoader

__all__ = ["TrackedLoader"]
