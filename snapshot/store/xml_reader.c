/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <expat.h>

#include "store/xml_reader.h"

#define NAME_BYTES 64

struct reader {
    XML_Parser parser;
    const char *what;
    snap_xml_element *element;
    void *arg;
    struct snap_error *err;
    enum snap_status status;
    char names[SNAP_XML_DEPTH + 1][NAME_BYTES]; /* names[0] is "": the outermost has no parent */
    unsigned depth;
    bool is_leaf; /* the innermost has no element so far */
    size_t size;
    char text[SNAP_XML_TEXT_BYTES + 1];
};

static void stop(struct reader *reader, enum snap_status status)
{
    reader->status = status;
    XML_StopParser(reader->parser, XML_FALSE);
}

static void refuse(struct reader *reader, const char *why)
{
    stop(reader, snap_error_set(reader->err, SNAP_CORRUPT, "%s: the answer of the server: %s",
                                reader->what, why));
}

static void begin_element(void *arg, const char *name, const char **attributes)
{
    struct reader *reader = arg;
    const char *colon = strrchr(name, ':');
    (void)attributes;
    if (reader->status != SNAP_OK)
        return;
    if (reader->depth == SNAP_XML_DEPTH) {
        refuse(reader, "its elements are too deep");
        return;
    }
    reader->depth++;
    snprintf(reader->names[reader->depth], NAME_BYTES, "%s", colon != NULL ? colon + 1 : name);
    reader->is_leaf = true;
    reader->size = 0;
}

static void end_element(void *arg, const char *name)
{
    struct reader *reader = arg;
    (void)name;
    if (reader->status != SNAP_OK)
        return;
    reader->text[reader->size] = '\0';
    enum snap_status status =
        reader->element(reader->arg, reader->names[reader->depth - 1],
                        reader->names[reader->depth], reader->is_leaf ? reader->text : NULL,
                        reader->err);
    reader->depth--;
    reader->is_leaf = false;
    reader->size = 0;
    if (status != SNAP_OK)
        stop(reader, status);
}

static void take_text(void *arg, const char *text, int size)
{
    struct reader *reader = arg;
    if (!reader->is_leaf || reader->status != SNAP_OK)
        return;
    if ((size_t)size > SNAP_XML_TEXT_BYTES - reader->size) {
        refuse(reader, "a text in it is too long");
        return;
    }
    memcpy(reader->text + reader->size, text, (size_t)size);
    reader->size += (size_t)size;
}

static void refuse_doctype(void *arg, const char *name, const char *system_id,
                           const char *public_id, int has_internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal;
    refuse(arg, "it has a document type, and no answer of S3 has");
}

enum snap_status snap_xml_read(const void *bytes, size_t size_bytes, const char *what,
                               snap_xml_element *element, void *arg, struct snap_error *err)
{
    struct reader reader = { .what = what, .element = element, .arg = arg, .err = err };
    if (size_bytes > INT_MAX)
        return snap_error_set(err, SNAP_CORRUPT, "%s: the answer of the server: is too long", what);
    reader.parser = XML_ParserCreate(NULL);
    if (reader.parser == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", what);
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, begin_element, end_element);
    XML_SetCharacterDataHandler(reader.parser, take_text);
    XML_SetStartDoctypeDeclHandler(reader.parser, refuse_doctype);
    if (XML_Parse(reader.parser, bytes, (int)size_bytes, 1) != XML_STATUS_OK &&
        reader.status == SNAP_OK)
        reader.status =
            snap_error_set(err, SNAP_CORRUPT, "%s: the answer of the server is no XML: %s", what,
                           XML_ErrorString(XML_GetErrorCode(reader.parser)));
    XML_ParserFree(reader.parser);
    return reader.status;
}

bool snap_xml_number(const char *text, uint64_t *number)
{
    uint64_t value = 0;
    if (text[0] == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}
