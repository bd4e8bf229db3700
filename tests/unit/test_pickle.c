/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of pickles: what it makes of each opcode, and what it refuses, by reason and byte. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "foreign/foreign_limits.h"
#include "foreign/pickle_names.h"
#include "foreign/pickle_reader.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static enum snap_status read_bytes(const void *data, size_t size, bool persistent,
                                   struct snap_pickle **pickle,
                                   const struct snap_pickle_value **root)
{
    struct snap_pickle_options options = { .what = "FILE", .persistent_ids = persistent };
    return snap_pickle_read(data, size, &options, pickle, root, NULL, &err);
}

/* ---- values as text, as Python would show them ---- */

static void describe(const struct snap_pickle_value *value, struct snap_buffer *out);

static void add(struct snap_buffer *out, const char *text)
{
    CHECK_OK(snap_buffer_append_text(out, text, &err));
}

static void describe_items(const struct snap_pickle_value *value, const char *open,
                           const char *close, struct snap_buffer *out)
{
    add(out, open);
    for (uint32_t i = 0; i < value->count; i++) {
        add(out, i > 0 ? (value->type == SNAP_PICKLE_DICT && i % 2 == 1 ? ": " : ", ") : "");
        describe(value->as.children.items[i], out);
    }
    add(out, close);
}

static void describe_bytes(const struct snap_pickle_value *value, const char *quote,
                           struct snap_buffer *out)
{
    add(out, quote);
    for (size_t i = 0; i < value->as.bytes.size; i++)
        CHECK_OK(snap_buffer_appendf(out, &err, value->as.bytes.data[i] >= 0x20 &&
                                                        value->as.bytes.data[i] < 0x7f
                                                    ? "%c"
                                                    : "\\x%02x",
                                     value->as.bytes.data[i]));
    add(out, "'");
}

static void describe_dict(const struct snap_pickle_value *value, struct snap_buffer *out)
{
    const struct snap_pickle_name *name = value->as.children.class_name;
    add(out, name != NULL ? name->name : "");
    describe_items(value, "{", "}", out);
    if (value->as.children.extra != NULL) {
        add(out, "+");
        describe(value->as.children.extra, out);
    }
}

static void describe(const struct snap_pickle_value *value, struct snap_buffer *out)
{
    switch (value->type) {
    case SNAP_PICKLE_NONE:
        add(out, "None");
        break;
    case SNAP_PICKLE_BOOL:
        add(out, value->as.boolean ? "True" : "False");
        break;
    case SNAP_PICKLE_INT:
    case SNAP_PICKLE_LONG:
        CHECK_OK(snap_pickle_digits(value, 4300, out, &err));
        break;
    case SNAP_PICKLE_FLOAT:
        CHECK_OK(snap_buffer_appendf(out, &err, "%.17g", value->as.number));
        break;
    case SNAP_PICKLE_STR:
        describe_bytes(value, "'", out);
        break;
    case SNAP_PICKLE_BYTES:
        describe_bytes(value, "b'", out);
        break;
    case SNAP_PICKLE_BYTEARRAY:
        describe_bytes(value, "bytearray'", out);
        break;
    case SNAP_PICKLE_LIST:
        describe_items(value, "[", "]", out);
        break;
    case SNAP_PICKLE_TUPLE:
        describe_items(value, "(", ")", out);
        break;
    case SNAP_PICKLE_SET:
        describe_items(value, "set{", "}", out);
        break;
    case SNAP_PICKLE_FROZENSET:
        describe_items(value, "frozenset{", "}", out);
        break;
    case SNAP_PICKLE_DICT:
        describe_dict(value, out);
        break;
    case SNAP_PICKLE_NAME:
        add(out, value->as.name->name);
        break;
    case SNAP_PICKLE_OBJECT:
        add(out, value->as.object.callable->name);
        describe(value->as.object.arguments, out);
        if (value->as.object.state != NULL) {
            add(out, "<-");
            describe(value->as.object.state, out);
        }
        break;
    default:
        add(out, "@");
        describe(value->as.id, out);
        break;
    }
}

struct value_case {
    const char *bytes;
    size_t size;
    const char *text;
};
#define VALUE(bytes, text) { bytes, sizeof(bytes) - 1, text }

static const struct value_case value_cases[] = {
    /* Numbers. */
    VALUE("I12\n.", "12"),
    VALUE("I-3\n.", "-3"),
    VALUE("I01\n.", "True"),
    VALUE("I00\n.", "False"),
    VALUE("L18446744073709551616L\n.", "18446744073709551616"),
    VALUE("L-9223372036854775808L\n.", "-9223372036854775808"),
    VALUE("L-9223372036854775809\n.", "-9223372036854775809"),
    VALUE("K\xff.", "255"),
    VALUE("M\x01\x02.", "513"),
    VALUE("J\xfe\xff\xff\xff.", "-2"),
    VALUE("\x8a\x00.", "0"),
    VALUE("\x8a\x01\x80.", "-128"),
    VALUE("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00.", "18446744073709551615"),
    VALUE("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff.", "-18446744073709551616"),
    VALUE("\x8b\x02\x00\x00\x00\x00\x01.", "256"),
    VALUE("F1.5\n.", "1.5"),
    VALUE("F-1e+20\n.", "-1e+20"),
    VALUE("F1E5\n.", "100000"),
    VALUE("F-inf\n.", "-inf"),
    VALUE("G\x3f\xf8\x00\x00\x00\x00\x00\x00.", "1.5"),
    VALUE("N.", "None"),
    VALUE("\x80\x02\x88.", "True"),
    VALUE("\x80\x02\x89.", "False"),
    /* Text and bytes. */
    VALUE("Va\\u00e9\\U0001f600\xe9\n.", "'a\\xc3\\xa9\\xf0\\x9f\\x98\\x80\\xc3\\xa9'"),
    VALUE("V\\\\u0041\\\\\\u0041\\x\\\n.", "'\\\\u0041\\\\A\\x\\'"),
    VALUE("X\x02\x00\x00\x00hi.", "'hi'"),
    VALUE("\x8c\x03\xed\xa0\x80.", "'\\xed\\xa0\\x80'"), /* a lone surrogate */
    VALUE("\x8d\x01\x00\x00\x00\x00\x00\x00\x00x.", "'x'"),
    VALUE("S'a\\n\\x41\\101\\\\'\n.", "'a\\x0aAA\\'"),
    VALUE("S\"it's\"\n.", "'it's'"),
    VALUE("U\x02hi.", "'hi'"),
    VALUE("T\x01\x00\x00\x00\xff.", "b'\\xff'"), /* of Python 2, and no ASCII */
    VALUE("C\x02\x00\xff.", "b'\\x00\\xff'"),
    VALUE("B\x01\x00\x00\x00z.", "b'z'"),
    VALUE("\x8e\x01\x00\x00\x00\x00\x00\x00\x00z.", "b'z'"),
    VALUE("\x96\x01\x00\x00\x00\x00\x00\x00\x00z.", "bytearray'z'"),
    VALUE("c_codecs\nencode\n(V\xe9\nVlatin1\ntR.", "b'\\xe9'"),
    VALUE("c__builtin__\nbytes\n)R.", "b''"),
    VALUE("c__builtin__\nbytearray\n(Vx\xff\nVlatin-1\ntR.", "bytearray'x\\xff'"),
    /* Containers. */
    VALUE("(lp0\nI1\na.", "[1]"),
    VALUE("](K\x01K\x02" "e.", "[1, 2]"),
    VALUE("(K\x01K\x02t.", "(1, 2)"),
    VALUE(").", "()"),
    VALUE("K\x01\x85.", "(1)"),
    VALUE("K\x01K\x02\x86.", "(1, 2)"),
    VALUE("K\x01K\x02K\x03\x87.", "(1, 2, 3)"),
    VALUE("(Va\nI1\nd.", "{'a': 1}"),
    VALUE("}(Va\nI1\nI2\nNu.", "{'a': 1, 2: None}"),
    VALUE("}Va\nI1\ns.", "{'a': 1}"),
    VALUE("\x8f(K\x01\x90.", "set{1}"),
    VALUE("(K\x01\x91.", "frozenset{1}"),
    VALUE("c__builtin__\nset\n(](K\x01K\x02" "etR.", "set{1, 2}"),
    VALUE("c__builtin__\nfrozenset\n((ltR.", "frozenset{}"),
    VALUE("ccollections\nOrderedDict\n)R(Va\nI1\nu.", "OrderedDict{'a': 1}"),
    VALUE("ccollections\nOrderedDict\n((l(lVa\naI1\naatR.", "OrderedDict{'a': 1}"),
    VALUE("ccollections\nOrderedDict\n)R}Vm\nI1\nsb.", "OrderedDict{}+{'m': 1}"),
    VALUE("ccollections\ndefaultdict\ncbuiltins\nlist\n\x85R.", "defaultdict{}+list"),
    VALUE("ccollections\nCounter\n}K\x05K\x02s\x85R.", "Counter{5: 2}"),
    /* Objects. */
    VALUE("cargparse\nNamespace\n)\x81}Va\nI1\nsb.", "Namespace()<-{'a': 1}"),
    VALUE("ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR}b.",
          "Namespace()<-{}"),
    VALUE("(cargparse\nNamespace\no.", "Namespace()"),
    VALUE("(iargparse\nNamespace\n.", "Namespace()"),
    VALUE("ctorch\nSize\n(I2\nI3\nt\x85R.", "Size((2, 3))"),
    VALUE("ctorch\nfloat32\n.", "float32"),
    VALUE("\x80\x04\x8c\x05numpy\x8c\x05" "dtype\x93(\x8c\x02" "f4\x89\x88tR.",
          "dtype('f4', False, True)"),
    /* The stack, the memo, frames. */
    VALUE("I1\nI2\n0.", "1"),
    VALUE("I1\n(I2\nI3\n1.", "1"),
    VALUE("I1\n(0.", "1"),
    VALUE("(I1\n2t.", "(1, 1)"),
    VALUE("(I1\np1\ng1\nt.", "(1, 1)"),
    VALUE("(I1\nq\x00h\x00r\x01\x00\x00\x00j\x01\x00\x00\x00t.", "(1, 1, 1)"),
    VALUE("\x80\x04(\x8c\x01x\x94h\x00t.", "('x', 'x')"),
    VALUE("\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00K\x01.", "1"),
};

static void values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof value_cases / sizeof value_cases[0]; i++) {
        const struct value_case *one = &value_cases[i];
        struct snap_pickle *pickle = NULL;
        const struct snap_pickle_value *root = NULL;
        struct snap_buffer text = SNAP_BUFFER_INIT;
        CHECK_OK(read_bytes(one->bytes, one->size, false, &pickle, &root));
        describe(root, &text);
        assert_string_equal((const char *)text.data, one->text);
        snap_buffer_release(&text);
        snap_pickle_free(pickle);
    }
}

/* ---- refused ---- */

struct refusal {
    const char *bytes;
    size_t size;
    enum snap_status status;
    const char *text; /* in the message */
};
#define REFUSED(bytes, text) { bytes, sizeof(bytes) - 1, SNAP_UNSUPPORTED, text }
#define CORRUPT(bytes, text) { bytes, sizeof(bytes) - 1, SNAP_CORRUPT, text }

static const struct refusal refusals[] = {
    /* What would be executed. */
    REFUSED("cos\nsystem\n(Vid\ntR.", "FILE: byte 0 of a pickle: GLOBAL: refused: os.system"),
    REFUSED("cposix\nsystem\n(Vid\ntR.", "posix.system"),
    REFUSED("cbuiltins\neval\n(V1\ntR.", "builtins.eval"),
    REFUSED("c__builtin__\ngetattr\n(Va\nVb\ntR.", "__builtin__.getattr"),
    REFUSED("cbuiltins\n__import__\n(Vos\ntR.", "builtins.__import__"),
    REFUSED("(ios\nsystem\n.", "byte 1 of a pickle: INST: refused: os.system"),
    REFUSED("\x80\x04\x8c\x02os\x8c\x06system\x93.", "STACK_GLOBAL: refused: os.system"),
    REFUSED("\x80\x04\x8c\x05torch\x8c\x0dserialization\x93.", "torch.serialization"),
    REFUSED("ctorch\nload\n(Vx\ntR.", "torch.load"),
    REFUSED("cnumpy.testing._private.utils\nrunstring\n.", "runstring"),
    REFUSED("ctorch.storage\n_load_from_bytes\n.", "_load_from_bytes"),
    REFUSED("cos\x1b[2J\nsystem\n.", "os?[2J.system"), /* nothing speaks to a terminal */
    /* What is on the list, and not to be called, or not so. */
    REFUSED("cnumpy\nndarray\n)R.", "numpy.ndarray with arguments"),
    REFUSED("cnumpy\nndarray\n((I9\ntV<u4\nNtR.", "numpy.ndarray with arguments"),
    REFUSED("ctorch\nTensor\n)R.", "torch.Tensor is nothing to call"),
    REFUSED("ctorch\nfloat32\n)R.", "torch.float32 is nothing to call"),
    REFUSED("c__builtin__\ndict\n)R.", "nothing to call"),
    REFUSED("Vx\n)R.", "REDUCE: refused: a str is nothing to call"),
    REFUSED("cargparse\nNamespace\n)R)R.", "argparse.Namespace is nothing to call"),
    REFUSED("c_codecs\nencode\n(Vx\nVrot13\ntR.", "_codecs.encode with arguments"),
    REFUSED("c_codecs\nencode\n(Vx\ntR.", "_codecs.encode with arguments"),
    REFUSED("c__builtin__\nbytearray\n(I1000000000\ntR.", "bytearray with arguments"),
    REFUSED("c__builtin__\nbytes\n(I1000000000\ntR.", "bytes with arguments"),
    REFUSED("c__builtin__\nset\n(Vx\ntR.", "set with arguments"),
    REFUSED("ccollections\nOrderedDict\n((lNatR.", "OrderedDict with arguments"),
    REFUSED("ccollections\ndefaultdict\n(Vx\ntR.", "defaultdict with arguments"),
    REFUSED("ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.",
            "_reconstructor with arguments"),
    REFUSED("cargparse\nNamespace\n)}Va\nI1\ns\x92.", "made with keywords"),
    CORRUPT("cargparse\nNamespace\nI1\nR.", "its arguments are no tuple"),
    /* __setstate__ and methods. */
    REFUSED("Vx\n}b.", "BUILD: refused: a str would have to take a state"),
    REFUSED("}}b.", "BUILD: refused: a dict"),
    REFUSED("ctorch\nSize\n)R}b.", "BUILD: refused: what is made by torch.Size"),
    REFUSED("ctorch\nfloat32\n}b.", "BUILD: refused: torch.float32"),
    REFUSED("cargparse\nNamespace\n)R}b}b.", "gets a second state"),
    REFUSED("cargparse\nNamespace\n)RI1\na.",
            "APPEND: refused: what is made by argparse.Namespace"),
    REFUSED("cargparse\nNamespace\n)R(I1\nI2\nu.", "SETITEMS: refused"),
    REFUSED("(I1\nt(I2\n\x90.", "ADDITEMS: refused: a tuple"),
    /* What is outside the file. */
    REFUSED("P123\n.", "PERSID: refused"),
    REFUSED("Vx\nQ.", "BINPERSID: refused"),
    REFUSED("\x82\x01.", "EXT1: refused"),
    REFUSED("\x83\x01\x02.", "EXT2: refused"),
    REFUSED("\x84\x01\x02\x03\x04.", "EXT4: refused"),
    REFUSED("\x97.", "NEXT_BUFFER: refused"),
    REFUSED("N\x98.", "READONLY_BUFFER: refused"),
    REFUSED("\x80\x06N.", "protocol 6"),
    /* Sizes that lie. */
    CORRUPT("\x8b\xff\xff\xff\x7f.", "LONG4: it is said to have 2147483647 bytes"),
    CORRUPT("\x8b\xff\xff\xff\xff.", "LONG4: it is said to have 4294967295 bytes"),
    CORRUPT("X\xff\xff\xff\xff.", "BINUNICODE"),
    CORRUPT("\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "BINUNICODE8: it is said to have "
                                                     "18446744073709551615 bytes"),
    CORRUPT("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "BINBYTES8"),
    CORRUPT("\x96\x00\x00\x00\x00\x01\x00\x00\x00.", "BYTEARRAY8"),
    CORRUPT("\x95\xff\xff\xff\xff\x00\x00\x00\x00N.", "a frame of 4294967295 bytes"),
    REFUSED("(I1\np7\n0g7\nt.", "place 7 of the memo"), /* before seven values */
    REFUSED("I1\nr\xff\xff\xff\xff.", "place 4294967295 of the memo"),
    REFUSED("I1\np999999999999\n.", "place 999999999999 of the memo"),
    CORRUPT("I1\np9999999999999999999\n.", "no number of a place in the memo"),
    CORRUPT("I1\np-1\n.", "no number of a place in the memo"),
    CORRUPT("g0\n.", "place 0 of the memo is empty"),
    CORRUPT("h\x05.", "place 5 of the memo is empty"),
    /* The stack. */
    CORRUPT(".", "STOP: 0 values"),
    CORRUPT("NN.", "STOP: 2 values"),
    CORRUPT("(N.", "STOP: 1 values and 1 marks"),
    CORRUPT("R", "there is no value to take"),
    CORRUPT("N(R", "there is no value to take"), /* not below a mark */
    CORRUPT("0", "there is no value to take"),
    CORRUPT("t", "there is no mark"),
    CORRUPT("e", "there is no mark"),
    CORRUPT("(e", "there is no container"),
    CORRUPT("N\x86.", "there are fewer values"),
    CORRUPT("}(Nu.", "a key without a value"),
    CORRUPT("(Nd.", "a key without a value"),
    CORRUPT("(o.", "there is no class"),
    CORRUPT("NN\x93.", "a name is two strings"),
    /* Texts and numbers that are none. */
    CORRUPT("I1x\n.", "no integer"),
    CORRUPT("I\n.", "no integer"),
    CORRUPT("L--1\n.", "no integer"),
    CORRUPT("F1.5.5\n.", "no float"),
    CORRUPT("F0x10\n.", "no float"),
    CORRUPT("F\n.", "no float"),
    CORRUPT("X\x01\x00\x00\x00\xff.", "not UTF-8"),
    CORRUPT("X\x02\x00\x00\x00\xc0\x80.", "not UTF-8"),
    CORRUPT("V\\ud8\n.", "an escape"),
    CORRUPT("V\\U00110000\n.", "an escape"),
    CORRUPT("Sx\n.", "no string in quotes"),
    CORRUPT("S'a\\q'\n.", "an escape"),
    CORRUPT("S'a\\'\n.", "an escape"),
    CORRUPT("Vx", "its line has no end"),
    CORRUPT("cos", "its line has no end"),
    CORRUPT("c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.", "latin-1 does not have"),
    CORRUPT("\xff", "this byte begins none"),
    CORRUPT("", "byte 0 of a pickle: the file ends"),
    CORRUPT("N", "byte 1 of a pickle: the file ends"),
    CORRUPT("N.N", "byte 2: 1 bytes follow the pickle"),
    /* Shapes that cannot be walked. */
    REFUSED("]q\x00h\x00" "a.", "it contains itself"),
    REFUSED("}q\x00Va\nh\x00s.", "it contains itself"),
    REFUSED("]q\x00(h\x00tq\x01" "a.", "it contains itself"),
    REFUSED("}(Va\nI1\nVa\nI2\nu.", "a dict has the key"),
    REFUSED("}(I5\nI1\nK\x05I2\nu.", "a dict has the key"),
};

static void what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *one = &refusals[i];
        struct snap_pickle *pickle = NULL;
        const struct snap_pickle_value *root = NULL;
        CHECK_FAILS(one->status, one->text,
                    read_bytes(one->bytes, one->size, false, &pickle, &root));
        assert_null(pickle);
    }
}

static void persistent_ids(void **state)
{
    static const char bytes[] = "\x80\x02X\x01\x00\x00\x00kQ.";
    struct snap_pickle *pickle = NULL;
    const struct snap_pickle_value *root = NULL;
    (void)state;
    CHECK_OK(read_bytes(bytes, sizeof bytes - 1, true, &pickle, &root));
    assert_true(snap_pickle_is(root, SNAP_PICKLE_PERSISTENT));
    assert_true(snap_pickle_is_text(root->as.id, "k"));
    snap_pickle_free(pickle);
}

/* ---- bombs: small files that ask for much ---- */

static void check_bomb(const struct snap_buffer *bytes, enum snap_status status, const char *text)
{
    struct snap_pickle *pickle = NULL;
    const struct snap_pickle_value *root = NULL;
    CHECK_FAILS(status, text, read_bytes(bytes->data, bytes->size, false, &pickle, &root));
}

static void repeat(struct snap_buffer *bytes, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(bytes, text);
}

/* Ten references to ten references to ...: billions of values in a few hundred bytes. */
static void laughs(void **state)
{
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    (void)state;
    add(&bytes, "(I1\nl");
    for (int level = 0; level < 10; level++) {
        CHECK_OK(snap_buffer_appendf(&bytes, &err, "p%d\n0(", level));
        for (int i = 0; i < 10; i++)
            CHECK_OK(snap_buffer_appendf(&bytes, &err, "g%d\n", level));
        add(&bytes, "l");
    }
    add(&bytes, ".");
    check_bomb(&bytes, SNAP_UNSUPPORTED, "with all that it refers to");
    snap_buffer_release(&bytes);
    /* The same by DUP: each level a tuple of two of the last. */
    add(&bytes, "N");
    repeat(&bytes, "2\x86", 40);
    add(&bytes, ".");
    check_bomb(&bytes, SNAP_UNSUPPORTED, "with all that it refers to");
    snap_buffer_release(&bytes);
}

static void depth(void **state)
{
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    struct snap_pickle *pickle = NULL;
    const struct snap_pickle_value *root = NULL;
    (void)state;
    add(&bytes, "N");
    repeat(&bytes, "\x85", SNAP_MAX_PICKLE_DEPTH - 1);
    add(&bytes, ".");
    CHECK_OK(read_bytes(bytes.data, bytes.size, false, &pickle, &root));
    snap_pickle_free(pickle);
    snap_buffer_release(&bytes);
    add(&bytes, "N");
    repeat(&bytes, "\x85", SNAP_MAX_PICKLE_DEPTH);
    add(&bytes, ".");
    check_bomb(&bytes, SNAP_UNSUPPORTED, "inside each other");
    snap_buffer_release(&bytes);
    add(&bytes, "N");
    repeat(&bytes, "\x85", 1000000);
    add(&bytes, ".");
    check_bomb(&bytes, SNAP_UNSUPPORTED, "inside each other");
    snap_buffer_release(&bytes);
    repeat(&bytes, "(", SNAP_MAX_PICKLE_MARKS + 1);
    check_bomb(&bytes, SNAP_UNSUPPORTED, "marks are open");
    snap_buffer_release(&bytes);
}

/* A value that lies deeper in a second place than where it was walked first. */
static void depth_of_shared_values(void **state)
{
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    (void)state;
    add(&bytes, "(N");
    repeat(&bytes, "\x85", 40);
    add(&bytes, "p1\ng1\n");
    repeat(&bytes, "\x85", 40);
    add(&bytes, "t.");
    check_bomb(&bytes, SNAP_UNSUPPORTED, "inside each other");
    snap_buffer_release(&bytes);
}

static void too_many_values(void **state)
{
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    (void)state;
    CHECK_OK(snap_buffer_reserve(&bytes, SNAP_MAX_PICKLE_VALUES + 8, &err));
    memset(bytes.data, ']', SNAP_MAX_PICKLE_VALUES + 1);
    bytes.size = SNAP_MAX_PICKLE_VALUES + 1;
    check_bomb(&bytes, SNAP_UNSUPPORTED, "more than 4194304 values");
    memset(bytes.data + 1, '2', SNAP_MAX_PICKLE_VALUES);
    check_bomb(&bytes, SNAP_UNSUPPORTED, "values on its stack");
    snap_buffer_release(&bytes);
}

/* One text, made bytes again and again. */
static void recoding(void **state)
{
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    (void)state;
    add(&bytes, "(c_codecs\nencode\np0\n0V");
    repeat(&bytes, "x", 10000);
    add(&bytes, "\np1\n0(");
    repeat(&bytes, "g0\n(g1\nVlatin1\ntR0", 1000);
    check_bomb(&bytes, SNAP_UNSUPPORTED, "recoded more than once");
    snap_buffer_release(&bytes);
    /* One list, made sets. */
    add(&bytes, "(c__builtin__\nset\np0\n0(");
    repeat(&bytes, "N", 10000);
    add(&bytes, "lp1\n0(");
    repeat(&bytes, "g0\n(g1\ntR0", 1000);
    check_bomb(&bytes, SNAP_UNSUPPORTED, "more than 4194304 values");
    snap_buffer_release(&bytes);
}

/* Python's own reader would not be asked: a cut anywhere is no pickle. */
static void truncated(void **state)
{
    static const char whole[] =
        "\x80\x04\x95\x38\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01" "a\x94]\x94(K\x01G\x3f\xf8\x00"
        "\x00\x00\x00\x00\x00\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01\x65\x8c\x01" "b\x94"
        "C\x02\x00\xff\x94\x8c\x01" "c\x94\x8c\x05numpy\x94\x8c\x05" "dtype\x94\x93\x94\x8c\x02"
        "f4\x94\x89\x88\x87\x94R\x94u.";
    size_t size = sizeof whole - 1;
    struct snap_pickle *pickle = NULL;
    const struct snap_pickle_value *root = NULL;
    (void)state;
    CHECK_OK(read_bytes(whole, size, false, &pickle, &root));
    assert_int_equal(root->count, 6);
    snap_pickle_free(pickle);
    for (size_t cut = 0; cut < size; cut++) {
        /* In memory of just that size, so that a sanitizer sees a byte read past it. */
        char *part = malloc(cut > 0 ? cut : 1);
        assert_non_null(part);
        memcpy(part, whole, cut);
        CHECK_FAILS(SNAP_CORRUPT, "FILE: byte", read_bytes(part, cut, false, &pickle, &root));
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(persistent_ids),
        cmocka_unit_test(laughs),
        cmocka_unit_test(depth),
        cmocka_unit_test(depth_of_shared_values),
        cmocka_unit_test(too_many_values),
        cmocka_unit_test(recoding),
        cmocka_unit_test(truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
