/* SPDX-License-Identifier: Apache-2.0 */
/* What a server of object storage answers in XML, by expat. */
#ifndef SNAP_STORE_XML_READER_H
#define SNAP_STORE_XML_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

/* Called at the end of every element: `parent` ("" for the outermost) and `name` are without a
 * prefix, `text` is what stands in it, NULL when other elements do. */
typedef enum snap_status snap_xml_element(void *arg, const char *parent, const char *name,
                                          const char *text, struct snap_error *err);

/* Read a document. SNAP_CORRUPT: it is not well-formed, has a document type, goes deeper than
 * SNAP_XML_DEPTH, or has a text longer than SNAP_XML_TEXT_BYTES. `what` names it in messages. */
#define SNAP_XML_DEPTH 16u
#define SNAP_XML_TEXT_BYTES 4096u
enum snap_status snap_xml_read(const void *bytes, size_t size_bytes, const char *what,
                               snap_xml_element *element, void *arg, struct snap_error *err);

/* A decimal number, nothing else. */
bool snap_xml_number(const char *text, uint64_t *number);

#endif
