/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a store meets: the first says whether the rest is a server's answer in XML, a
 * profile file, or a name of an archive. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "folder/stored.h"
#include "fuzz_target.h"
#include "store/ini_file.h"
#if HAVE_S3
#include "store/xml_reader.h"

static enum snap_status take(void *arg, const char *parent, const char *name, const char *text,
                             struct snap_error *err)
{
    size_t *elements = arg;
    uint64_t number;
    (void)err;
    if (strlen(parent) > 1000 || strlen(name) > 1000 ||
        (text != NULL && strlen(text) > SNAP_XML_TEXT_BYTES))
        abort();
    if (text != NULL)
        snap_xml_number(text, &number);
    return ++*elements < 100000 ? SNAP_OK : SNAP_DIFFERS;
}
#endif

static void read_answer(const uint8_t *data, size_t size)
{
#if HAVE_S3
    struct snap_error err = SNAP_ERROR_INIT;
    size_t elements = 0;
    snap_xml_read(data, size, "input", take, &elements, &err);
#else
    (void)data;
    (void)size;
#endif
}

/* What is found lies within the file. */
static void read_profile(const uint8_t *data, size_t size)
{
    static const char *const sections[] = { "default", "profile work" };
    for (size_t i = 0; i < 2; i++) {
        const char *text = (const char *)data;
        const char *value;
        size_t value_bytes;
        if (snap_ini_find(text, size, sections[i], "region", &value, &value_bytes) &&
            (value_bytes == 0 || value < text || value + value_bytes > text + size))
            abort();
    }
}

/* A name that is one, and what `latest` says. */
static void read_names(const uint8_t *data, size_t size)
{
    struct snap_stored_name stored;
    struct snap_stored_latest latest;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    if (snap_buffer_append(&text, data, size, &err) == SNAP_OK && text.data != NULL) {
        snap_stored_name_parse((const char *)text.data, &stored);
        snap_stored_latest_decode(&text, "input", &latest, &err);
    }
    snap_buffer_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0]) {
    case '<':
        read_answer(data, size);
        break;
    case '[':
    case '\n':
        read_profile(data, size);
        break;
    default:
        read_names(data, size);
        break;
    }
    return 0;
}
