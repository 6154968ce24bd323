/* Gives every file of a corpus directory to a fuzz target, without libFuzzer. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

/* The content in memory of exactly its size, so that reading beyond it is noticed. */
static int
replay_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (f == NULL || fstat(fileno(f), &st) < 0) {
        perror(path);
        if (f != NULL)
            (void) fclose(f); /* read only: nothing to lose */
        return -1;
    }
    size_t size = (size_t) st.st_size;
    uint8_t *data = malloc(size);
    int rc = fread(data, 1, size, f) == size ? 0 : -1;
    if (rc == 0)
        (void) LLVMFuzzerTestOneInput(data, size); /* always 0: libFuzzer's convention */
    free(data);
    (void) fclose(f); /* read only: nothing to lose */
    return rc;
}

int
main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int n = 0, rc = 0;
    if (dir == NULL) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void) snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name); /* cut: fopen fails */
        rc = replay_file(path);
        n++;
    }
    (void) closedir(dir); /* nothing to lose */
    printf("%d inputs\n", n);
    return rc == 0 && n > 0 ? 0 : 1;
}
