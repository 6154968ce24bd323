/* The bare limit of the disk: LMDB write transactions of one small put each, synced. Usage: commit
 * DIR SECONDS; prints the number of commits a second. */
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double
now(void)
{
    struct timespec ts;
    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    MDB_env *env;
    MDB_dbi dbi = 0;
    char value[300];
    if (argc != 3) {
        fprintf(stderr, "usage: commit DIR SECONDS\n");
        return 2;
    }
    memset(value, 'v', sizeof(value));
    if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, (size_t) 1 << 32) != 0 ||
        mdb_env_open(env, argv[1], MDB_NOTLS, 0600) != 0)
        return 1;
    double seconds = strtod(argv[2], NULL), start = now();
    uint32_t n = 0;
    for (; now() - start < seconds; n++) {
        MDB_txn *txn;
        uint32_t be = __builtin_bswap32(n);
        MDB_val k = {sizeof(be), &be}, v = {sizeof(value), value};
        if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0 ||
            mdb_put(txn, dbi, &k, &v, MDB_APPEND) != 0 || mdb_txn_commit(txn) != 0)
            return 1;
    }
    printf("%.0f\n", n / (now() - start));
    mdb_env_close(env);
    return 0;
}
