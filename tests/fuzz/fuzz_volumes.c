/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as volumes.json; one that is taken is made again, volume by volume, as the same bytes,
 * and every name in it is one that a writer could have chosen, after the one before. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "format/json_canonical.h"
#include "format/volumes.h"
#include "fuzz_target.h"

static void need(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    json_t *document = NULL;
    char first_stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    unsigned before = 0;
    if (snap_volumes_decode(data, size, &document, &err) != SNAP_OK) {
        need(document == NULL);
        return 0;
    }
    json_t *again = snap_volumes_new();
    size_t count = snap_volumes_count(document);
    need(again != NULL && count >= 1 && count <= SNAP_MAX_VOLUMES);
    for (size_t i = 0; i < count; i++) {
        char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
        char name[SNAP_VOLUME_NAME_BYTES];
        unsigned number;
        const char *file = snap_volumes_file(document, i);
        need(snap_volume_name_parse(file, stem, &number) && snap_volumes_has(document, file));
        snap_volume_name(stem, number, name);
        need(strcmp(name, file) == 0 && strchr(file, '/') == NULL);
        need(i == 0 || (number == before + 1 && strcmp(stem, first_stem) == 0));
        before = number;
        memcpy(first_stem, stem, sizeof stem);
        const json_t *members = snap_volumes_members(document, i);
        json_t *names = json_array();
        need(json_array_size(members) > 0);
        for (size_t m = 0; m < json_array_size(members); m++)
            need(json_array_append(names, json_array_get(members, m)) == 0);
        need(snap_volumes_add(again, file, names, &err) == SNAP_OK);
    }
    need(snap_json_encode(again, &text, &err) == SNAP_OK && text.size == size &&
         memcmp(text.data, data, size) == 0);
    snap_buffer_release(&text);
    json_decref(again);
    json_decref(document);
    return 0;
}
