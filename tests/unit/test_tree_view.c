/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of views, and the walk over the tensors of a tree. */
#include "config.h"

#include <stdio.h>

#include "format/limits.h"
#include "format/tree_codec.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* Views: each bound, and each sum and product that can overflow. */
static void test_view_bounds(void **state)
{
    (void)state;
    const uint64_t max = UINT64_MAX;
    static const struct snap_tensor_view base = SNAP_TENSOR_VIEW_INIT;
    struct {
        const char *what;
        bool fits;
        uint64_t storage_bytes;
        enum snap_dtype dtype;
        size_t ndim;
        uint64_t shape[3];
        uint64_t strides[3];
        uint64_t offset;
    } cases[] = {
        {"a scalar", true, 4, SNAP_F32, 0, {0}, {0}, 0},
        {"a scalar at the end", true, 8, SNAP_F32, 0, {0}, {0}, 1},
        {"a scalar past the end", false, 8, SNAP_F32, 0, {0}, {0}, 2},
        {"a scalar, storage one byte short", false, 7, SNAP_F32, 0, {0}, {0}, 1},
        {"exact", true, 48, SNAP_F32, 2, {3, 4}, {4, 1}, 0},
        {"one byte short", false, 47, SNAP_F32, 2, {3, 4}, {4, 1}, 0},
        {"offset one too far", false, 48, SNAP_F32, 2, {3, 4}, {4, 1}, 1},
        {"stride one too far", false, 48, SNAP_F32, 2, {3, 4}, {5, 1}, 0},
        {"a stride of a dimension of one counts not", true, 16, SNAP_F32, 2, {1, 4}, {max, 1}, 0},
        {"transposed", true, 48, SNAP_F32, 2, {4, 3}, {1, 4}, 0},
        {"expanded", true, 4, SNAP_F32, 2, {1000, 1000}, {0, 0}, 0},
        {"empty", true, 0, SNAP_F32, 1, {0}, {1}, 0},
        {"empty, with any stride", true, 0, SNAP_F32, 2, {0, 5}, {max, max}, 0},
        {"empty, offset at the end", true, 8, SNAP_F32, 1, {0}, {1}, 2},
        {"empty, offset past the end", false, 8, SNAP_F32, 1, {0}, {1}, 3},
        {"empty, offset overflows", false, 8, SNAP_F32, 1, {0}, {1}, max / 2},
        {"empty, other dimensions overflow", false, 8, SNAP_F32, 3, {0, max, max}, {1, 1, 1}, 0},
        {"offset overflows", false, max, SNAP_U8, 1, {1}, {1}, max},
        {"offset times item overflows", false, max, SNAP_F64, 1, {1}, {1}, max / 8 + 1},
        {"reach overflows", false, max, SNAP_U8, 1, {3}, {max}, 0},
        {"reach wraps to 0", false, max, SNAP_U8, 1, {3}, {max / 2 + 1}, 0},
        {"sum of reaches overflows", false, max, SNAP_U8, 2, {2, 2}, {max / 2 + 1, max / 2 + 1}, 0},
        {"sum with offset overflows", false, max, SNAP_U8, 1, {2}, {max}, 1},
        {"product of the shape overflows", false, max, SNAP_U8, 2, {max / 2, 3}, {0, 0}, 0},
        {"product of the shape wraps to 0",
         false,
         max,
         SNAP_U8,
         2,
         {(uint64_t)1 << 32, (uint64_t)1 << 32},
         {0, 0},
         0},
        {"bytes of the shape overflow", false, max, SNAP_C128, 1, {max / 8}, {0}, 0},
        {"more elements than a storage holds",
         false,
         1,
         SNAP_U8,
         1,
         {SNAP_MAX_STORAGE_BYTES + 1},
         {0},
         0},
        {"as many elements as a storage holds",
         true,
         1,
         SNAP_U8,
         1,
         {SNAP_MAX_STORAGE_BYTES},
         {0},
         0},
        {"no dtype", false, 8, (enum snap_dtype)0, 0, {0}, {0}, 0},
        {"too many dimensions", false, 8, SNAP_U8, SNAP_MAX_DIMS + 1, {0}, {0}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct snap_tensor_view view = base;
        view.dtype = cases[i].dtype;
        view.ndim = cases[i].ndim;
        view.offset = cases[i].offset;
        memcpy(view.shape, cases[i].shape, sizeof cases[i].shape);
        memcpy(view.strides, cases[i].strides, sizeof cases[i].strides);
        enum snap_status status =
            snap_view_check(&view, cases[i].storage_bytes, "view", SNAP_CORRUPT, &err);
        if (status != (cases[i].fits ? SNAP_OK : SNAP_CORRUPT))
            print_error("%s\n", cases[i].what);
        assert_int_equal(status, cases[i].fits ? SNAP_OK : SNAP_CORRUPT);
    }
    struct snap_tensor_view piece = base;
    piece.dtype = SNAP_U8;
    piece.ndim = 1;
    piece.shape[0] = 3;
    piece.strides[0] = 1;
    piece.is_piece = true;
    piece.global_shape[0] = 10;
    piece.global_offset[0] = 7;
    CHECK_OK(snap_view_check(&piece, 3, "view", SNAP_INVALID, &err));
    assert_int_equal(snap_view_elements(&piece), 3);
    piece.global_offset[0] = 8;
    CHECK_FAILS(SNAP_INVALID, "outside its whole",
                snap_view_check(&piece, 3, "view", SNAP_INVALID, &err));
    piece.global_offset[0] = max - 1;
    CHECK_FAILS(SNAP_INVALID, "outside its whole",
                snap_view_check(&piece, 3, "view", SNAP_INVALID, &err));
}

struct seen {
    char paths[200];
    int left; /* stop after so many */
};

static enum snap_status see_tensor(void *arg, const char *path,
                                   const struct snap_tensor_view *view, struct snap_error *error)
{
    struct seen *seen = arg;
    (void)view;
    size_t used = strlen(seen->paths);
    snprintf(seen->paths + used, sizeof seen->paths - used, "%s;", path);
    if (--seen->left == 0)
        return snap_error_set(error, SNAP_DIFFERS, "enough");
    return SNAP_OK;
}

static void test_visit(void **state)
{
    (void)state;
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    struct snap_node *tensor = snap_node_new_tensor(&view);
    struct seen seen = { .left = -1 };
    CHECK_OK(snap_node_visit_tensors(tensor, see_tensor, &seen, &err));
    assert_string_equal(seen.paths, ";");

    struct snap_node *map = snap_node_new_map();
    struct snap_node *list = snap_node_new_list();
    CHECK_OK(snap_node_append(list, snap_node_new_null(), &err));
    CHECK_OK(snap_node_append(list, tensor, &err));
    CHECK_OK(snap_node_set(map, "b.c", list, &err));
    CHECK_OK(snap_node_set_int_key(map, -3, snap_node_new_tensor(&view), &err));
    CHECK_OK(snap_node_set(map, "a", snap_node_new_tensor(&view), &err));
    seen = (struct seen){ .left = -1 };
    CHECK_OK(snap_node_visit_tensors(map, see_tensor, &seen, &err));
    assert_string_equal(seen.paths, "b.c.1;-3;a;");
    seen = (struct seen){ .left = 2 };
    CHECK_FAILS(SNAP_DIFFERS, "enough", snap_node_visit_tensors(map, see_tensor, &seen, &err));
    assert_string_equal(seen.paths, "b.c.1;-3;");
    snap_node_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_bounds),
        cmocka_unit_test(test_visit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
