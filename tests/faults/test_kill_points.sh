#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Processes killed before every 32nd of their system calls; make check-faults takes each.
set -u
exec "${PYTHON:?}" "${top_srcdir:?}/tests/faults/kill_points.py" \
    "${top_builddir:?}/tests/faults/fault_run" 32
