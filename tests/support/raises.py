# SPDX-License-Identifier: Apache-2.0
"""What a call raises."""

import re


def caught(call, *arguments, **options):
    """What a call returns, or the exception that it raises."""
    try:
        return call(*arguments, **options)
    except Exception as problem:  # pylint: disable=broad-except
        return problem


def fails(tap, kind, pattern, name, call, *arguments, **options):
    """A test point: the call raises exactly this kind, in one line that the pattern finds."""
    problem = caught(call, *arguments, **options)
    return tap.ok(type(problem) is kind and re.search(pattern, str(problem)) and
                  "\n" not in str(problem), name, repr(problem))
