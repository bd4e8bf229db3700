/* SPDX-License-Identifier: Apache-2.0 */
/* The kept inputs of a fuzz target, one after the other, without a fuzzer. The file that
 * SNAP_FUZZ_INPUTS names has a line of hex for each, compressed behind a z; lines of # say what the
 * next one is. */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fuzz_target.h"

/* No input is longer than the fuzzer makes them. */
enum { MAX_BYTES = 65536 };

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* The bytes of hex digits, in a block of exactly their size so that a sanitizer sees a read past
 * it; NULL when they are none. */
static unsigned char *from_hex(const char *text, size_t *size)
{
    size_t length = strlen(text);
    unsigned char *bytes = length % 2 == 0 ? malloc(length / 2 + (length == 0)) : NULL;
    for (size_t i = 0; bytes != NULL && i < length / 2; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            free(bytes);
            return NULL;
        }
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    *size = length / 2;
    return bytes;
}

static unsigned char *inflate_all(unsigned char *packed, size_t packed_size, size_t *size)
{
    static unsigned char room[MAX_BYTES];
    uLongf made = sizeof room;
    unsigned char *bytes = NULL;
    if (uncompress(room, &made, packed, packed_size) == Z_OK)
        bytes = malloc(made + (made == 0));
    if (bytes != NULL)
        memcpy(bytes, room, made);
    *size = made;
    free(packed);
    return bytes;
}

static bool replay(const char *line)
{
    size_t size = 0;
    bool packed = line[0] == 'z';
    unsigned char *bytes = from_hex(line + packed, &size);
    if (packed && bytes != NULL)
        bytes = inflate_all(bytes, size, &size);
    if (bytes == NULL)
        return false;
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return true;
}

int main(void)
{
    const char *top = getenv("top_srcdir");
    char path[4096], note[200] = "";
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    unsigned count = 0;
    bool failed = false;
    snprintf(path, sizeof path, "%s/tests/fuzz/inputs/" SNAP_FUZZ_INPUTS ".txt",
             top != NULL ? top : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("Bail out! %s cannot be opened\n", path);
        return 99;
    }
    while ((length = getline(&line, &room, file)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#') {
            snprintf(note, sizeof note, "%s", line + 1);
            continue;
        }
        if (line[0] == '\0')
            continue;
        bool done = replay(line);
        failed = failed || !done;
        printf("%sok %u - input %u:%s\n", done ? "" : "not ", count + 1, count + 1,
               note[0] != '\0' ? note : " found by the fuzzer");
        fflush(stdout);
        count++;
        note[0] = '\0';
    }
    free(line);
    fclose(file);
    printf("1..%u\n", count);
    return failed || count == 0;
}
