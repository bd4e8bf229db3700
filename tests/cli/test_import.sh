#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap import: files of Python's own libraries, by their formats; names, ranks, what is not taken,
# and what is refused. tests/python/test_import_peers.py has the files of NumPy and torch.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

cd "$work" || exit 99
"$PYTHON" - <<'END'
import json
import pickle
import random
import struct

random.seed(7)
state = random.getstate()
for protocol in range(6):
    with open(f"python{protocol}.pkl", "wb") as file:
        pickle.dump(state, file, protocol)
with open("python.json", "w") as file:
    json.dump(state, file)
for rank in range(2):
    random.seed(rank)
    with open(f"random_states_{rank}.pkl", "wb") as file:
        pickle.dump({"step": 5, "random_state": random.getstate(), "xm_seed": 3,
                     "torch_manual_seed": None, "torch_cuda_manual_seed": [
                         b"\xff" * 800 + struct.pack("<Qq", 7 + rank, 8)]}, file)
header = {"__metadata__": {"format": "pt"},
          "fc.weight": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
          "odd name": {"dtype": "BF16", "shape": [], "data_offsets": [8, 10]}}
text = json.dumps(header).encode()
with open("model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + struct.pack("<ffH", 1, 2, 0x3f80))
array = b"{'descr': '>f4', 'fortran_order': True, 'shape': (2, 1), }"
with open("x.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(array)) + array +
               struct.pack(">ff", 1, 2))
with open("values.pkl", "wb") as file:
    pickle.dump({"a": [1, 2.5, "x"], "b": {1: (None, True)}, "lr": 0.1}, file)
with open("system.pkl", "wb") as file:
    file.write(b"cposix\nsystem\n(Vecho ran >ran\ntR.")
with open("newer.pkl", "wb") as file:
    file.write(b"\x80\x63N.")
END

# ---- what is taken ----

exits 0 "a state of Python's random" "$SNAP" import python4.pkl -o python4.snap.tar
like "it is a stream" '^stream +python: python_random$' "$(cat out)"
same "at step 0" "0" "$(sed -n 's/^step *//p' out)"
state=$("$SNAP" hash python4.snap.tar | sed -n 's/^state hash *//p')
exits 0 "the archive is one" "$SNAP" verify python4.snap.tar
try "tar and sha256sum agree" sh -c \
    'mkdir unpacked && tar -xf python4.snap.tar -C unpacked &&
        cd unpacked && sha256sum -c SHA256SUMS'
same "it is of no run's profile" "none" \
    "$("$SNAP" show python4.snap.tar | sed -n 's/^profile *//p')"
for protocol in 0 1 2 3 5; do
    exits 0 "protocol $protocol" "$SNAP" import "python$protocol.pkl" -o "p$protocol.snap.tar"
    same "is the same state" "$state" \
        "$("$SNAP" hash "p$protocol.snap.tar" | sed -n 's/^state hash *//p')"
done
exits 0 "and JSON" "$SNAP" import python.json -o json.snap.tar
same "is the same state" "$state" "$("$SNAP" hash json.snap.tar | sed -n 's/^state hash *//p')"
exits 0 "twice the same file" "$SNAP" import python4.pkl -o again.snap.tar
try "is the same archive" cmp python4.snap.tar again.snap.tar

exits 0 "tensors of safetensors" "$SNAP" import model.safetensors --output model.snap.tar
like "its root is called as the file" '^root +model: 2 tensors, 10 B$' "$(cat out)"
like "text beside the tensors is named" 'not taken +model/__metadata__.format: .*"pt"' "$(cat out)"
same "their bytes" "0000803f00000040" \
    "$("$SNAP" cat model.snap.tar tensors/model/fc.weight | od -An -v -tx1 | tr -d ' ')"
same "a name that no member can have" "803f" \
    "$("$SNAP" cat model.snap.tar tensors/model/~000001 | od -An -v -tx1 | tr -d ' ')"
exits 0 "a .npy file, big-endian, with a name" "$SNAP" import start=x.npy -o x.snap.tar
same "is little-endian" "0000803f00000040" \
    "$("$SNAP" cat x.snap.tar tensors/start/~000000 | od -An -v -tx1 | tr -d ' ')"
exits 0 "plain values" "$SNAP" import values.pkl -o values.snap.tar
like "stand in the tree" 'lr +0\.1' "$("$SNAP" show values.snap.tar)"

exits 0 "several files" "$SNAP" import model.safetensors values.pkl python4.pkl -o all.snap.tar
same "two roots and a stream" "2 1" "$(grep -c '^root' out) $(grep -c '^stream' out)"

exits 0 "the states of one rank" "$SNAP" import random_states_1.pkl -o rank.snap.tar
like "no shard" '^stream +python: ' "$(cat out)"
like "the step is told" '^step +5$' "$(cat out)"
like "XLA is not taken, and named" '^not taken +random_states_1\.pkl: xm_seed: .*XLA' "$(cat out)"
like "what is no state is named" 'not taken +random_states_1\.pkl: torch_manual_seed: ' "$(cat out)"
like "both stand in the coverage statement" 'not captured random_states_1\.pkl: torch_manual_seed' \
    "$("$SNAP" show rank.snap.tar)"
same "816 bytes of CUDA are 16" "08000000000000000800000000000000" \
    "$("$SNAP" cat rank.snap.tar rng/torch_cuda.0 | od -An -v -tx1 | tr -d ' \n')"
exits 0 "the states of two ranks" "$SNAP" import random_states_0.pkl random_states_1.pkl \
    -o ranks.snap.tar
same "are two shards" "shard-000/python shard-001/python" \
    "$(sed -n 's/^stream *\(.*\/python\): .*/\1/p' out | tr '\n' ' ' | sed 's/ $//')"
cp random_states_0.pkl 'epoch=3.ckpt'
exits 0 "a file with = in its name" "$SNAP" import 'epoch=3.ckpt' -o epoch.snap.tar

exits 0 "as JSON" "$SNAP" import random_states_0.pkl model.safetensors -o j.snap.tar --json
json_is_valid "its document is valid" import
same "what was found is in it" "accelerate model 2 5" "$(json out \
    '" ".join(map(str, [d["result"]["files"][0]["layout"], d["result"]["roots"][0]["name"],
                        len(d["result"]["streams"]), d["result"]["step"]]))')"

# ---- --as ----

printf '0123456789abcdef' >cuda.bin
fails 5 "sixteen bytes are no file" "neither a file of torch.save" \
    "$SNAP" import cuda.bin -o as.snap.tar
"$PYTHON" -c 'import pickle
pickle.dump(bytes(range(16)), open("cuda.pkl", "wb"))'
exits 0 "sixteen bytes in a pickle" "$SNAP" import cuda.pkl -o as1.snap.tar
like "are data" '^root +cuda: ' "$(cat out)"
exits 0 "unless it is said what they are" "$SNAP" import gpu=cuda.pkl --as torch_cuda \
    -o as2.snap.tar
like "a stream, with the name given" '^stream +gpu: torch_cuda$' "$(cat out)"
fails 2 "a layout that it has not" "its layout is stream, not megatron" \
    "$SNAP" import python4.pkl --as megatron -o as3.snap.tar
fails 2 "a kind that is none" '"dice" is neither a kind of stream nor' \
    "$SNAP" import python4.pkl --as dice -o as3.snap.tar

fails 2 "a state that is no such" "cuda.pkl: .*torch_cpu.*16" \
    "$SNAP" import cuda.pkl --as torch_cpu -o as3.snap.tar
"$SNAP" import cuda.pkl --as torch_cpu -o as3.snap.tar 2>err
same "the file is named once" "1" "$(grep -o 'cuda\.pkl' err | wc -l)"
fails 2 "tensors as another layout" "its layout is state-dict, not accelerate" \
    "$SNAP" import model.safetensors --as accelerate -o as3.snap.tar
fails 2 "tensors as a stream" "it holds several arrays" \
    "$SNAP" import model.safetensors --as torch_cpu -o as3.snap.tar
exits 0 "sixteen bytes as they are, with a kind" "$SNAP" import gpu=cuda.bin --as torch_cuda \
    -o as4.snap.tar --json
same "their format" "bytes" "$(json out 'd["result"]["files"][0]["format"]')"
json_is_valid "its document is valid" import
"$SNAP" cat as4.snap.tar rng/gpu >gpu.bin
try "are the member" cmp cuda.bin gpu.bin
printf '(aaabbbb\4\0\0\0\0\0\0\0' >odd.bin
exits 0 "even where they begin as a pickle does" "$SNAP" import odd.bin --as torch_cuda \
    -o as5.snap.tar
exits 0 "and an old pickle is one" "$SNAP" import python0.pkl --as python_random -o as6.snap.tar
same "is the same state" "$state" "$("$SNAP" hash as6.snap.tar | sed -n 's/^state hash *//p')"
exits 0 "a list as a kind of NumPy" "$SNAP" import python.json --as python_random -o as7.snap.tar
same "is the same state" "$state" "$("$SNAP" hash as7.snap.tar | sed -n 's/^state hash *//p')"

"$SNAP" cat python4.snap.tar rng/python >member.json
exits 0 "a member of an archive" "$SNAP" import python=member.json -o member.snap.tar
same "is the same state" "$state" "$("$SNAP" hash member.snap.tar | sed -n 's/^state hash *//p')"
fails 2 "a member as another kind" "member.json: .*numpy_random_state" \
    "$SNAP" import member.json --as numpy_random_state -o as8.snap.tar

# Numbers of JSON, in each way that it has of writing them.
echo '{"a": 1E5, "b": -2.5e-3, "c": [0, 1e0, 12345678901234567890]}' >numbers.json
"$PYTHON" -c 'import pickle
with open("numbers.pkl", "wb") as file:
    pickle.dump({"a": 1e5, "b": -2.5e-3, "c": [0, 1.0, 12345678901234567890]}, file)'
exits 0 "numbers of JSON" "$SNAP" import numbers.json -o numbers1.snap.tar
exits 0 "the same as a pickle" "$SNAP" import numbers.pkl -o numbers2.snap.tar
same "are the same state" "$("$SNAP" hash numbers1.snap.tar | sed -n 's/^state hash *//p')" \
    "$("$SNAP" hash numbers2.snap.tar | sed -n 's/^state hash *//p')"

# A key of JAX: two words, as a list, an array or bytes.
key() { # ARCHIVE
    "$SNAP" cat "$1" rng/key | "$PYTHON" -c 'import json, sys
print(json.load(sys.stdin)["key"])'
}
echo '[0, 4294967295]' >key.json
exits 0 "a key of JAX as a list" "$SNAP" import key=key.json --as jax_key -o key1.snap.tar
same "is the words" "[0, 4294967295]" "$(key key1.snap.tar)"
"$PYTHON" - <<'END'
import struct
head = b"{'descr': '>u4', 'fortran_order': False, 'shape': (4,), }"
with open("key.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head +
               struct.pack(">IIII", 1, 2, 3, 4))
END
exits 0 "as an array of four, of another byte order" "$SNAP" import key=key.npy --as jax_key \
    -o key2.snap.tar
same "is the words" "[1, 2, 3, 4]" "$(key key2.snap.tar)"
echo '[0, 4294967296]' >key.json
fails 2 "words past 32 bits" "key.json: .*too large" \
    "$SNAP" import key.json --as jax_key -o key3.snap.tar
echo '[1, 2, 3]' >key.json
fails 2 "three words" "key.json: .*jax_key" "$SNAP" import key.json --as jax_key -o key3.snap.tar
echo '[-1, 2, 3]' >tf.json
exits 0 "a generator of TensorFlow" "$SNAP" import key=tf.json --as tensorflow_generator \
    -o tf.snap.tar

# ---- refused ----

fails 4 "a pickle that calls os.system" \
    "system.pkl: byte 0 of a pickle: GLOBAL: refused: posix.system" \
    "$SNAP" import system.pkl -o no.snap.tar
try "it did not run" test ! -e ran
try "no archive was written" test ! -e no.snap.tar
exits 4 "as JSON" "$SNAP" import system.pkl -o no.snap.tar --json
json_is_valid "its document is valid" import
fails 4 "a newer pickle" "protocol 99" "$SNAP" import newer.pkl -o no.snap.tar
fails 4 "one of several" "posix.system" "$SNAP" import python4.pkl system.pkl -o no.snap.tar
head -c 1000 python4.pkl >cut.pkl
fails 5 "a pickle that was cut" "cut.pkl: byte .* the file has" \
    "$SNAP" import cut.pkl -o no.snap.tar
head -c 90 model.safetensors >cut.safetensors
fails 5 "tensors that were cut" "cut.safetensors: .*(it is cut off|and the file has)" \
    "$SNAP" import cut.safetensors -o no.snap.tar
fails 3 "nothing" "nowhere.pkl: .*No such file" "$SNAP" import nowhere.pkl -o no.snap.tar
fails 3 "a folder" "unpacked: is a folder: name the files in it" \
    "$SNAP" import unpacked -o no.snap.tar
fails 2 "something is there already" "python4.snap.tar: import: something is there already" \
    "$SNAP" import python4.pkl -o python4.snap.tar
fails 2 "one root twice" "root values: two files give it: name one of them, as NAME=FILE" \
    "$SNAP" import values.pkl values.pkl -o no.snap.tar
exits 0 "with two names" "$SNAP" import a=values.pkl b=values.pkl -o two.snap.tar
fails 2 "one stream twice" "stream python: two files give it" \
    "$SNAP" import python4.pkl python5.pkl -o no.snap.tar
fails 3 "a folder that is not there" "no such folder" "$SNAP" import python4.pkl -o none/x.snap.tar

tap_done
