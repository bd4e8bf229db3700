/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a ledger: as far as its lines are good, each looked at, and against itself. A good
 * beginning is as long as it says. */
#include "config.h"

#include <stdlib.h>

#include "fuzz_target.h"
#include "ledger/ledger_line.h"

static void look(const struct snap_ledger *ledger)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_ledger_difference difference = SNAP_LEDGER_DIFFERENCE_INIT;
    struct snap_chain_heads heads;
    for (size_t i = 0; i < snap_ledger_line_count(ledger); i++) {
        json_t *document = NULL;
        if (snap_ledger_document(ledger, i, &document, &err) == SNAP_OK)
            json_decref(document);
        snap_ledger_heads(ledger, i, &heads);
    }
    if (snap_ledger_compare_tensors(ledger, ledger, 0, &difference, &err) == SNAP_DIFFERS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_error damage = SNAP_ERROR_INIT;
    struct snap_ledger *ledger = NULL;
    uint64_t past = 0;
    if (snap_ledger_decode_good(data, size, "input", &ledger, &past, &damage, &err) != SNAP_OK)
        return 0;
    if (past > size)
        abort();
    if (ledger != NULL)
        look(ledger);
    snap_ledger_free(ledger);
    return 0;
}
