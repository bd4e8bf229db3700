#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The digits in data/ are those of SHA256SUMS, and come out of the script again byte for byte.
set -u

# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

data=$top_srcdir/data
sums() { # FOLDER
    (cd "$1" && sha256sum --check --strict "$data/SHA256SUMS")
}

try "data/ is what SHA256SUMS says" sums "$data"
same "SHA256SUMS lists every file" "$(cd "$data" && printf '%s\n' digits-*-ubyte)" \
    "$(sed 's/^[0-9a-f]*  //' "$data/SHA256SUMS")"
same "README.md has the same digests" "$(cat "$data/SHA256SUMS")" \
    "$(sed -n 's/^ *\([0-9a-f]\{64\}  digits-\)/\1/p' "$data/README.md")"

sklearn=$("${PYTHON:-python3}" -c 'import importlib.util
print(importlib.util.find_spec("sklearn").submodule_search_locations[0])' 2>/dev/null)
source=$sklearn/datasets/data/digits.csv.gz
if [ -f "$source" ]; then
    try "make_digits.py runs" "${PYTHON:-python3}" "$data/make_digits.py" "$source" "$work"
    try "it makes the same bytes" sums "$work"
else
    skip "make_digits.py makes the same bytes" "no digits.csv.gz of scikit-learn"
fi
tap_done
