/* Any bytes as the head of an HTTP answer, line by line as curl gives them. */
#include "jobs/services/http_own.h"
#include "tests/fuzz/must.h"

#include <string.h>

static void check(const struct mr_http_answer *answer)
{
    struct mr_bytes value = mr_http_header(answer, "Retry-After");
    int64_t wait_ms = mr_http_retry_after_ms(value, 1795437139754);

    must(wait_ms >= -1 && wait_ms <= 24 * 60 * 60 * 1000);
    must(value.at || wait_ms == -1);
    if (!value.at)
        return;
    must(value.at >= answer->headers.at &&
         value.at + value.len <= answer->headers.at + answer->headers.len);
    must(value.len == 0 ||
         (!strchr(" \t", value.at[0]) && !strchr(" \t\r\n", value.at[value.len - 1])));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_http_arriving arriving = {.body_max = 100};
    struct mr_http_answer answer = {0};
    const char *at = (const char *)bytes, *end = at + len;

    while (at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t n = line ? (size_t)(line + 1 - at) : (size_t)(end - at);

        must(mr_http_on_header((char *)(uintptr_t)at, 1, n, &arriving) == n);
        at += n;
    }
    size_t taken = mr_http_on_body((char *)(uintptr_t)bytes, 1, len, &arriving);
    must(arriving.truncated == (len > 100) && taken == (len > 100 ? 0 : len) &&
         arriving.body.len <= 100);
    answer.headers = arriving.headers;
    check(&answer);
    mr_buf_fini(&arriving.headers);
    mr_buf_fini(&arriving.body);
    return 0;
}
