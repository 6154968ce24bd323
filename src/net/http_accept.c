/* Content negotiation: which encoding of the answer the client takes. Pure. */
#include "net/http_internal.h"

const char *
http_encoding_name(enum http_encoding e)
{
    if (e == HTTP_GZIP)
        return "gzip";
    return e == HTTP_DEFLATE ? "deflate" : NULL;
}

enum gzip_format
http_encoding_format(enum http_encoding e)
{
    return e == HTTP_GZIP ? GZIP_FORMAT_GZIP : GZIP_FORMAT_DEFLATE;
}

/* A weight in thousandths; nonsense counts as 1 (as "q" were not there). */
static int
parse_weight(struct str params)
{
    struct str param;
    while (str_split(&params, ';', &param)) {
        param = str_trim(param);
        if (param.len < 3 || (param.data[0] != 'q' && param.data[0] != 'Q') || param.data[1] != '=')
            continue;
        int weight = 0, scale = 100;
        if (param.data[2] != '0')
            return 1000;
        for (size_t i = 4; i < param.len && scale > 0; i++, scale /= 10) {
            if (param.data[i] < '0' || param.data[i] > '9')
                return 1000;
            weight += (param.data[i] - '0') * scale;
        }
        return weight;
    }
    return 1000;
}

enum { WEIGHT_UNSET = -1 };

struct weights {
    int gzip, deflate, identity, any;
};

static void
note_coding(struct weights *w, struct str coding, int weight)
{
    if (str_equal_nocase(coding, STR("gzip")) || str_equal_nocase(coding, STR("x-gzip")))
        w->gzip = weight;
    else if (str_equal_nocase(coding, STR("deflate")))
        w->deflate = weight;
    else if (str_equal_nocase(coding, STR("identity")))
        w->identity = weight;
    else if (str_is(coding, "*"))
        w->any = weight;
}

enum http_encoding
http_accept_encoding(struct str value)
{
    if (value.data == NULL || value.len == 0)
        return HTTP_IDENTITY;
    struct weights w = {WEIGHT_UNSET, WEIGHT_UNSET, WEIGHT_UNSET, WEIGHT_UNSET};
    struct str item;
    while (str_split(&value, ',', &item)) {
        size_t end = str_find(item, ';', 0);
        note_coding(&w, str_trim(str_slice(item, 0, end)),
                    parse_weight(str_slice(item, end, item.len)));
    }
    int unnamed = w.any == WEIGHT_UNSET ? 0 : w.any;
    int gzip = w.gzip == WEIGHT_UNSET ? unnamed : w.gzip;
    int deflate = w.deflate == WEIGHT_UNSET ? unnamed : w.deflate;
    /* Identity is acceptable unless it, or everything else, is excluded; unnamed it comes last. */
    int identity = w.identity;
    if (identity == WEIGHT_UNSET)
        identity = w.any == 0 ? 0 : 1;
    if (gzip > 0 && gzip >= deflate && gzip >= identity)
        return HTTP_GZIP;
    if (deflate > 0 && deflate >= identity)
        return HTTP_DEFLATE;
    return identity > 0 ? HTTP_IDENTITY : HTTP_NO_ENCODING;
}
