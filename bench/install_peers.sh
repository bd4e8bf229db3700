#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make a Python with the peers of the figures, or install the backup programs.
#     bench/install_peers.sh DIR       a venv in DIR: torch for the CPU, numpy, safetensors
#     bench/install_peers.sh --backup  borgbackup and restic, by apt-get, as root
# Then: make bench BENCH_OPTIONS='--peers DIR'
set -eu

case "${1-}" in
--backup)
	exec apt-get install --yes --no-install-recommends borgbackup restic
	;;
'' | -*)
	echo "usage: $0 DIR|--backup" >&2
	exit 2
	;;
esac
python3 -m venv "$1"
# numpy first: torch takes what is there.
"$1/bin/pip" install --quiet --upgrade numpy safetensors torch
"$1/bin/python" -c 'import numpy, safetensors, torch; print(numpy.__version__, torch.__version__)'
