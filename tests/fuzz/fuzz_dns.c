/* A DNS answer of a name server that means ill: it is refused, or gives no more addresses than
 * there is room for; and what we write as a question reads as an answer to nothing. */
#include "fuzz.h"
#include "net/dns_message.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_TYPE_A, DNS_TYPE_AAAA};
    for (int i = 0; i < 2; i++) {
        struct dns_answer answer;
        struct buf question = BUF_INIT;
        struct dns_query q = {.id = 0x1234, .name = "a.example", .type = types[i]};
        if (dns_message_read_answer(str_make(data, size), &q, &answer) == 0)
            FUZZ_REQUIRE(answer.n <= RESOLVER_MAX_ADDRESSES && answer.rcode <= 15);
        dns_message_write_question(&question, &q);
        FUZZ_REQUIRE(dns_message_read_answer(buf_str(&question), &q, &answer) < 0);
        buf_done(&question);
    }
    return 0;
}
