/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "format/readme.h"

const char *snap_readme_text(void)
{
    return "This is a snap archive: the state of a training run after one step, with everything\n"
           "that decides the next step. Format: snap-archive-1.\n"
           "\n"
           "To check it, in an empty folder, with no other program than these:\n"
           "\n"
           "    tar -xf ARCHIVE\n"
           "    sha256sum -c --ignore-missing SHA256SUMS\n"
           "    sha256sum SHA256SUMS STATE\n"
           "\n"
           "The last line prints the snapshot hash (of SHA256SUMS; written snap1:...) and the\n"
           "state hash (of STATE; written state1:...). A member that SHA256SUMS lists and that\n"
           "is not there was withheld; the hashes stand all the same.\n"
           "\n"
           "manifest.json    kind, size and order of all members; run, step, parent, chain heads\n"
           "state.json       the tree of the state, its tensors' types and shapes, the config\n"
           "data.json        the place in the data\n"
           "rng/             random streams\n"
           "tensors/         raw elements, little-endian; over 64 MiB in parts ~0000, ~0001, ...\n"
           "extra/           what the author added\n"
           "env.json         versions and environment, for information\n"
           "ledger.jsonl     one line a step, since the parent\n"
           "STATE            digests of what decides the next step\n"
           "SHA256SUMS       digests of everything before it\n";
}
