/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a signature, up to the first NUL, and as the signers allowed after it; and as a
 * public key. */
#include "config.h"

#include <string.h>

#include <snapstate/signature.h>

#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char message[] = "message\n";
    struct snap_signer signer = SNAP_SIGNER_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    const char *text = (const char *)data;
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t first = nul != NULL ? (size_t)(nul - text) : size;
    if (size == 0)
        return 0;
    snap_signature_verify(message, sizeof message - 1, text, first, NULL, 0, &signer, &err);
    if (nul != NULL)
        snap_signature_verify(message, sizeof message - 1, text, first, nul + 1, size - first - 1,
                              &signer, &err);
    snap_signature_key(text, size, &signer, &err);
    return 0;
}
