/* Spelling suggestions for names a user typed. */
#include "base/suggest.h"

enum { SUGGEST_MAX_LEN = 128 }; /* longer input gets no suggestion: the table below is quadratic */

static size_t
allowed_distance(size_t len)
{
    if (len <= 3)
        return 0;
    if (len <= 7)
        return 1;
    if (len <= 12)
        return 2;
    if (len <= 17)
        return 3;
    return len <= 24 ? 4 : 5;
}

static size_t
min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Unrestricted Damerau-Levenshtein: what lies between two transposed characters may be edited too.
 */
static size_t
distance(struct str a, struct str b)
{
    static size_t d[SUGGEST_MAX_LEN + 1][SUGGEST_MAX_LEN + 1];
    size_t row_of[256] = {0}; /* where each byte was last seen in a, from 1 */
    for (size_t i = 0; i <= a.len; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= b.len; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t column = 0; /* where a's byte was last seen in b, from 1 */
        for (size_t j = 1; j <= b.len; j++) {
            size_t row = row_of[(unsigned char) b.data[j - 1]];
            bool same = a.data[i - 1] == b.data[j - 1];
            d[i][j] = min(min(d[i - 1][j] + 1, d[i][j - 1] + 1), d[i - 1][j - 1] + !same);
            if (row > 0 && column > 0)
                d[i][j] = min(d[i][j], d[row - 1][column - 1] + (i - row) + (j - column) - 1);
            if (same)
                column = j;
        }
        row_of[(unsigned char) a.data[i - 1]] = i;
    }
    return d[a.len][b.len];
}

const char *
suggest_name(struct str received, const char *const *names, size_t n)
{
    size_t best = allowed_distance(received.len) + 1;
    const char *found = NULL;
    if (received.len > SUGGEST_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        struct str name = str_from(names[i]);
        if (name.len > SUGGEST_MAX_LEN)
            continue;
        size_t d = distance(received, name);
        if (d < best) {
            best = d;
            found = names[i];
        }
    }
    return found;
}
