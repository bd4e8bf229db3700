/* SPDX-License-Identifier: Apache-2.0 */
/* Every maximum of the readers of other libraries' files, with its reason. None of them is a
 * maximum of those formats: past one the answer is SNAP_UNSUPPORTED, not SNAP_CORRUPT. */
#ifndef SNAP_FOREIGN_FOREIGN_LIMITS_H
#define SNAP_FOREIGN_FOREIGN_LIMITS_H

/* Bytes of a pickle, which is read into memory as a whole: torch keeps tensors beside it, so that
 * only a pickle of NumPy arrays has more than a few megabytes. */
#define SNAP_MAX_PICKLE_BYTES 1073741824u
/* Values of a pickle, and values on its stack. A value takes 56 bytes, and one opcode of a single
 * byte can make one. A checkpoint has some twenty values a tensor; the order of ImageNet as a list
 * has 1.3 million. */
#define SNAP_MAX_PICKLE_VALUES 4194304u
/* Items of all containers together, of those too that the pickle drops again: DUP and APPENDS put
 * one value into them for a byte each. */
#define SNAP_MAX_PICKLE_ITEMS 8388608u
/* Marks that are open at once: one for each container that is being filled. */
#define SNAP_MAX_PICKLE_MARKS 256u
/* Containers inside each other. Checkpoints are a dozen deep, and state.json takes fewer; all that
 * walks over the values of a pickle may recurse so far. */
#define SNAP_MAX_PICKLE_DEPTH 64u
/* Values of a pickle when each is counted wherever it is used: a list of ten references to a list
 * of ten references ... is small in the file and in memory, and not when it is walked, nor as a
 * tree, which has no references and takes about a kilobyte for each. state.json has no room for
 * more. */
#define SNAP_MAX_PICKLE_NODES 4194304u
/* Of these, how many a file may have for each of its bytes, and beside: a number that is written
 * with its dtype by reference takes 13 bytes and is 17 values. */
#define SNAP_MAX_PICKLE_NODES_A_BYTE 2u
#define SNAP_MAX_PICKLE_REPEATED_NODES 262144u
/* Bytes of a name on the short list of callables, and of text shown in messages. */
#define SNAP_MAX_PICKLE_NAME_BYTES 80

/* Entries of a zip file: as many storages as an archive may have, and some. */
#define SNAP_MAX_ZIP_ENTRIES 1048576u
/* Bytes of the central directory of a zip file: 128 for each of these. */
#define SNAP_MAX_ZIP_DIRECTORY_BYTES 134217728u
/* Bytes of the name of an entry; torch's have a few dozen. */
#define SNAP_MAX_ZIP_NAME_BYTES 1024u
/* Bytes that the compressed entries of one file may expand to: 4 MiB of deflate can claim 4 GiB.
 * Only numpy.savez_compressed writes such, and large tensors hardly shrink. */
#define SNAP_MAX_INFLATED_BYTES 1073741824u

/* Bytes of the header of a safetensors file: the format's own maximum. */
#define SNAP_MAX_SAFETENSORS_HEADER_BYTES 100000000u
/* Bytes of the header of a .npy file, a line of text; NumPy itself reads 10,000 by default. */
#define SNAP_MAX_NPY_HEADER_BYTES 65536u
/* Bytes of a JSON file of a random state: 624 numbers, and some for a few more streams. */
#define SNAP_MAX_FOREIGN_JSON_BYTES 16777216u

/* Bytes of the elements of a tensor that has more of them than its storage, by strides of 0, and of
 * the texts and bytes that a pickle uses in several places, past twice its size (a text of protocol
 * 0 takes up to twice its bytes): an archive holds all of them, so that a few bytes of a file could
 * ask for a terabyte. */
#define SNAP_MAX_REPEATED_BYTES 67108864u

/* Ranks whose streams one import takes: the three digits of shard-NNN. */
#define SNAP_MAX_FOREIGN_RANKS 1000u

#endif
