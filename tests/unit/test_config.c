/* SPDX-License-Identifier: Apache-2.0 */
/* Reading configs: every example is taken or refused as its folder says, errors name the key,
 * and what was read is written out in full. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config_fields.h"
#include "config/training_config.h"

/* The least config, with one thing changed: `at` is a JSON pointer without escapes, `value` JSON
 * text (NULL: removed). */
static const char least[] =
    "{\"training\":{\"seed\":42,\"data\":{\"shape\":[8,8,1],\"classes\":10},"
    "\"model\":[{\"name\":\"flatten\",\"kind\":\"flatten\"},"
    "{\"name\":\"fc1\",\"kind\":\"linear\",\"features\":10}],"
    "\"optimizer\":{\"kind\":\"sgd\",\"learning_rate\":\"0.1\"},\"epochs\":1,\"batch_size\":32}}";

static json_t *changed(const char *at, const char *value)
{
    json_t *root = json_loads(least, 0, NULL);
    json_t *node = root;
    char path[100];
    snprintf(path, sizeof(path), "%s", at);
    char *key = strtok(path, "/");
    for (char *next = strtok(NULL, "/"); next != NULL; key = next, next = strtok(NULL, "/"))
        node = json_is_array(node) ? json_array_get(node, (size_t)atoi(key))
                                   : json_object_get(node, key);
    if (value == NULL)
        assert_int_equal(json_object_del(node, key), 0);
    else if (json_is_array(node))
        json_array_set_new(node, (size_t)atoi(key), json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_set_new(node, key, json_loads(value, JSON_DECODE_ANY, NULL));
    return root;
}

static void expect_refused(const char *at, const char *value, const char *text)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_config config;
    assert_int_equal(trn_config_decode(changed(at, value), "/", &config, &err), SNAP_INVALID);
    if (strstr(err.text, text) == NULL)
        fail_msg("%s %s: \"%s\" is not in \"%s\"", at, value != NULL ? value : "(removed)", text,
                 err.text);
}

static void expect_taken(const char *at, const char *value, struct trn_config *config)
{
    struct snap_error err = SNAP_ERROR_INIT;
    if (trn_config_decode(changed(at, value), "/", config, &err) != SNAP_OK)
        fail_msg("%s %s: %s", at, value, err.text);
}

/* Every example in schema/examples, and those that users start from. */
static void each_example(const char *folder, const char *prefix, bool valid, size_t at_least)
{
    char path[1000];
    size_t seen = 0;
    const char *top = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/%s", top != NULL ? top : ".", folder);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct trn_config config;
        struct snap_error err = SNAP_ERROR_INIT;
        size_t length = strlen(entry->d_name);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || length < 5 ||
            strcmp(entry->d_name + length - 5, ".json") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s/%s", top != NULL ? top : ".", folder, entry->d_name);
        enum snap_status status = trn_config_load(path, NULL, &config, &err);
        if (status != (valid ? SNAP_OK : SNAP_INVALID))
            fail_msg("%s: %s: %s", path, snap_status_name(status), err.text);
        if (status == SNAP_OK)
            trn_config_release(&config);
        else
            assert_non_null(strstr(err.text, "xpected"));
        seen++;
    }
    closedir(dir);
    assert_true(seen >= at_least);
}

static void examples(void **state)
{
    (void)state;
    each_example("schema/examples/valid", "config.", true, 4);
    each_example("schema/examples/invalid", "config.", false, 25);
    each_example("examples", "", true, 4);
}

static void tf32_is_a_key_of_cudnn(void **state)
{
    struct trn_config config;
    (void)state;
    expect_taken("training/profile", "\"portable-1\"", &config);
    assert_string_equal(config.profile, "portable-1");
    assert_null(json_object_get(json_object_get(config.root, "training"), "tf32"));
    trn_config_release(&config);
    expect_taken("training/profile", "\"cudnn-1\"", &config);
    assert_string_equal(config.profile, "cudnn-1");
    assert_false(config.tf32);
    assert_true(json_is_false(json_object_get(json_object_get(config.root, "training"), "tf32")));
    trn_config_release(&config);
    expect_refused("training/profile", "\"cudnn-2\"", "training.profile: expected");
    expect_refused("training/tf32", "false", "training.tf32: expected no such key: only profile "
                                             "cudnn-1 has it");
}

static void errors_name_key_and_expectation(void **state)
{
    (void)state;
    expect_refused("training/optimizer/learning_rate", "0.1",
                   "training.optimizer.learning_rate: expected a decimal number in a string, such "
                   "as \"0.01\"");
    expect_refused("training/optimizer/learning_rate", NULL, "it is missing");
    expect_refused("training/optimizer/learnin_rate", "\"0.1\"",
                   "training.optimizer.learnin_rate: unknown key: did you mean \"learning_rate\"?");
    expect_refused("training/optimizer/beta1", "\"0.9\"", "training.optimizer.beta1: unknown key");
    expect_refused("training/bacth_size", "3", "did you mean \"batch_size\"?");
    expect_refused("training/batch_size", "0", "training.batch_size: expected an integer from 1");
    expect_refused("training/batch_size", "32.0", "training.batch_size: expected an integer");
    expect_refused("training/model/1/features", "\"10\"",
                   "training.model[1].features: expected an integer from 1");
    expect_refused("training/model/1/kind", "\"linaer\"",
                   "training.model[1].kind: expected \"linear\", ");
    expect_refused("training/model/1/name", "\"flatten\"",
                   "training.model[1].name: expected a unique name: there is a layer \"flatten\" "
                   "already");
    expect_refused("training/data/shape", "[8,8,0]", "training.data.shape: expected [height, ");
    expect_refused("training/seed", "4294967296", "training.seed: expected an integer from 0 to "
                                                  "4294967295");
    expect_refused("running", "{\"keep\":{\"steps\":[]}}", "running.keep.steps: expected");
    expect_refused("running", "{\"keep\":{\"steps\":[5,0]}}", "running.keep.steps: expected");
    expect_refused("running", "{\"keep\":{\"steps\":[5,\"6\"]}}", "a list of steps");
    expect_refused("training/last_batch", "\"cut\"", "expected \"keep\" or \"drop\"");
    expect_refused("training/augment", "[]", "training.augment: expected an object");
    expect_refused("running", "{\"thread\":1}", "running.thread: unknown key: did you mean "
                                                "\"threads\"?");
    expect_refused("running", "{\"data\":{\"images\":\"x\"}}", "running.data.images: unknown key");
    expect_refused("trainnig", "{}", "config: trainnig: unknown key: did you mean \"training\"?");
}

static char *normal(const char *at, const char *value)
{
    struct trn_config config;
    expect_taken(at, value, &config);
    char *text = trn_config_training_text(&config);
    trn_config_release(&config);
    return text;
}

/* Configs that mean the same become one text, and that text is its own normal form. */
static void defaults_are_written_out(void **state)
{
    (void)state;
    char *plain = normal("training/last_batch", "\"keep\"");
    static const char *const same[][2] = {
        { "training/seeds", "{\"host\":42}" },
        { "training/augment", "{\"shift\":0}" },
        { "training/optimizer/momentum", "\"0\"" },
        { "training/model/1/bias", "true" },
        { "training/schedule", "{\"kind\":\"constant\",\"warmup_steps\":0}" },
        { "training/ledger", "{\"batch_bytes\":false}" },
        { "running", "{\"threads\":3}" },
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        char *text = normal(same[i][0], same[i][1]);
        assert_string_equal(text, plain);
        free(text);
    }
    char *other = normal("training/seeds", "{\"host\":43}");
    assert_string_not_equal(other, plain);
    free(other);
    struct trn_config config;
    assert_int_equal(trn_config_of_archive(plain, NULL, &config, NULL), SNAP_OK);
    char *again = trn_config_training_text(&config);
    assert_string_equal(again, plain);
    assert_int_equal(config.seed_python, 42);
    free(again);
    trn_config_release(&config);
    free(plain);
}

static void seeds(void **state)
{
    (void)state;
    struct trn_config config;
    expect_taken("training/seeds", "{\"numpy\":7,\"device\":9007199254740992}", &config);
    assert_int_equal(config.seed_python, 42);
    assert_int_equal(config.seed_numpy, 7);
    assert_int_equal(config.seed_host, 42);
    assert_int_equal(config.seed_device, 9007199254740992);
    trn_config_release(&config);
    expect_refused("training/seeds", "{\"device\":9007199254740993}", "training.seeds.device");
    expect_refused("training/seeds", "{\"numpy\":4294967296}", "training.seeds.numpy");
}

static void windows(void **state)
{
    (void)state;
    struct trn_config config;
    expect_taken("training/model/0",
                 "{\"name\":\"p\",\"kind\":\"maxpool\",\"kernel\":[2,3],\"padding\":1}", &config);
    const struct trn_window *window = &config.layers[0].window;
    assert_int_equal(window->kernel_h, 2);
    assert_int_equal(window->kernel_w, 3);
    assert_int_equal(window->stride_h, 2);
    assert_int_equal(window->stride_w, 3);
    assert_int_equal(window->padding_w, 1);
    trn_config_release(&config);
    expect_taken("training/model/0",
                 "{\"name\":\"c\",\"kind\":\"conv2d\",\"kernel\":3,\"features\":2}", &config);
    assert_int_equal(config.layers[0].window.stride_w, 1);
    assert_true(config.layers[0].bias);
    trn_config_release(&config);
}

static void gpt_stands_for_layers(void **state)
{
    static const struct {
        enum trn_layer_kind kind;
        const char *name;
        size_t number; /* features or heads */
        const char *from;
    } expected[] = {
        { TRN_LAYER_EMBEDDING, "t.wte", 6, NULL },
        { TRN_LAYER_POSITION, "t.wpe", 0, NULL },
        { TRN_LAYER_DROPOUT, "t.drop", 0, NULL },
        { TRN_LAYER_LAYERNORM, "t.h.0.ln_1", 0, NULL },
        { TRN_LAYER_LINEAR, "t.h.0.attn.c_attn", 18, NULL },
        { TRN_LAYER_ATTENTION, "t.h.0.attn", 3, NULL },
        { TRN_LAYER_LINEAR, "t.h.0.attn.c_proj", 6, NULL },
        { TRN_LAYER_DROPOUT, "t.h.0.attn.resid_dropout", 0, NULL },
        { TRN_LAYER_RESIDUAL, "t.h.0.residual_1", 0, "t.drop" },
        { TRN_LAYER_LAYERNORM, "t.h.0.ln_2", 0, NULL },
        { TRN_LAYER_LINEAR, "t.h.0.mlp.c_fc", 24, NULL },
        { TRN_LAYER_GELU, "t.h.0.mlp.gelu", 0, NULL },
        { TRN_LAYER_LINEAR, "t.h.0.mlp.c_proj", 6, NULL },
        { TRN_LAYER_DROPOUT, "t.h.0.mlp.dropout", 0, NULL },
        { TRN_LAYER_RESIDUAL, "t.h.0.residual_2", 0, "t.h.0.residual_1" },
        { TRN_LAYER_LAYERNORM, "t.ln_f", 0, NULL },
    };
    const size_t count = sizeof(expected) / sizeof(expected[0]);
    struct trn_config config;
    size_t seen = 0;
    (void)state;
    expect_taken("training/model/0", "{\"name\":\"t\",\"kind\":\"gpt\",\"layers\":1,\"heads\":3,"
                                     "\"width\":6,\"dropout\":\"0.25\",\"eps\":\"1e-4\"}", &config);
    assert_int_equal(config.layer_count, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct trn_layer_spec *layer = &config.layers[i];
        assert_int_equal(layer->kind, expected[i].kind);
        assert_string_equal(layer->name, expected[i].name);
        assert_int_equal(layer->features + layer->heads, expected[i].number);
        assert_true(layer->bias == (layer->kind == TRN_LAYER_LINEAR));
        assert_string_equal(layer->from != NULL ? layer->from : "",
                            expected[i].from != NULL ? expected[i].from : "");
        assert_true(layer->kind != TRN_LAYER_DROPOUT || layer->probability == 0.25);
        assert_true(layer->kind != TRN_LAYER_LAYERNORM || layer->eps == 1e-4);
    }
    assert_string_equal(config.layers[count].name, "fc1");
    trn_config_release(&config);

    expect_taken("training/model/0", "{\"name\":\"t\",\"kind\":\"gpt\",\"layers\":80,\"heads\":1,"
                                     "\"width\":1}", &config);
    assert_int_equal(config.layer_count, 2 + 80 * 10 + 1 + 1);
    for (size_t i = 0; i < config.layer_count; i++)
        seen += config.layers[i].kind == TRN_LAYER_DROPOUT;
    assert_int_equal(seen, 0);
    assert_string_equal(config.layers[6].from, "t.wpe");
    trn_config_release(&config);
}

static void wrong_gpts_are_refused(void **state)
{
    static const char *const wrong[][2] = {
        { "\"layers\":1,\"heads\":3,\"width\":8",
          "training.model[0].heads: expected a divisor of the width, 8" },
        { "\"layers\":81,\"heads\":1,\"width\":8", "training.model[0].layers: expected an int" },
        { "\"layers\":1,\"heads\":0,\"width\":8", "training.model[0].heads: expected an integer" },
        { "\"layers\":1,\"heads\":2", "training.model[0].width: expected an integer" },
        { "\"layers\":1,\"heads\":2,\"width\":8,\"dropout\":\"1\"", "training.model[0].dropout: " },
        { "\"layers\":1,\"heads\":2,\"width\":8,\"features\":8",
          "training.model[0].features: unknown key" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char layer[200];
        snprintf(layer, sizeof(layer), "{\"name\":\"t\",\"kind\":\"gpt\",%s}", wrong[i][0]);
        expect_refused("training/model/0", layer, wrong[i][1]);
    }
    expect_refused("training/model/0",
                   "{\"name\":\"a23456789012345678901234567890123\",\"kind\":\"gpt\",\"layers\":1,"
                   "\"heads\":1,\"width\":8}",
                   "training.model[0].name: expected a name of letters");
    expect_refused("training/model",
                   "[{\"name\":\"a\",\"kind\":\"gpt\",\"layers\":80,\"heads\":1,\"width\":8},"
                   "{\"name\":\"b\",\"kind\":\"gpt\",\"layers\":80,\"heads\":1,\"width\":8}]",
                   "training.model[1].kind: expected at most 1000 layers");
    expect_refused("training/model/0", "{\"name\":\"r\",\"kind\":\"residual\"}",
                   "training.model[0].from: expected the name of a layer");
    expect_refused("training/model/0", "{\"name\":\"a\",\"kind\":\"attention\"}",
                   "training.model[0].heads: expected an integer");
}

static void text_data(void **state)
{
    struct trn_config config;
    (void)state;
    expect_taken("training/data", "{\"format\":\"text\",\"context\":32}", &config);
    assert_true(config.is_text);
    assert_int_equal(config.text.context, 32);
    assert_int_equal(config.text.stride, 32);
    assert_true(config.text.held_out == 0.1);
    assert_int_equal(config.shape.height, 32);
    assert_int_equal(config.shape.classes, 256);
    trn_config_release(&config);
    char *plain = normal("training/data", "{\"format\":\"text\",\"context\":32}");
    char *full = normal("training/data", "{\"format\":\"text\",\"context\":32,\"stride\":32,"
                                         "\"held_out\":\"0.1\"}");
    assert_string_equal(plain, full);
    assert_null(strstr(plain, "augment"));
    free(plain);
    free(full);
    expect_refused("training/data", "{\"format\":\"text\"}",
                   "training.data.context: expected an integer from 1");
    expect_refused("training/data", "{\"format\":\"text\",\"context\":8,\"shape\":[8,1,1]}",
                   "training.data.shape: unknown key");
    expect_refused("training/data", "{\"format\":\"text\",\"context\":8,\"held_out\":\"1\"}",
                   "training.data.held_out: ");
    expect_refused("training/data", "{\"context\":8}", "training.data.context: unknown key");
    json_t *root = changed("training/data", "{\"format\":\"text\",\"context\":8}");
    json_object_set_new(json_object_get(root, "training"), "augment", json_object());
    struct snap_error err = SNAP_ERROR_INIT;
    assert_int_equal(trn_config_decode(root, "/", &config, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "training.augment: expected no such key"));
}

static void decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {
        { "0", 0.0 },     { "0.1", 0x1.999999999999ap-4 }, { "-0.5", -0.5 },
        { "1e-8", 1e-8 }, { "12.50e+2", 1250.0 },          { "9007199254740993", 0x1p53 },
        { "5e-324", 0x1p-1074 },
    };
    static const char *const bad[] = { "",     ".5",   "5.",     "0,1",  "1e",    "01",   "+1",
                                       "0x1p3", "inf", "nan",    " 1",   "1 ",    "1e999", "1E3",
                                       "1e+",  "--1",  "1.2.3",  "1_000",
                                       "0.10000000000000000000000000000000000000000" };
    double value;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(trn_decimal_parse(good[i].text, &value));
        assert_memory_equal(&value, &good[i].value, sizeof(value));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(trn_decimal_parse(bad[i], &value));
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void files(void **state)
{
    (void)state;
    char folder[] = "/tmp/snap-test-config.XXXXXX";
    char path[100];
    char expected[100];
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_config config;
    uint64_t seed = 7;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/config.json", folder);

    assert_int_equal(trn_config_load(path, NULL, &config, &err), SNAP_IO);
    assert_non_null(strstr(err.text, path));
    write_text(path, "{\n  \"training\": {,}\n}\n");
    assert_int_equal(trn_config_load(path, NULL, &config, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "line 2, column"));
    write_text(path, "{\"training\":{},\"training\":{}}");
    assert_int_equal(trn_config_load(path, NULL, &config, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "duplicate"));

    json_t *root = changed("running", "{\"data\":{\"train_images\":\"a/b\",\"test_images\":"
                                      "\"/c\"}}");
    char *text = json_dumps(root, 0);
    write_text(path, text);
    free(text);
    json_decref(root);
    assert_int_equal(trn_config_load(path, &seed, &config, &err), SNAP_OK);
    snprintf(expected, sizeof(expected), "%s/a/b", folder);
    assert_string_equal(config.paths[TRN_TRAIN_IMAGES], expected);
    assert_string_equal(config.paths[TRN_TEST_IMAGES], "/c");
    assert_null(config.paths[TRN_TEST_LABELS]);
    assert_int_equal(config.seed_host, 7);
    trn_config_release(&config);

    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(tf32_is_a_key_of_cudnn),
        cmocka_unit_test(errors_name_key_and_expectation),
        cmocka_unit_test(defaults_are_written_out),
        cmocka_unit_test(seeds),
        cmocka_unit_test(windows),
        cmocka_unit_test(gpt_stands_for_layers),
        cmocka_unit_test(wrong_gpts_are_refused),
        cmocka_unit_test(text_data),
        cmocka_unit_test(decimals),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
