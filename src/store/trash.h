#pragma once
/* Removing large files without holding the loop: unlinking 100 MB takes 30 ms, unmapping it 5. What
 * is thrown away is renamed into <data_dir>/trash at once, so its name is free, and given back to
 * the file system in pieces by a slice. What a crash leaves there goes at the next start. */
#include "base/err.h"
#include "loop/loop.h"

struct trash;
struct trash *trash_open(const char *data_dir, struct loop *l, struct err *err); /* NULL with err */
void trash_close(struct trash *t); /* leaves what is left to the next start; NULL accepted */
/* Removes the file `name` of the directory `at` (AT_FDCWD for a path): small ones, and all when t
 * is NULL, at once. 0, or -1 with errno; missing is fine. */
int trash_put(struct trash *t, int at, const char *name);
/* The same for a directory of files; t is not NULL. Missing is an error here. */
int trash_put_dir(struct trash *t, int at, const char *name);
/* Unmaps in pieces; at once when t is NULL. Nobody reads there any more. len 0: nothing. */
void trash_put_map(struct trash *t, void *map, size_t len);
