# SPDX-License-Identifier: Apache-2.0
"""The objects of a training as roots of an archive's tree: captured, planned, put back."""
