/* A check takes any headers: what is computed depends on them alone, not on whose keys they are
 * tried with; nothing matches by chance, and a right signature counts whatever stands beside it.
 * Whose address it is does not show either. Input: a byte for the provider, then the lines
 * signature, timestamp, id, and the body. */
#include "fuzz.h"
#include "inbound/signature.h"

static const char *const secrets[PROVIDER_COUNT] = {
    [PROVIDER_MUX] = "mux_test_signing_secret_0001",
    [PROVIDER_STRIPE] = "whsec_stripe_test_0001",
    [PROVIDER_GITHUB] = "gh_test_secret_0001",
    [PROVIDER_STANDARD] = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
    [PROVIDER_SLACK] = "slack_signing_secret_0001",
    [PROVIDER_TWILIO] = "twilio_auth_token_0001",
};
#define TWILIO_URL "https://hooks.example.com/v1/webhooks/twilio/conn_1"

static bool
check(enum provider p, const struct provider_headers *h, size_t n_keys, struct str body,
      struct signature_work *ret)
{
    struct signature_key key;
    FUZZ_REQUIRE(signature_read_key(p, str_from(secrets[p]), &key) == NULL);
    struct str url = n_keys > 0 ? STR(TWILIO_URL) : STR("https://localhost");
    struct signature_check *c = signature_check_new(p, h, &key, n_keys, url);
    while (signature_check_step(c, body, 0) == 1)
        ;
    bool matches = signature_check_matches(c);
    *ret = signature_check_work(c);
    signature_check_free(c);
    return matches;
}

/* The right signature of GitHub and of Standard Webhooks, whose headers hold nothing else that is
 * signed. */
static void
add_right_signature(enum provider p, const struct provider_headers *h, struct str body,
                    struct buf *header)
{
    struct signature_key key;
    uint8_t mac[SHA256_BYTES];
    struct buf bytes = BUF_INIT;
    (void) signature_read_key(p, str_from(secrets[p]), &key);
    if (p == PROVIDER_STANDARD) {
        buf_add_str(&bytes, h->id);
        buf_add_char(&bytes, '.');
        buf_add_str(&bytes, h->timestamp);
        buf_add_char(&bytes, '.');
    }
    buf_add_str(&bytes, body);
    digest_hmac_sha256(str_make(key.bytes, key.n), buf_str(&bytes), mac);
    buf_done(&bytes);
    if (p == PROVIDER_STANDARD) {
        buf_add_cstr(header, " v1,");
        base64_encode(header, str_make(mac, sizeof(mac)));
    } else {
        buf_add_cstr(header, ",sha256=");
        hex_encode(header, str_make(mac, sizeof(mac)));
    }
}

static void
require_right_one_counts(enum provider p, struct provider_headers h, struct str body)
{
    struct signature_work work;
    struct buf header = BUF_INIT;
    if (p != PROVIDER_GITHUB && p != PROVIDER_STANDARD)
        return;
    buf_add_str(&header, h.signature);
    add_right_signature(p, &h, body, &header);
    h.signature = buf_str(&header);
    FUZZ_REQUIRE(check(p, &h, 1, body, &work));
    FUZZ_REQUIRE(!check(p, &h, 0, body, &work));
    buf_done(&header);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct provider_headers h = {0};
    struct signature_work with, without;
    struct signature_claim claim;
    struct str rest = str_make(data + 1, size - (size > 0));
    if (size == 0)
        return 0;
    enum provider p = (enum provider)(data[0] % PROVIDER_COUNT);
    if (!str_split(&rest, '\n', &h.signature) || !str_split(&rest, '\n', &h.timestamp) ||
        !str_split(&rest, '\n', &h.id))
        return 0;
    (void) check(p, &h, 1, rest, &with);
    FUZZ_REQUIRE(!check(p, &h, 0, rest, &without));
    FUZZ_REQUIRE(memcmp(&with, &without, sizeof(with)) == 0);
    signature_read_claim(p, &h, &claim);
    FUZZ_REQUIRE(!claim.has_time || claim.at_s >= 0);
    (void) signature_is_timely(p, &claim, INT64_C(1700000000), SIGNATURE_TOLERANCE_MAX_S);
    require_right_one_counts(p, h, rest);
    return 0;
}
