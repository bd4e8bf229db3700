/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "golden_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

void golden_hash(const void *bytes, size_t size_bytes, char hex[65])
{
    unsigned char digest[32];
    if (EVP_Digest(bytes, size_bytes, digest, NULL, EVP_sha256(), NULL) != 1) {
        abort();
    }
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

void golden_find(const char *file_name, const char *name, char hex[65])
{
    const char *top = getenv("top_srcdir");
    char path[4096], line[512];
    FILE *file;
    hex[0] = '\0';
    snprintf(path, sizeof(path), "%s/tests/ops/%s", top ? top : ".", file_name);
    file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "cannot read %s\n", path);
        return;
    }
    while (hex[0] == '\0' && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strlen(line) > 65 && strcmp(line + 65, name) == 0) {
            memcpy(hex, line, 64);
            hex[64] = '\0';
        }
    }
    fclose(file); /* only read */
}
