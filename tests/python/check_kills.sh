#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The trainings of test_kills.py, each killed at twenty random moments.
exec "${top_srcdir:?}/tests/support/python_run.sh" "$top_srcdir/tests/python/test_kills.py" 20
