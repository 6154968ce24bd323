/* Idempotency keys of requests. Owns reading the header and the scope of a key; the memory of keys
 * is queue/'s. */
#include "api/idempotency.h"

#include "api/handler.h"

/* RFC 8941 section 3.3.3: visible ASCII and spaces; only '"' and '\' are escaped. */
static bool
read_quoted(struct str text, struct buf *ret)
{
    for (size_t i = 1; i + 1 < text.len; i++) {
        char c = text.data[i];
        if (c == '\\') {
            c = text.data[++i];
            if (i + 1 >= text.len || (c != '"' && c != '\\'))
                return false;
        } else if (c == '"') {
            return false;
        }
        buf_add_char(ret, c);
    }
    return text.len >= 2 && text.data[text.len - 1] == '"';
}

bool
idempotent_read_key(struct str header, struct buf *ret)
{
    size_t had = ret->len;
    if (header.len > 0 && header.data[0] == '"') {
        if (!read_quoted(header, ret))
            return false;
    } else {
        buf_add_str(ret, header);
    }
    for (size_t i = had; i < ret->len; i++) {
        if (ret->data[i] < 0x21 || ret->data[i] > 0x7e)
            return false;
    }
    return ret->len > had && ret->len - had <= IDEMPOTENCY_KEY_MAX_BYTES;
}

static void
make_key(struct http_call *call, struct str text, struct idempotency *ret)
{
    struct auth_grant grant = handler_grant(call);
    struct buf scope = BUF_INIT;
    buf_add(&scope, grant.scope, sizeof(grant.scope));
    buf_addf(&scope, "%s ", http_method_name(call->method));
    buf_add_str(&scope, call->path);
    buf_add_char(&scope, '?');
    buf_add_str(&scope, call->query);
    buf_add_char(&scope, ' ');
    buf_add_str(&scope, text);
    digest_sha256(buf_str(&scope), ret->key);
    buf_done(&scope);
}

static int
take_key(struct http_call *call, struct str text, struct idempotent *k)
{
    make_key(call, text, &k->key);
    switch (queue_idempotency_begin(k->queue, &k->key, k->digest, &k->answer)) {
    case IDEMPOTENCY_IN_FLIGHT:
        return err_set(&call->err, ERR_IDEMPOTENCY_KEY_IN_USE,
                       "A request with the idempotency key `%.*s` is still being processed.",
                       STR_ARG(text));
    case IDEMPOTENCY_KNOWN:
        k->is_known = true;
        break;
    case IDEMPOTENCY_NEW:
        break;
    }
    k->is_used = true;
    return 0;
}

int
idempotent_begin(struct http_call *call, struct idempotent *ret)
{
    *ret = (struct idempotent){.queue = handler_api(call)->queue};
    struct str header = http_call_header(call, "Idempotency-Key");
    if (header.data == NULL || (call->route->flags & ROUTE_ENQUEUES) == 0)
        return 0;
    struct buf text = BUF_INIT;
    int rc = 0;
    if (!idempotent_read_key(header, &text))
        rc = err_set(&call->err, ERR_INVALID_IDEMPOTENCY_KEY,
                     "The value of the Idempotency-Key header is invalid. It must be 1 to %d "
                     "visible ASCII characters, optionally in double quotes.",
                     IDEMPOTENCY_KEY_MAX_BYTES);
    else
        rc = take_key(call, buf_str(&text), ret);
    buf_done(&text);
    return rc;
}

int
idempotent_check(struct idempotent *k, const uint8_t digest[SHA256_BYTES], struct err *err)
{
    if (!k->is_used || !k->is_known)
        return 0;
    if (memcmp(k->digest, digest, SHA256_BYTES) == 0)
        return 1;
    return err_set(err, ERR_IDEMPOTENCY_KEY_MISMATCH,
                   "This idempotency key was already used by a request with another body.");
}

int
idempotent_store(struct idempotent *k, const uint8_t digest[SHA256_BYTES], struct str answer)
{
    return k->is_used ? queue_idempotency_store(k->queue, &k->key, digest, answer) : 0;
}

void
idempotent_end(struct idempotent *k)
{
    if (k->is_used && !k->is_known)
        queue_idempotency_end(k->queue, &k->key);
    k->is_used = false;
    buf_done(&k->answer);
}
