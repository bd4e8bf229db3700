/* SPDX-License-Identifier: Apache-2.0 */
/* Tars that libarchive writes and its readers accept, with links, paths, owners, times and
 * extensions: none of them is an archive of ours. */
#include "config.h"

#include <stdbool.h>

#include <archive.h>
#include <archive_entry.h>

#include "forgery.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* What is changed of rng/order, the member with index 5. */
struct tar_case {
    const char *what;
    int (*set_format)(struct archive *);
    void (*spoil)(struct archive_entry *entry);
};

static void absolute(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "/rng/order");
}
static void dotted(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "./rng/order");
}
static void climbing(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "rng/../../order");
}
static void doubled(struct archive_entry *entry)
{
    archive_entry_set_pathname(entry, "rng//order");
}
static void symbolic(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFLNK);
    archive_entry_set_symlink(entry, "/etc/passwd");
    archive_entry_set_size(entry, 0);
}
static void hard(struct archive_entry *entry)
{
    archive_entry_set_hardlink(entry, "rng/device");
}
static void directory(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFDIR);
    archive_entry_set_size(entry, 0);
}
static void pipe_file(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFIFO);
    archive_entry_set_size(entry, 0);
}
static void device(struct archive_entry *entry)
{
    archive_entry_set_filetype(entry, AE_IFCHR);
    archive_entry_set_rdev(entry, 0x0103);
    archive_entry_set_size(entry, 0);
}
static void executable(struct archive_entry *entry)
{
    archive_entry_set_perm(entry, 0755);
}
static void owned(struct archive_entry *entry)
{
    archive_entry_set_uid(entry, 1000);
}
static void named_owner(struct archive_entry *entry)
{
    archive_entry_set_uname(entry, "root");
}
static void dated(struct archive_entry *entry)
{
    archive_entry_set_mtime(entry, 1, 0);
}
static void dated_finely(struct archive_entry *entry)
{
    archive_entry_set_mtime(entry, 0, 1);
}
static void attributed(struct archive_entry *entry)
{
    archive_entry_xattr_add_entry(entry, "user.x", "y", 1);
}
static void sparse(struct archive_entry *entry)
{
    archive_entry_set_size(entry, (la_int64_t)1 << 40);
    archive_entry_sparse_add_entry(entry, 0, 5);
}
static void long_name(struct archive_entry *entry)
{
    char name[130] = "rng/";
    memset(name + 4, 'a', 120);
    archive_entry_set_pathname(entry, name);
}
static void unchanged(struct archive_entry *entry)
{
    (void)entry;
}

static const struct tar_case tar_cases[] = {
    { "nothing changed", archive_write_set_format_pax_restricted, unchanged },
    { "an absolute path", archive_write_set_format_pax_restricted, absolute },
    { "a dotted path", archive_write_set_format_pax_restricted, dotted },
    { "a climbing path", archive_write_set_format_pax_restricted, climbing },
    { "a doubled slash", archive_write_set_format_pax_restricted, doubled },
    { "a symbolic link", archive_write_set_format_pax_restricted, symbolic },
    { "a hard link", archive_write_set_format_pax_restricted, hard },
    { "a folder", archive_write_set_format_pax_restricted, directory },
    { "a pipe", archive_write_set_format_pax_restricted, pipe_file },
    { "a device", archive_write_set_format_pax_restricted, device },
    { "another mode", archive_write_set_format_pax_restricted, executable },
    { "an owner", archive_write_set_format_pax_restricted, owned },
    { "an owner's name", archive_write_set_format_pax_restricted, named_owner },
    { "a time", archive_write_set_format_pax_restricted, dated },
    { "a fine time, by pax", archive_write_set_format_pax, dated_finely },
    { "an attribute, by pax", archive_write_set_format_pax, attributed },
    { "a hole of a tebibyte, by pax", archive_write_set_format_pax, sparse },
    { "a long name, by pax", archive_write_set_format_pax_restricted, long_name },
    { "a long name, by GNU", archive_write_set_format_gnutar, long_name },
    { "an old format", archive_write_set_format_v7tar, unchanged },
};

static la_ssize_t collect(struct archive *writer, void *arg, const void *data, size_t size)
{
    (void)writer;
    return snap_buffer_append(arg, data, size, NULL) == SNAP_OK ? (la_ssize_t)size : -1;
}

static void write_by_libarchive(const struct forgery *forgery, const struct tar_case *now,
                                size_t target, struct snap_buffer *out)
{
    struct archive *writer = archive_write_new();
    assert_int_equal(now->set_format(writer), ARCHIVE_OK);
    archive_write_set_bytes_per_block(writer, 512);
    archive_write_set_bytes_in_last_block(writer, 1);
    assert_int_equal(archive_write_open(writer, out, NULL, collect, NULL), ARCHIVE_OK);
    for (size_t i = 0; i < forgery->count; i++) {
        const struct snap_buffer *content = &forgery->members[i].content;
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, forgery->members[i].name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_mtime(entry, 0, 0);
        archive_entry_set_size(entry, (la_int64_t)content->size);
        if (i == target)
            now->spoil(entry);
        assert_true(archive_write_header(writer, entry) >= ARCHIVE_WARN);
        if (archive_entry_size(entry) > 0 && content->size > 0)
            archive_write_data(writer, content->data, content->size);
        archive_entry_free(entry);
    }
    archive_write_close(writer);
    archive_write_free(writer);
}

static void test_tars(void **state)
{
    (void)state;
    struct forgery forgery;
    forgery_init(&forgery);
    for (size_t i = 0; i < sizeof tar_cases / sizeof tar_cases[0]; i++) {
        const struct tar_case *now = &tar_cases[i];
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        write_by_libarchive(&forgery, now, 5, &bytes);
        enum snap_status status = forgery_examine(&bytes, &err);
        bool plain = i == 0;
        /* These two make every header otherwise. */
        bool from_the_first = now->set_format == archive_write_set_format_v7tar ||
                              now->set_format == archive_write_set_format_gnutar;
        if (status != (plain ? SNAP_OK : SNAP_CORRUPT))
            print_error("%s: %s\n", now->what, snap_status_name(status));
        assert_int_equal(status, plain ? SNAP_OK : SNAP_CORRUPT);
        if (!plain && strstr(err.text, from_the_first ? "README" : "rng/order") == NULL)
            print_error("%s: %s\n", now->what, err.text);
        if (!plain)
            assert_non_null(strstr(err.text, from_the_first ? "README" : "rng/order"));
        snap_buffer_release(&bytes);
    }
    /* A filter over the whole. */
    struct snap_buffer packed = SNAP_BUFFER_INIT;
    CHECK_OK(snap_buffer_append(&packed, "\x1F\x8B\x08\0\0\0\0\0\0\x03", 10, &err));
    CHECK_OK(snap_buffer_reserve(&packed, 4096, &err));
    memset(packed.data + packed.size, 7, 4096);
    packed.size += 4096;
    assert_int_equal(forgery_examine(&packed, &err), SNAP_CORRUPT);
    snap_buffer_release(&packed);
    forgery_release(&forgery);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
