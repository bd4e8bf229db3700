/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "core/bytes.h"
#include "foreign/foreign_limits.h"
#include "foreign/npy.h"

/* Where the elements of a file begin, in NumPy since 1.14. */
#define ALIGNMENT 64

/* The text that is read. */
struct text {
    const char *at;
    const char *end;
    const char *what;
};

static enum snap_status corrupt(const char *what, const char *problem, struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "%s: its header: %s", what, problem);
}

static void skip_blanks(struct text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\n' || *text->at == '\t'))
        text->at++;
}

/* Is this the next character? Then go past it. */
static bool accept(struct text *text, char character)
{
    skip_blanks(text);
    if (text->at == text->end || *text->at != character)
        return false;
    text->at++;
    return true;
}

static bool accept_word(struct text *text, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(text);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0)
        return false;
    text->at += length;
    return true;
}

/* 'text' or "text", without escapes. */
static bool accept_string(struct text *text, const char **string, size_t *size)
{
    skip_blanks(text);
    if (text->at == text->end || (*text->at != '\'' && *text->at != '"'))
        return false;
    char quote = *text->at++;
    *string = text->at;
    while (text->at < text->end && *text->at != quote && *text->at != '\\' && *text->at != '\n')
        text->at++;
    *size = (size_t)(text->at - *string);
    return accept(text, quote);
}

static bool accept_number(struct text *text, uint64_t *number)
{
    const char *start;
    skip_blanks(text);
    start = text->at;
    for (*number = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++)
        if (!snap_mul_u64(*number, 10, number) ||
            !snap_add_u64(*number, (uint64_t)(*text->at - '0'), number))
            return false;
    bool found = text->at > start;
    accept(text, 'L'); /* of Python 2 */
    return found;
}

static enum snap_status read_descr(struct text *text, struct snap_foreign_tensor *tensor,
                                   struct snap_error *err)
{
    const char *descr;
    size_t size;
    if (!accept_string(text, &descr, &size))
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: an array of a dtype with fields: the format has none such",
                              text->what);
    if (snap_numpy_dtype_from_text(descr, size, &tensor->dtype, &tensor->big_endian))
        return SNAP_OK;
    bool object = size > 1 && memchr(descr, 'O', size) != NULL;
    return snap_error_set(err, SNAP_UNSUPPORTED, "%s: an array of dtype %.*s: %s", text->what,
                          (int)(size < 40 ? size : 40), descr,
                          object ? "its objects are a pickle, which is not executed"
                                 : "the format has none such");
}

static enum snap_status read_shape(struct text *text, struct snap_foreign_tensor *tensor,
                                   struct snap_error *err)
{
    if (!accept(text, '('))
        return corrupt(text->what, "the shape is no tuple", err);
    while (!accept(text, ')')) {
        if (tensor->ndim == SNAP_MAX_DIMS)
            return snap_error_set(err, SNAP_UNSUPPORTED, "%s: an array of more than %d dimensions",
                                  text->what, SNAP_MAX_DIMS);
        if (!accept_number(text, &tensor->shape[tensor->ndim]))
            return corrupt(text->what, "the shape is no tuple of numbers", err);
        tensor->ndim++;
        if (!accept(text, ',')) {
            if (!accept(text, ')'))
                return corrupt(text->what, "the shape is no tuple of numbers", err);
            break;
        }
    }
    return SNAP_OK;
}

/* One "'key': value"; `seen` has a bit for each key. */
static enum snap_status read_entry(struct text *text, struct snap_foreign_tensor *tensor,
                                   bool *fortran, unsigned *seen, struct snap_error *err)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    const char *key;
    size_t size;
    unsigned which = 0;
    if (!accept_string(text, &key, &size) || !accept(text, ':'))
        return corrupt(text->what, "it is no dict of three keys", err);
    while (which < 3 && (strlen(keys[which]) != size || memcmp(keys[which], key, size) != 0))
        which++;
    if (which == 3 || (*seen & 1u << which) != 0)
        return corrupt(text->what, "a key that is not known, or is there twice", err);
    *seen |= 1u << which;
    if (which == 0)
        return read_descr(text, tensor, err);
    if (which == 2)
        return read_shape(text, tensor, err);
    *fortran = accept_word(text, "True");
    if (!*fortran && !accept_word(text, "False"))
        return corrupt(text->what, "fortran_order is neither True nor False", err);
    return SNAP_OK;
}

static enum snap_status read_dict(struct text *text, struct snap_foreign_tensor *tensor,
                                  struct snap_error *err)
{
    bool fortran = false;
    unsigned seen = 0;
    enum snap_status status = SNAP_OK;
    if (!accept(text, '{'))
        return corrupt(text->what, "it is no dict", err);
    while (status == SNAP_OK && !accept(text, '}')) {
        status = read_entry(text, tensor, &fortran, &seen, err);
        if (status == SNAP_OK && !accept(text, ',')) {
            if (!accept(text, '}'))
                return corrupt(text->what, "it is no dict", err);
            break;
        }
    }
    if (status != SNAP_OK)
        return status;
    skip_blanks(text);
    if (seen != 7 || text->at != text->end)
        return corrupt(text->what, "it is no dict of three keys", err);
    snap_foreign_tensor_order(tensor, fortran);
    return SNAP_OK;
}

enum snap_status snap_npy_read_header(const unsigned char *data, size_t size_bytes,
                                      uint64_t file_size, const char *what,
                                      struct snap_foreign_tensor *tensor, uint64_t *offset,
                                      struct snap_error *err)
{
    uint64_t elements;
    uint64_t bytes;
    if (size_bytes < 10 || memcmp(data, SNAP_NPY_MAGIC, SNAP_NPY_MAGIC_BYTES) != 0)
        return snap_error_set(err, SNAP_CORRUPT, "%s: it does not begin as a .npy file", what);
    if (data[6] < 1 || data[6] > 3 || data[7] != 0)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: version %u.%u of the .npy format: 1.0, 2.0 and 3.0 are read",
                              what, data[6], data[7]);
    size_t before = data[6] == 1 ? 10 : 12;
    if (size_bytes < before)
        return corrupt(what, "the file ends inside it", err);
    uint64_t length =
        data[6] == 1 ? (uint64_t)(data[8] | (unsigned)data[9] << 8) : snap_get_u32(data + 8);
    if (length > file_size - before)
        return corrupt(what, "the file ends inside it", err);
    if (length > SNAP_MAX_NPY_HEADER_BYTES || length > size_bytes - before)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a header of %" PRIu64 " bytes: at most %u are read", what,
                              length, SNAP_MAX_NPY_HEADER_BYTES);
    struct text text = { .at = (const char *)data + before,
                         .end = (const char *)data + before + length,
                         .what = what };
    *tensor = (struct snap_foreign_tensor)SNAP_FOREIGN_TENSOR_INIT;
    enum snap_status status = read_dict(&text, tensor, err);
    if (status != SNAP_OK)
        return status;
    tensor->is_array = true;
    *offset = before + length;
    if (!snap_foreign_tensor_elements(tensor, &elements) ||
        !snap_mul_u64(elements, snap_dtype_size_bytes(tensor->dtype), &bytes) ||
        bytes != file_size - *offset)
        return corrupt(what, "its shape and the size of the file do not agree", err);
    return SNAP_OK;
}

enum snap_status snap_npy_write_header(enum snap_dtype dtype, size_t ndim, const uint64_t *shape,
                                       struct snap_buffer *out, struct snap_error *err)
{
    unsigned char before[10] = SNAP_NPY_MAGIC "\x01";
    const char *descr = snap_numpy_dtype_text(dtype);
    struct snap_buffer dict = SNAP_BUFFER_INIT;
    if (descr == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED, "NumPy has no dtype for %s",
                              snap_dtype_name(dtype));
    enum snap_status status = snap_buffer_appendf(
        &dict, err, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (size_t i = 0; status == SNAP_OK && i < ndim; i++)
        status = snap_buffer_appendf(&dict, err, "%s%" PRIu64 "%s", i > 0 ? " " : "", shape[i],
                                     i + 1 < ndim || ndim == 1 ? "," : "");
    if (status == SNAP_OK)
        status = snap_buffer_append_text(&dict, "), }", err);
    while (status == SNAP_OK && (sizeof before + dict.size + 1) % ALIGNMENT != 0)
        status = snap_buffer_append_text(&dict, " ", err);
    if (status == SNAP_OK)
        status = snap_buffer_append_text(&dict, "\n", err);
    if (status == SNAP_OK) {
        before[7] = 0;
        before[8] = (unsigned char)dict.size;
        before[9] = (unsigned char)(dict.size >> 8);
        status = snap_buffer_append(out, before, sizeof before, err);
    }
    if (status == SNAP_OK)
        status = snap_buffer_append(out, dict.data, dict.size, err);
    snap_buffer_release(&dict);
    return status;
}
