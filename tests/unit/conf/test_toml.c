/* The TOML reader: trees, values, and each refusal with its line. */
#include "conf/toml.h"
#include "reading.h"

struct fixture {
    struct arena *arena;
    struct buf why;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(f->arena);
    buf_done(&f->why);
    free(f);
    return 0;
}

static struct toml *
parse(void **state, const char *text)
{
    struct fixture *f = *state;
    struct toml *root = toml_parse(str_from(text), f->arena, &f->why);
    if (root == NULL)
        fail_msg("%s: %s", text, buf_cstr(&f->why));
    return root;
}

/* Follows "a.b.1.c": members by key, array items by number. */
static const struct toml *
at(const struct toml *node, const char *path)
{
    struct str rest = str_from(path), part;
    while (str_split(&rest, '.', &part)) {
        uint64_t n;
        if (node->type == TOML_ARRAY && str_to_u64(part, 1000, &n)) {
            for (node = node->first; node != NULL && n > 0; n--)
                node = node->next;
        } else {
            node = toml_get(node, part);
        }
        if (node == NULL)
            fail_msg("%s is not there", path);
    }
    return node;
}

static void
assert_string(const struct toml *root, const char *path, const char *text)
{
    const struct toml *node = at(root, path);
    assert_int_equal(node->type, TOML_STRING);
    assert_string_equal(node->string, text);
    assert_int_equal(node->string_len, strlen(text));
}

static void
assert_integer(const struct toml *root, const char *path, int64_t n)
{
    const struct toml *node = at(root, path);
    assert_int_equal(node->type, TOML_INTEGER);
    assert_true(node->integer == n);
}

static void
empty_files_are_empty_tables(void **state)
{
    assert_null(parse(state, "")->first);
    assert_null(parse(state, "\n\r\n  \t\n# only a comment")->first);
    assert_null(parse(state, "\xef\xbb\xbf")->first);
}

static void
keys_are_bare_quoted_or_dotted(void **state)
{
    const struct toml *root = parse(state, "bare-key_1 = 1\n\"quoted key\" = 2\n'lit\\eral' = 3\n"
                                           "a . b.'c' = 4\na.d = 5\n\"\" = 6\n1234 = 7\n");
    assert_integer(root, "bare-key_1", 1);
    assert_integer(root, "quoted key", 2);
    assert_integer(root, "lit\\eral", 3);
    assert_integer(root, "a.b.c", 4);
    assert_integer(root, "a.d", 5);
    assert_integer(root, "1234", 7);
    assert_int_equal(toml_get(root, STR(""))->integer, 6);
}

static void
basic_strings_resolve_escapes(void **state)
{
    const struct toml *root =
        parse(state, "s = \"a\\tb\\n\\\"q\\\" \\\\ \\u00e9 \\U0001F600 é\" # comment");
    assert_string(root, "s", "a\tb\n\"q\" \\ \xc3\xa9 \xf0\x9f\x98\x80 é");
}

static void
literal_strings_resolve_nothing(void **state)
{
    assert_string(parse(state, "s = 'C:\\n\"x\" # no comment'"), "s", "C:\\n\"x\" # no comment");
}

static void
multiline_strings_trim_the_first_newline_and_fold(void **state)
{
    const struct toml *root = parse(state, "a = \"\"\"\nx\r\ny \\  \n\n   z\"\"\"\n"
                                           "b = '''\nx\\\ny'''\nc = \"\"\"\"quoted\"\"\"\"\"\n"
                                           "d = ''''''\nlast = 1\n");
    assert_string(root, "a", "x\ny z");
    assert_string(root, "b", "x\\\ny");
    assert_string(root, "c", "\"quoted\"\"");
    assert_string(root, "d", "");
    assert_int_equal(at(root, "last")->line, 11);
}

static void
integers_have_signs_underscores_and_bases(void **state)
{
    const struct toml *root =
        parse(state, "a = 1_000_000\nb = -17\nc = +0\nd = 0xDEAD_beef\ne = 0o755\nf = 0b1101\n"
                     "g = 9223372036854775807\nh = -9223372036854775808\n");
    assert_integer(root, "a", 1000000);
    assert_integer(root, "b", -17);
    assert_integer(root, "c", 0);
    assert_integer(root, "d", 0xdeadbeef);
    assert_integer(root, "e", 0755);
    assert_integer(root, "f", 13);
    assert_integer(root, "g", INT64_MAX);
    assert_integer(root, "h", INT64_MIN);
}

static void
floats_and_booleans_are_read(void **state)
{
    const struct toml *root =
        parse(state, "a = 3.1415\nb = -1e0_2\nc = 6.5E-1\nd = inf\ne = -inf\nf = nan\n"
                     "g = true\nh = false\n");
    assert_true(at(root, "a")->real == 3.1415);
    assert_true(at(root, "b")->real == -100);
    assert_true(at(root, "c")->real == 0.65);
    assert_true(at(root, "d")->real > 1e308);
    assert_true(at(root, "e")->real < -1e308);
    assert_true(at(root, "f")->real != at(root, "f")->real);
    assert_true(at(root, "g")->boolean);
    assert_int_equal(at(root, "h")->type, TOML_BOOLEAN);
    assert_false(at(root, "h")->boolean);
}

static void
arrays_may_span_lines_mix_types_and_nest(void **state)
{
    const struct toml *root =
        parse(state, "a = [ 1, # one\n  'two',\n [3, [4]], {five = 5}\n , ]\nb = []\n");
    assert_integer(root, "a.0", 1);
    assert_string(root, "a.1", "two");
    assert_integer(root, "a.2.1.0", 4);
    assert_integer(root, "a.3.five", 5);
    assert_null(at(root, "b")->first);
}

static void
tables_and_arrays_of_tables_are_read(void **state)
{
    const struct toml *root = parse(state, "top = 1\n[a.b]\nx = 2\n[a]\ny = 3\n"
                                           "[[webhooks]]\nurl = 'one'\n[webhooks.headers]\n"
                                           "X-A = 'v'\n[[webhooks]]\nurl = 'two'\n"
                                           "[[webhooks.rules]]\nn = 4\n[[webhooks.rules]]\nn = 5\n"
                                           "[ \"last one\" ]\nz = {p.q = 6, r = {}}\n");
    assert_integer(root, "top", 1);
    assert_integer(root, "a.b.x", 2);
    assert_integer(root, "a.y", 3);
    assert_string(root, "webhooks.0.url", "one");
    assert_string(root, "webhooks.0.headers.X-A", "v");
    assert_string(root, "webhooks.1.url", "two");
    assert_integer(root, "webhooks.1.rules.1.n", 5);
    assert_integer(root, "last one.z.p.q", 6);
    assert_int_equal(at(root, "last one.z.r")->type, TOML_TABLE);
}

static void
nodes_know_their_lines(void **state)
{
    const struct toml *root = parse(state, "\n\na = 1\r\nb = [\n 2,\n 3]\n[t]\n");
    assert_int_equal(at(root, "a")->line, 3);
    assert_int_equal(at(root, "b")->line, 4);
    assert_int_equal(at(root, "b.1")->line, 6);
    assert_int_equal(at(root, "t")->line, 7);
}

static void
wipe_overwrites_every_string(void **state)
{
    struct toml *root = parse(state, "a = 'secret'\n[t]\nb = ['hidden']\n");
    const struct toml *a = at(root, "a"), *b = at(root, "t.b.0");
    toml_wipe(root);
    toml_wipe(NULL);
    assert_memory_equal(a->string, "\0\0\0\0\0\0", 6);
    assert_memory_equal(b->string, "\0\0\0\0\0\0", 6);
}

static void
malformed_files_are_refused_with_line_and_reason(void **state)
{
    static const struct {
        const char *text, *why;
    } CASES[] = {
        {"a", "line 1: expected '=' after the key `a`"},
        {"a b = 1", "line 1: expected '=' after the key `a`"},
        {"= 1", "line 1: expected a key"},
        {"a. = 1", "line 1: expected a key"},
        {"\n\na =", "line 3: expected a value"},
        {"a = # x", "line 1: expected a value"},
        {"a = 1 2", "line 1: expected the end of the line after the value"},
        {"a = 1\nb = 2 c = 3", "line 2: expected the end of the line after the value"},
        {"a = word", "line 1: expected a value (text needs quotes)"},
        {"a = True", "line 1: expected a value (text needs quotes)"},
        {"a = 1\na = 2", "line 2: `a` is defined already, on line 1"},
        {"a = 01", "line 1: a number cannot begin with a zero"},
        {"a = 1__0", "line 1: expected a value (text needs quotes)"},
        {"a = 1_", "line 1: expected a value (text needs quotes)"},
        {"a = _1", "line 1: expected a value (text needs quotes)"},
        {"a = 1.", "line 1: a malformed number"},
        {"a = 1.e5", "line 1: a malformed number"},
        {"a = 1e", "line 1: a malformed number"},
        {"a = 1x", "line 1: a malformed number"},
        {"a = 0x", "line 1: a malformed number"},
        {"a = 0xg", "line 1: a malformed number"},
        {"a = 0b2", "line 1: a malformed number"},
        {"a = +0x1", "line 1: a malformed number"},
        {"a = 9223372036854775808", "line 1: an integer that does not fit into 64 bits"},
        {"a = 1e400", "line 1: a float that is too large"},
        {"a = 1979-05-27T07:32:00Z", "line 1: dates and times are not supported"},
        {"a = 07:32:00", "line 1: dates and times are not supported"},
        {"a = \"x", "line 1: a string without its closing quote"},
        {"a = \"x\ny\"", "line 1: a string without its closing quote"},
        {"a = \"x\\\"", "line 1: a string without its closing quote"},
        {"a = '''x", "line 1: a string without its closing quote"},
        {"a = \"\\u12\"", "line 1: expected 4 hexadecimal digits after '\\u'"},
        {"a = \"\\uD800\"", "line 1: '\\uD800' is not a Unicode scalar value"},
        {"a = \"\\U00110000\"", "line 1: '\\U00110000' is not a Unicode scalar value"},
        {"a = '\x01'", "line 1: control character 0x01 in a string"},
        {"a = '\x7f'", "line 1: control character 0x7f in a string"},
        {"a = '''\nx\ry'''", "line 2: control character 0x0d in a string"},
        {"# \x02", "line 1: control character 0x02 in a comment"},
        {"a = 1\r", "line 1: expected the end of the line after the value"},
        {"\"\"\"a\"\"\" = 1", "line 1: a multi-line string cannot be a key"},
        {"a = [1", "line 1: expected ',' or ']' in the array"},
        {"a = [1 2]", "line 1: expected ',' or ']' in the array"},
        {"a = [,]", "line 1: expected a value"},
        {"a = [1,,2]", "line 1: expected a value"},
        {"a = {b = 1", "line 1: expected ',' or '}' in the inline table"},
        {"a = {b = 1,}", "line 1: expected a key"},
        {"a = {b = 1\n}", "line 1: expected ',' or '}' in the inline table"},
        {"a = {b = 1, b = 2}", "line 1: `b` is defined already, on line 1"},
        {"[a", "line 1: expected ']' after the name of the table"},
        {"[[a]", "line 1: expected ']]' after the name of the table"},
        {"[]", "line 1: expected a key"},
        {"[a]]", "line 1: expected the end of the line after the name of the table"},
        {"[a] b = 1", "line 1: expected the end of the line after the name of the table"},
        {"[a]\n[a]", "line 2: `a` is defined already, on line 1"},
        {"[[a]]\n[a]", "line 2: `a` is defined already, on line 1"},
        {"[a]\n[[a]]", "line 2: `a` is defined already, on line 1"},
        {"a = []\n[[a]]", "line 2: `a` is defined already, on line 1"},
        {"a.b = 1\n[a]", "line 2: `a` is defined already, on line 1"},
        {"[a.b]\n[a]\nb.c = 1", "line 3: `b` is defined already, on line 1"},
        {"a = 1\na.b = 2", "line 2: `a` is defined already, on line 1"},
        {"a = {}\na.b = 2", "line 2: `a` is defined already, on line 1"},
        {"a = {}\n[a.b]",
         "line 2: `a` is defined already, on line 1, and is not a table that can be added to"},
        {"a = 1\n[a.b]",
         "line 2: `a` is defined already, on line 1, and is not a table that can be added to"},
        {"a = \xff", "not valid UTF-8"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        buf_clear(&f->why);
        if (toml_parse(str_from(CASES[i].text), f->arena, &f->why) != NULL)
            fail_msg("accepted: %s", CASES[i].text);
        if (strcmp(buf_cstr(&f->why), CASES[i].why) != 0)
            fail_msg("%s\n  says     %s\n  expected %s", CASES[i].text, buf_cstr(&f->why),
                     CASES[i].why);
    }
}

static void
unknown_escape_is_told_which_exist(void **state)
{
    struct fixture *f = *state;
    assert_null(toml_parse(STR("a = \"C:\\dir\""), f->arena, &f->why));
    assert_non_null(strstr(buf_cstr(&f->why), "line 1: unknown escape in a string: only "));
}

static void
nul_bytes_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char PLAIN[] = "a = 1\0", COMMENT[] = "# \0", QUOTED[] = "a = '\0'";
    assert_null(toml_parse(str_make(PLAIN, sizeof(PLAIN) - 1), f->arena, &f->why));
    assert_null(toml_parse(str_make(COMMENT, sizeof(COMMENT) - 1), f->arena, &f->why));
    assert_null(toml_parse(str_make(QUOTED, sizeof(QUOTED) - 1), f->arena, &f->why));
}

/* before, n times piece, after. */
static struct toml *
parse_repeated(struct fixture *f, const char *before, const char *piece, int n, const char *after)
{
    struct buf text = BUF_INIT;
    buf_add_cstr(&text, before);
    for (int i = 0; i < n; i++)
        buf_add_cstr(&text, piece);
    buf_add_cstr(&text, after);
    struct toml *root = toml_parse(buf_str(&text), f->arena, &f->why);
    buf_done(&text);
    return root;
}

static void
depth_is_limited(void **state)
{
    struct fixture *f = *state;
    assert_null(parse_repeated(f, "a = ", "[", TOML_MAX_DEPTH, ""));
    assert_null(strstr(buf_cstr(&f->why), "nested"));
    buf_clear(&f->why);
    assert_null(parse_repeated(f, "a = ", "[", TOML_MAX_DEPTH + 1, ""));
    assert_string_equal(buf_cstr(&f->why), "line 1: nested deeper than 64 levels");
}

static void
number_of_values_is_limited(void **state)
{
    struct fixture *f = *state;
    assert_non_null(parse_repeated(f, "a = [", "1,", TOML_MAX_NODES - 2, "]"));
    assert_null(parse_repeated(f, "a = [", "1,", TOML_MAX_NODES - 1, "]"));
    assert_string_equal(buf_cstr(&f->why), "line 1: more than 10000 values");
}

static void
parts_of_a_key_are_limited(void **state)
{
    struct fixture *f = *state;
    assert_non_null(parse_repeated(f, "", "a.", 31, "a = 1"));
    assert_null(parse_repeated(f, "", "a.", 32, "a = 1"));
    assert_string_equal(buf_cstr(&f->why), "line 1: a key of more than 32 parts");
}

#define toml_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        toml_test(empty_files_are_empty_tables),
        toml_test(keys_are_bare_quoted_or_dotted),
        toml_test(basic_strings_resolve_escapes),
        toml_test(literal_strings_resolve_nothing),
        toml_test(multiline_strings_trim_the_first_newline_and_fold),
        toml_test(integers_have_signs_underscores_and_bases),
        toml_test(floats_and_booleans_are_read),
        toml_test(arrays_may_span_lines_mix_types_and_nest),
        toml_test(tables_and_arrays_of_tables_are_read),
        toml_test(nodes_know_their_lines),
        toml_test(wipe_overwrites_every_string),
        toml_test(malformed_files_are_refused_with_line_and_reason),
        toml_test(unknown_escape_is_told_which_exist),
        toml_test(nul_bytes_are_refused),
        toml_test(depth_is_limited),
        toml_test(number_of_values_is_limited),
        toml_test(parts_of_a_key_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
