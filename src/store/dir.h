#pragma once
/* Directories whose entries outlive a power loss: a name is durable only once its directory was
 * synced, however well the file behind it was. Each returns 0, or -1 with errno. */

int dir_sync(const char *path);        /* the names in it */
int dir_sync_parent(const char *path); /* its own name */
/* Creates it (0700) unless it is there, and makes its own name durable either way: a process that
 * was killed may have created it. */
int dir_make(const char *path);
