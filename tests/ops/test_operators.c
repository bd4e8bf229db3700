/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator case: the oracle's words against goldens.txt, and the kernels' words against the
 * oracle's, for each instruction set this machine has and 1, 2, 3, 7 threads.
 *
 * usage: test_operators [ISA | --write GOLDENS] */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "golden_file.h"
#include "op_cases.h"
#include "op_golden.h"

static struct op_case *cases;
static size_t case_count;

static void oracle_equals_goldens(void **state)
{
    struct op_words words = { 0 };
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        char hex[65], kept[65];
        op_case_run(&cases[i], NULL, &words);
        op_golden_hash(&words, hex);
        golden_find("goldens.txt", cases[i].name, kept);
        if (strcmp(hex, kept) != 0) {
            fail_msg("%s: %s, kept %s", cases[i].name, hex, kept);
        }
    }
    free(words.words);
}

static void compare_all(const char *isa, unsigned threads)
{
    struct snap_pool *pool = NULL;
    struct trn_backend *backend = NULL;
    struct op_words words = { 0 };
    char where[40];
    snprintf(where, sizeof(where), "%s, %u threads", isa, threads);
    assert_int_equal(snap_pool_new(threads, &pool, NULL), SNAP_OK);
    assert_int_equal(trn_backend_open(isa, pool, &backend, NULL), SNAP_OK);
    for (size_t i = 0; i < case_count; i++) {
        op_golden_check(&cases[i], backend, &words, where);
    }
    free(words.words);
    trn_backend_close(backend);
    snap_pool_free(pool);
}

static void kernels_equal_goldens(void **state)
{
    const char *isa = *state;
    static const unsigned threads[] = { 1, 2, 3, 7 };
    if (!trn_ops_find(isa)) {
        print_message("# SKIP %s: not in this build, or not on this CPU\n", isa);
        skip();
    }
    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        compare_all(isa, threads[i]);
    }
}

static void unknown_isa_is_refused(void **state)
{
    struct snap_pool *pool = NULL;
    struct trn_backend *backend = NULL;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    assert_int_equal(trn_backend_open("mmx", pool, &backend, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "mmx"));
    assert_null(backend);
    snap_pool_free(pool);
}

static int write_goldens(const char *path)
{
    struct op_words words = { 0 };
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return 3;
    }
    for (size_t i = 0; i < case_count; i++) {
        char hex[65];
        op_case_run(&cases[i], NULL, &words);
        op_golden_hash(&words, hex);
        fprintf(file, "%s %s\n", hex, cases[i].name);
    }
    free(words.words);
    return fclose(file) == 0 ? 0 : 3;
}

int main(int argc, char **argv)
{
    static char scalar[] = "scalar";
#if defined(__x86_64__)
    static char sse2[] = "sse2", avx2[] = "avx2", avx512[] = "avx512";
#elif defined(__aarch64__)
    static char neon[] = "neon";
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oracle_equals_goldens),
        { "kernels_equal_goldens_scalar", kernels_equal_goldens, NULL, NULL, scalar },
#if defined(__x86_64__)
        { "kernels_equal_goldens_sse2", kernels_equal_goldens, NULL, NULL, sse2 },
        { "kernels_equal_goldens_avx2", kernels_equal_goldens, NULL, NULL, avx2 },
        { "kernels_equal_goldens_avx512", kernels_equal_goldens, NULL, NULL, avx512 },
#elif defined(__aarch64__)
        { "kernels_equal_goldens_neon", kernels_equal_goldens, NULL, NULL, neon },
#endif
        cmocka_unit_test(unknown_isa_is_refused),
    };
    int result;
    char only[64];
    if (argc == 2) {
        snprintf(only, sizeof(only), "kernels_equal_goldens_%s", argv[1]);
        cmocka_set_test_filter(only);
    }
    cases = op_cases_new(&case_count);
    result = argc == 3 && strcmp(argv[1], "--write") == 0
                 ? write_goldens(argv[2])
                 : cmocka_run_group_tests(tests, NULL, NULL);
    free(cases);
    return result;
}
