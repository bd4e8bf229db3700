#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An archive is extracted and checked with tar and sha256sum alone, as its README says; so is one
# with members withheld, and a damaged one is found out.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

write=${top_builddir:?}/tests/write_sample
names="README
manifest.json
state.json
data.json
rng/device
rng/order
tensors/model/fc.bias
tensors/model/fc.weight
tensors/model/~000002
tensors/optimizer/momentum.0
extra/notes
extra/replay
env.json
ledger.jsonl
STATE
SHA256SUMS"

mkdir "$work/full" "$work/thin" "$work/bad"
try "the sample is written" "$write" "$work/full.tar"
same "tar lists the members in order" "$names" "$(tar -tf "$work/full.tar")"
listing=$(TZ=UTC tar --numeric-owner -tvf "$work/full.tar" | sed 's/  */ /g' |
    cut -d ' ' -f 1,2,4,5 | sort -u)
same "plain files, mode 644, nobody's, without a time" "-rw-r--r-- 0/0 1970-01-01 00:00" "$listing"
try "tar extracts it" tar -C "$work/full" -xf "$work/full.tar"
# What the README says, word for word.
commands=$(sed -n 's/^    \(tar -xf\|sha256sum\)/\1/p' "$work/full/README")
same "the README says how to check" "tar -xf ARCHIVE
sha256sum -c --ignore-missing SHA256SUMS
sha256sum SHA256SUMS STATE" "$commands"
check="sha256sum -c --strict --ignore-missing SHA256SUMS"
try "sha256sum -c agrees" sh -c "cd '$work/full' && $check"
same "every member but the last is listed" 15 "$(sed -n '$=' "$work/full/SHA256SUMS")"
try "and is there" sh -c "cd '$work/full' && sha256sum -c --strict --status SHA256SUMS"
try "STATE holds as well" sh -c "cd '$work/full' && sha256sum -c --strict --status STATE"
try "STATE is sorted by bytes" sh -c "cd '$work/full' && cut -c 67- STATE | LC_ALL=C sort -c"

# All that may be withheld is: 4092 is all but state.json and data.json.
try "the sample is written with members withheld" "$write" "$work/thin.tar" 4092
same "tar lists what is left" "README
manifest.json
state.json
data.json
STATE
SHA256SUMS" "$(tar -tf "$work/thin.tar")"
try "tar extracts it" tar -C "$work/thin" -xf "$work/thin.tar"
try "sha256sum -c --ignore-missing agrees" sh -c "cd '$work/thin' && $check"
for name in README manifest.json state.json data.json STATE SHA256SUMS; do
    try "$name is the same as in the full archive" cmp "$work/full/$name" "$work/thin/$name"
done

# One bit of one weight.
tar -C "$work/bad" -xf "$work/full.tar"
printf '\001' | dd of="$work/bad/tensors/model/fc.weight" bs=1 conv=notrunc 2>/dev/null
exits 1 "sha256sum finds a changed weight" sh -c "cd '$work/bad' && $check"
like "and names it" '^tensors/model/fc.weight: FAILED$' "$(cat "$work/out")"
tap_done
