/* A URL that parses is written in a form that parses to itself, is plain ASCII, and cannot break a
 * request line or a Host header. */
#include "fuzz.h"
#include "net/url.h"

static void
check_line(const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        FUZZ_REQUIRE(text->data[i] > 0x20 && text->data[i] < 0x7F);
}

static void
check_forms(const struct url *u)
{
    struct buf origin = BUF_INIT, host = BUF_INIT, redacted = BUF_INIT;
    url_write_origin_form(&origin, u);
    url_write_host_header(&host, u);
    url_write_redacted(&redacted, u);
    if (url_is_http(u)) {
        check_line(&origin);
        check_line(&host);
        check_line(&redacted);
        FUZZ_REQUIRE(origin.data[0] == '/' && u->host[0] != '\0');
        FUZZ_REQUIRE(url_effective_port(u) >= 0 && url_effective_port(u) <= 65535);
    }
    buf_done(&origin);
    buf_done(&host);
    buf_done(&redacted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct url u = URL_INIT, again = URL_INIT;
    struct buf why = BUF_INIT, first = BUF_INIT, second = BUF_INIT;
    if (url_parse(str_make(data, size), &u, &why) < 0) {
        FUZZ_REQUIRE(why.len > 0 && u.scheme == NULL);
        buf_done(&why);
        return 0;
    }
    check_forms(&u);
    url_write(&first, &u);
    FUZZ_REQUIRE(url_parse(buf_str(&first), &again, &why) == 0);
    url_write(&second, &again);
    if (url_is_http(&u)) /* opaque paths may end in blanks, which the parser trims */
        FUZZ_REQUIRE(str_equal(buf_str(&first), buf_str(&second)));
    buf_done(&why);
    buf_done(&first);
    buf_done(&second);
    url_done(&u);
    url_done(&again);
    return 0;
}
