/* Following dot-paths. Pure. */
#include "inbound/path.h"

const char *
path_check(struct str path)
{
    struct str rest = path, name;
    unsigned depth = 0;
    bool is_whole = path.len > 0 && path.len <= PATH_MAX_BYTES;
    while (is_whole && str_split(&rest, '.', &name))
        is_whole = name.len > 0 && str_find(name, '\0', 0) == name.len && ++depth <= PATH_MAX_DEPTH;
    return is_whole ? NULL
                    : "expected a path like `data.object.id`: 1 to 32 names with dots in between, "
                      "400 bytes at most";
}

static const struct json *
element(const struct json *array, struct str name)
{
    uint64_t want;
    struct json_iter it = json_iter(array);
    if (!str_to_u64(name, UINT32_MAX, &want))
        return NULL;
    for (uint64_t i = 0; json_next(&it); i++) {
        if (i == want)
            return it.value;
    }
    return NULL;
}

const struct json *
path_find(const struct json *value, struct str path)
{
    struct str name;
    while (value != NULL && str_split(&path, '.', &name))
        value = json_type(value) == JSON_ARRAY ? element(value, name) : json_get(value, name);
    return value;
}
