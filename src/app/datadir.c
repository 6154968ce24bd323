/* Creates and locks the data directory. */
#include "app/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int
create(const char *path, struct err *err)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return err_set(err, ERR_IO_ERROR, "cannot create the data directory %s: %s", path,
                       strerror(errno));
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO_ERROR, "the data directory %s is not a directory", path);
    if ((st.st_mode & 077) != 0 && chmod(path, 0700) != 0)
        return err_set(err, ERR_IO_ERROR,
                       "cannot make the data directory %s private (mode 0700): %s", path,
                       strerror(errno));
    return 0;
}

static int
busy(const char *path, int fd, struct err *err)
{
    char pid[24] = "";
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    return err_set(err, ERR_INVALID_STATE,
                   "the data directory %s is in use by another taskhook (process %s): stop it, or "
                   "give another --db-path",
                   path, pid[0] != '\0' ? pid : "unknown");
}

int
datadir_lock(const char *path, struct err *err)
{
    struct buf name = BUF_INIT;
    if (create(path, err) != 0)
        return -1;
    buf_addf(&name, "%s/lock", path);
    int fd = open(buf_cstr(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    buf_done(&name);
    if (fd < 0)
        return err_set(err, ERR_IO_ERROR, "cannot open the lock of the data directory %s: %s", path,
                       strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void) busy(path, fd, err);
        (void) close(fd);
        return -1;
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long) getpid()) < 0) {
        (void) err_set(err, ERR_IO_ERROR, "cannot write the lock of the data directory %s: %s",
                       path, strerror(errno));
        (void) close(fd);
        return -1;
    }
    return fd;
}
