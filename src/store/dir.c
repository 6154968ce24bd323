/* Durable directories. Knows paths only. */
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int
dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd), error = errno;
    (void) close(fd); /* read-only descriptor */
    if (rc != 0 && (error == EINVAL || error == EROFS))
        return 0; /* a file system that knows no such sync, or where nothing is ever written */
    errno = error;
    return rc;
}

int
dir_sync_parent(const char *path)
{
    char *copy = mem_strdup(path); /* dirname() changes it */
    int rc = dir_sync(dirname(copy)), error = errno;
    free(copy);
    errno = error;
    return rc;
}

int
dir_make(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    return dir_sync_parent(path);
}
