/* Configuration files: any bytes give a well-formed tree or a reason with a line. */
#include "conf/toml.h"
#include "fuzz.h"

static void
check_node(const struct toml *node, size_t lines)
{
    size_t n = 0;
    FUZZ_REQUIRE(node->type <= TOML_TABLE && node->line >= 1 && node->line <= lines);
    FUZZ_REQUIRE(toml_type_words(node->type) != NULL);
    if (node->type == TOML_STRING)
        FUZZ_REQUIRE(node->string[node->string_len] == '\0' &&
                     str_is_utf8(str_make(node->string, node->string_len)));
    for (const struct toml *m = node->first; m != NULL; m = m->next, n++) {
        FUZZ_REQUIRE(node->type == TOML_ARRAY || toml_get(node, m->key) == m);
        FUZZ_REQUIRE(m->next != NULL || m == node->last);
        check_node(m, lines);
    }
    FUZZ_REQUIRE((n == 0) == (node->last == NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf why = BUF_INIT;
    struct arena *arena = arena_new();
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    struct toml *root = toml_parse(str_make(data, size), arena, &why);
    FUZZ_REQUIRE((root == NULL) == (why.len > 0));
    if (root != NULL)
        check_node(root, lines);
    toml_wipe(root);
    arena_free(arena);
    buf_done(&why);
    return 0;
}
