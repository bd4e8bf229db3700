/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that runs the opcodes of a pickle; for the files of the reader alone. */
#ifndef SNAP_FOREIGN_PICKLE_MACHINE_H
#define SNAP_FOREIGN_PICKLE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "foreign/foreign_limits.h"
#include "foreign/pickle_reader.h"

struct snap_pickle_machine {
    const struct snap_pickle_options *options;
    const unsigned char *data;
    size_t size;
    size_t at;        /* the next byte */
    size_t opcode_at; /* of the opcode that runs */
    struct snap_pickle *pickle;
    struct snap_pickle_value **stack;
    size_t depth; /* values on the stack */
    size_t stack_capacity;
    size_t marks[SNAP_MAX_PICKLE_MARKS]; /* depths at which MARK stood */
    size_t mark_count;
    size_t items; /* of all containers, dropped ones too */
    struct snap_pickle_value **memo; /* NULL where nothing was put */
    size_t memo_size;
    size_t memo_next; /* of MEMOIZE */
    bool stopped;
    bool json; /* the file is JSON, whose values are made by the same machine */
};

/* Write "FILE: byte 12 of a pickle: NAME: ..." and return the status. */
enum snap_status snap_pickle_fail(const struct snap_pickle_machine *machine,
                                  enum snap_status status, struct snap_error *err,
                                  const char *format, ...) SNAP_PRINTF(4, 5);
/* The same, with the text of `cause`; its status. */
enum snap_status snap_pickle_fail_with(const struct snap_pickle_machine *machine,
                                       const struct snap_error *cause, struct snap_error *err);

/* A new value, on the stack. */
enum snap_status snap_pickle_push_new(struct snap_pickle_machine *machine,
                                      enum snap_pickle_type type, struct snap_pickle_value **value,
                                      struct snap_error *err);
enum snap_status snap_pickle_push(struct snap_pickle_machine *machine,
                                  struct snap_pickle_value *value, struct snap_error *err);
/* The topmost value, taken off; never one below the last mark. */
enum snap_status snap_pickle_pop(struct snap_pickle_machine *machine,
                                 struct snap_pickle_value **value, struct snap_error *err);
/* The same, left on. */
enum snap_status snap_pickle_top(const struct snap_pickle_machine *machine,
                                 struct snap_pickle_value **value, struct snap_error *err);
/* The depth below which nothing may be taken: that of the last mark. */
size_t snap_pickle_floor(const struct snap_pickle_machine *machine);
enum snap_status snap_pickle_mark(struct snap_pickle_machine *machine, struct snap_error *err);
/* Take the last mark off; *first is the depth at which it stood. */
enum snap_status snap_pickle_pop_mark(struct snap_pickle_machine *machine, size_t *first,
                                      struct snap_error *err);
/* Take the values from depth `first` up off (above the last mark; the last `count`), and push a
 * container (a tuple) of them. */
enum snap_status snap_pickle_gather(struct snap_pickle_machine *machine, enum snap_pickle_type type,
                                    size_t first, struct snap_error *err);
enum snap_status snap_pickle_gather_marked(struct snap_pickle_machine *machine,
                                           enum snap_pickle_type type, struct snap_error *err);
enum snap_status snap_pickle_gather_last(struct snap_pickle_machine *machine, size_t count,
                                         struct snap_error *err);
/* APPEND(S), SETITEM(S), ADDITEMS: those values go into the container of that type below them. */
enum snap_status snap_pickle_extend_marked(struct snap_pickle_machine *machine,
                                           enum snap_pickle_type type, struct snap_error *err);
enum snap_status snap_pickle_extend_last(struct snap_pickle_machine *machine, size_t count,
                                         enum snap_pickle_type type, struct snap_error *err);
/* The memo: remember the topmost value at a place; push what is there. */
enum snap_status snap_pickle_memo_put(struct snap_pickle_machine *machine, uint64_t index,
                                      struct snap_error *err);
enum snap_status snap_pickle_memo_get(struct snap_pickle_machine *machine, uint64_t index,
                                      struct snap_error *err);
/* Memory of the pickle's for bytes recoded from those of the file. */
enum snap_status snap_pickle_derive(struct snap_pickle_machine *machine, size_t size,
                                    unsigned char **bytes, struct snap_error *err);

/* ---- pickle_bytes.c: what stands behind an opcode ---- */

/* `size` bytes; SNAP_CORRUPT when the file has not so many. Borrowed from the file, like all
 * here. */
enum snap_status snap_pickle_take(struct snap_pickle_machine *machine, uint64_t size,
                                  const unsigned char **bytes, struct snap_error *err);
/* A number of `width` bytes, little-endian. */
enum snap_status snap_pickle_take_number(struct snap_pickle_machine *machine, size_t width,
                                         uint64_t *number, struct snap_error *err);
/* So many bytes as a number of `width` bytes before them says. */
enum snap_status snap_pickle_take_counted(struct snap_pickle_machine *machine, size_t width,
                                          const unsigned char **bytes, size_t *size,
                                          struct snap_error *err);
/* A line, without its newline. */
enum snap_status snap_pickle_take_line(struct snap_pickle_machine *machine,
                                       const unsigned char **line, size_t *size,
                                       struct snap_error *err);
/* A line of digits: a place in the memo. */
enum snap_status snap_pickle_take_index(struct snap_pickle_machine *machine, uint64_t *index,
                                        struct snap_error *err);

/* ---- pickle_text.c: numbers and text ---- */

/* Push what a line of protocol 0 says: I, L, F, S, V. */
enum snap_status snap_pickle_push_line(struct snap_pickle_machine *machine, int opcode,
                                       const unsigned char *line, size_t size,
                                       struct snap_error *err);
/* Push an integer of `size` bytes, little-endian two's complement. */
enum snap_status snap_pickle_push_long(struct snap_pickle_machine *machine,
                                       const unsigned char *bytes, size_t size,
                                       struct snap_error *err);
/* Push a str of UTF-8, which is checked. */
enum snap_status snap_pickle_push_str(struct snap_pickle_machine *machine,
                                      const unsigned char *bytes, size_t size,
                                      struct snap_error *err);
/* Push what Python 2 had as a str: a str when it is ASCII, else bytes. */
enum snap_status snap_pickle_push_old_str(struct snap_pickle_machine *machine,
                                          const unsigned char *bytes, size_t size,
                                          struct snap_error *err);
/* Write a character as UTF-8, a surrogate too; its bytes, at most four. */
size_t snap_pickle_put_character(unsigned char *out, uint32_t character);
/* The bytes that a str has in latin-1. */
enum snap_status snap_pickle_latin1(struct snap_pickle_machine *machine,
                                    const struct snap_pickle_value *text, unsigned char **bytes,
                                    size_t *size, struct snap_error *err);

/* ---- pickle_objects.c: names, and what is made of them ---- */

/* Push the name of the short list; SNAP_UNSUPPORTED when it is not there. */
enum snap_status snap_pickle_push_name(struct snap_pickle_machine *machine,
                                       const unsigned char *module, size_t module_size,
                                       const unsigned char *name, size_t name_size,
                                       struct snap_error *err);
/* Push what `callable` stands for when it is called with `arguments`. */
enum snap_status snap_pickle_call(struct snap_pickle_machine *machine,
                                  struct snap_pickle_value *callable,
                                  struct snap_pickle_value *arguments, struct snap_error *err);
/* BUILD: give an object its state. */
enum snap_status snap_pickle_build(struct snap_pickle_machine *machine,
                                   struct snap_pickle_value *object,
                                   struct snap_pickle_value *state, struct snap_error *err);

/* ---- pickle_check.c ---- */

/* What was read is a tree when shared values are taken apart, of a size that can be walked; no key
 * is twice in a dict. */
enum snap_status snap_pickle_check(const struct snap_pickle_machine *machine,
                                   struct snap_pickle_value *root, struct snap_error *err);

#endif
