/* SPDX-License-Identifier: Apache-2.0 */
/* Every maximum of the format, with its reason. docs/format.md, "Limits", says the same; a reader
 * refuses what is past them before it allocates anything. */
#ifndef SNAP_FORMAT_LIMITS_H
#define SNAP_FORMAT_LIMITS_H

/* Bytes of a member name: the name field of a ustar header, which needs no terminator when full. */
#define SNAP_MAX_MEMBER_NAME_BYTES 100
/* Bytes of a storage's name, which may get a part suffix ("~0000"). */
#define SNAP_MAX_STORAGE_NAME_BYTES 95
/* Bytes of a root's name: tensors/ROOT/~000000~0000 must fit in a member name (79), rounded
 * down. */
#define SNAP_MAX_ROOT_NAME_BYTES 64

/* Bytes of any member: the largest number that the 11 octal digits of a ustar header can say, so
 * that no header needs an extension. */
#define SNAP_MAX_MEMBER_BYTES 8589934591ull
/* A storage above this is cut into members of this size: small enough to share among cores and
 * to read again after a damage, large enough that headers cost nothing (1/131072). */
#define SNAP_STORAGE_PART_BYTES 67108864ull
/* Parts of a storage: the four digits of the suffix. */
#define SNAP_MAX_STORAGE_PARTS 10000u
/* Bytes of a storage: all its parts (about 671 GB). */
#define SNAP_MAX_STORAGE_BYTES (SNAP_STORAGE_PART_BYTES * SNAP_MAX_STORAGE_PARTS)
/* Storages of an archive: the six digits of "~000000". */
#define SNAP_MAX_STORAGES 1000000u

/* Members of an archive, manifest.json counted in: at 64 MiB each 16 TiB, and few enough that
 * manifest.json stays below its own maximum. */
#define SNAP_MAX_MEMBERS 262144u
/* Bytes of STATE and SHA256SUMS: a line for each member, with the longest names. */
#define SNAP_MAX_LISTING_BYTES (SNAP_MAX_MEMBERS * (64ull + 2 + SNAP_MAX_MEMBER_NAME_BYTES + 1))
/* Bytes of README: its text has a few hundred; a later version may say more. */
#define SNAP_MAX_README_BYTES 65536u
/* Bytes of manifest.json and state.json: 256 bytes for each of the members allowed. Parsed they
 * take some twenty times as much memory, and forty at worst (json_guard.c sees to that). */
#define SNAP_MAX_MANIFEST_BYTES 67108864u
#define SNAP_MAX_STATE_JSON_BYTES 67108864u
/* Bytes of a string of manifest.json: a reason for what was not captured is a sentence. */
#define SNAP_MAX_MANIFEST_STRING_BYTES 1048576u
/* Keys of an object of manifest.json: nine are in use; a later version may have more. */
#define SNAP_MAX_MANIFEST_KEYS 1024u
/* Arrays and objects of manifest.json beside those of its members: a few, and one for each thing
 * that was not captured. */
#define SNAP_MAX_MANIFEST_GAPS 65536u
/* Bytes of data.json: a list of data files, and one stream's state. */
#define SNAP_MAX_DATA_JSON_BYTES 16777216u
/* Bytes of env.json: a page of versions and variables. */
#define SNAP_MAX_ENVIRONMENT_BYTES 1048576u
/* Bytes of a stream: device generators keep 48 bytes for each of millions of threads. */
#define SNAP_MAX_STREAM_BYTES 1073741824u
/* Bytes of a stream whose member is JSON: 625 numbers and their names take 8 KiB. */
#define SNAP_MAX_STREAM_JSON_BYTES 1048576u
/* Bytes of ledger.jsonl in an archive: two million lines between two snapshots. */
#define SNAP_MAX_LEDGER_BYTES 1073741824u
/* Bytes of the ledger of a whole run: a hundred million lines, read into memory as they are. */
#define SNAP_MAX_LEDGER_FILE_BYTES 68719476736ull
/* Bytes of one ledger line: a genesis line holds the training config and a list of data files. */
#define SNAP_MAX_LEDGER_LINE_BYTES 16777216u
/* Bytes of config.json of a run. */
#define SNAP_MAX_CONFIG_BYTES 16777216u
/* Bytes of `latest`. */
#define SNAP_MAX_LATEST_BYTES 4096u

/* Volumes of an archive: each is a descriptor of whoever reads it, of which a process commonly has
 * 1,024. */
#define SNAP_MAX_VOLUMES 512u
/* Numbers of volumes: four digits. They need not begin with 1. */
#define SNAP_MAX_VOLUME_NUMBER 9999u
/* Bytes of the stem of their names, ".vol-0001.tar" left out: a store takes names of 200 bytes. */
#define SNAP_MAX_VOLUME_STEM_BYTES 180
/* Bytes of volumes.json: names that manifest.json has too. An archive with few tensors may have
 * fewer still (archive_walk.c): what a reader takes of memory follows from the manifest. */
#define SNAP_MAX_VOLUMES_JSON_BYTES SNAP_MAX_MANIFEST_BYTES
/* Bytes of a string in it: the name of a volume, and a NUL. */
#define SNAP_MAX_VOLUMES_STRING_BYTES (SNAP_MAX_VOLUME_STEM_BYTES + 14)
/* Arrays and objects in it: of each volume an object and an array, and as many again, so that
 * volumes that are too many are told as that. */
#define SNAP_MAX_VOLUMES_CONTAINERS (4 * SNAP_MAX_VOLUMES)
/* Keys of an object of volumes.json: two are in use; a later version may have more. */
#define SNAP_MAX_VOLUMES_KEYS 16u

/* Arrays and objects inside each other: what a state, nine maps deep, needs; far below what
 * recursion can take. */
#define SNAP_MAX_JSON_DEPTH 32
/* Characters of a number, or of a word like "true": a sign and the digits of any 64 bits. */
#define SNAP_MAX_JSON_TOKEN_BYTES 20
/* Values of a document however short it is, beyond which there is one for so many bytes
 * (json_guard.c). */
#define SNAP_MAX_DENSE_JSON_VALUES 16384u
/* The largest integer that every JSON reader takes exactly: 2^53. Above it integers are decimal
 * strings. */
#define SNAP_MAX_JSON_INTEGER 9007199254740992ll
/* Roots of a state: a handful are in use ("model", "ema", "optimizer", ...). */
#define SNAP_MAX_ROOTS 1024u
/* Bytes of a tensor's true name, its path in its root: module paths have a few dozen. Each storage
 * keeps one, so it must not be long in a hostile file. */
#define SNAP_MAX_TENSOR_PATH_BYTES 1024u
/* Digits of an integer of the tree: the most that Python converts by default. */
#define SNAP_MAX_INTEGER_DIGITS 4300

/* The last step of a run: 2^53, a plain integer in JSON, and far from where a count overflows. */
#define SNAP_MAX_STEP 9007199254740992ull

/* Bytes of a profile's name, a stream's kind, a data file's role: a word. */
#define SNAP_MAX_WORD_BYTES 64

#endif
