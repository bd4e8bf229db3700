#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap publish: what goes out and what does not, and signatures of each kind of key, on which snap
# and ssh-keygen agree.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
before=$(contents "$run")

exits 0 "a run" "$SNAP" publish "$run" -o "$work/all"
matches "what it says" publish.txt
exits 0 "as JSON, of three snapshots" "$SNAP" publish "$run" -o "$work/three" --snapshots 3 --json
json_is_valid "its document is valid" publish
same "which" "12 18 24" "$(cd "$work/three/snapshots" && echo step-* |
    sed 's/step-0*\([0-9]*\).snap.tar/\1/g')"
same "listings of all" 4 "$(find "$work/three/listings" -mindepth 1 -maxdepth 1 | wc -l)"
exits 0 "it is a run folder" "$SNAP" list "$work/three"
exits 0 "a snapshot can be gone on from" "$SNAP" replay \
    "$(snapshot "$work/three" 12)" --data "$top_srcdir/data"
same "the run is as it was" "$before" "$(contents "$run")"

fails 2 "the folder is not empty" "is not empty" "$SNAP" publish "$run" -o "$work/all"
fails 2 "no such root" 'no tensors of "optimiser"' \
    "$SNAP" publish "$run" -o "$work/a" --withhold optimiser
fails 2 "no number" "expected 'all', or how many" \
    "$SNAP" publish "$run" -o "$work/b" --snapshots some
fails 2 "no run" "a run folder is wanted" "$SNAP" publish "$(snapshot "$run" 6)" -o "$work/c"
fails 3 "no key" "nokey.pub" "$SNAP" publish "$run" -o "$work/d" --sign "$work/nokey"
cp -r "$run" "$work/hurt"
flip_byte "$(snapshot "$work/hurt" 18)" 30000
fails 5 "a damaged run" "step-0000000018" "$SNAP" publish "$work/hurt" -o "$work/e"
try "it leaves no folder" test ! -e "$work/e"
mkdir "$work/f"
fails 5 "into an empty folder" "step-0000000018" "$SNAP" publish "$work/hurt" -o "$work/f"
try "it is there still, and empty" rmdir "$work/f"

# ---- signatures ----

if ! command -v ssh-keygen >/dev/null; then
    skip "signatures" "no ssh-keygen (package openssh-client)"
    tap_done
fi

# One point: snap and ssh-keygen both accept (0) or refuse the signature under this line of signers.
agree() { # NAME EXIT LINE
    printf '%s\n' "$3" >"$work/signers"
    capture "$SNAP" verify "$work/signed" --signers "$work/signers"
    ssh-keygen -Y verify -f "$work/signers" -I ada -n snapstate \
        -s "$work/signed/SHA256SUMS.sig" <"$work/signed/SHA256SUMS" >"$work/theirs" 2>&1
    theirs=$?
    if [ "$status" -eq "$2" ] && [ "$((theirs != 0))" -eq "$((status != 0))" ]; then
        ok "$1"
    else
        not_ok "$1" "snap: $status, not $2; ssh-keygen: $theirs" "$(cat "$work/err" "$work/theirs")"
    fi
}

ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/public"
rm "$work/public"
exits 3 "a signature that fails" \
    "$SNAP" publish "$run" -o "$work/unsigned" --sign "$work/public"
try "it leaves no folder either" test ! -e "$work/unsigned"

for kind in "rsa -b 3072" "ecdsa -b 256" "ecdsa -b 384" "ecdsa -b 521" "ed25519"; do
    key="$work/$(echo "$kind" | tr -d ' ')"
    # shellcheck disable=SC2086
    ssh-keygen -q -t $kind -N '' -C "ada@laptop" -f "$key"
    rm -rf "$work/signed"
    exits 0 "sign with $kind" "$SNAP" publish "$run" -o "$work/signed" --snapshots 1 --sign "$key"
    same "$kind: the fingerprint is ssh-keygen's" \
        "$(ssh-keygen -l -f "$key.pub" | cut -d' ' -f2)" \
        "$(sed -n 's/^signed by .* //p' "$work/out")"
    public=$(cut -d' ' -f1,2 "$key.pub")
    agree "$kind: it is good" 0 "ada $public"
    cp "$work/signed/SHA256SUMS" "$work/keep"
    echo "$(sha256sum <"$work/signed/latest" | cut -d' ' -f1)  latest" >>"$work/signed/SHA256SUMS"
    agree "$kind: not of other bytes" 5 "ada $public"
    cp "$work/keep" "$work/signed/SHA256SUMS"
done
same "the comment of the key goes nowhere" "" "$(grep -rl 'ada@laptop' "$work/signed")"

other=$(cut -d' ' -f1,2 "$work/rsa-b3072.pub")
agree "another key" 1 "ada $other"
agree "one of several lines" 0 "# signers
bob $other
ada $public comment"
agree "several principals" 0 "bob,ada $public"
agree "the namespace" 0 "ada namespaces=\"snapstate\" $public"
agree "a pattern of namespaces" 0 "ada namespaces=\"file,snap*\" $public"
agree "another namespace" 1 "ada namespaces=\"file\" $public"
agree "a namespace that is excluded" 1 "ada namespaces=\"!snapstate,*\" $public"
agree "not valid yet" 1 "ada valid-after=\"20990101Z\" $public"
agree "no more valid" 1 "ada valid-before=\"200001011200Z\" $public"
agree "valid now" 0 "ada valid-after=\"20000101\",valid-before=\"20990101\" $public"
agree "a certificate authority" 1 "ada cert-authority $public"
agree "a line that cannot be read" 2 "ada"

tap_done
