#pragma once
/* Values of the configuration file as JSON. Where a string may stand, { env = "NAME" } takes an
 * environment variable and { file = "PATH" } the content of a file (without line ends at its end):
 * for secrets. Each returns 0, or -1 with the reason appended to why. */
#include "codec/json.h"
#include "conf/toml.h"

int value_source_put(struct json_out *j, const struct toml *v, struct buf *why);
/* A table of names and values, such as headers. */
int value_source_put_map(struct json_out *j, const struct toml *table, struct buf *why);
int value_source_put_file(struct json_out *j, const char *path, struct buf *why);
