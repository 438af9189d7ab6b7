/* Any data of an http.call: headers stay one line each, none of them frames the body, and the body is what data says. */
#include "jobs/http/call.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <string.h>
#include <strings.h>

static void check_header(const char *header)
{
    static const char *const ours[] = {
        "Content-Length:", "Transfer-Encoding:", "Host:", "Connection:", "X-Service-Token:"};

    must(strstr(header, ": ") && !strpbrk(header, "\r\n"));
    for (size_t i = 0; i < MR_COUNT(ours); i++)
        must(strncasecmp(header, ours[i], strlen(ours[i])) != 0);
}

static void check(const struct mr_call *call, const json_t *data)
{
    json_t *body = call->body.at ? json_loadb(call->body.at, call->body.len,
                                              JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                                 : NULL;

    must(call->url[0] && call->method[0] &&
         strspn(call->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(call->method));
    must(json_equal(body, json_object_get(data, "json")) ||
         (!body && !json_object_get(data, "json")));
    for (unsigned i = 0; i < call->n_headers; i++)
        check_header(call->headers[i]);
    for (unsigned i = 0; i < call->n_expect; i++)
        must(call->expect[i] >= 100 && call->expect[i] <= 599);
    must(call->timeout_ms > 0);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_call call;
    struct mr_err err = {0};
    json_t *data = json_loadb((const char *)bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (!data || memchr(bytes, '\0', len)) { /* the envelope's scan has refused a NUL byte */
        json_decref(data);
        return 0;
    }
    if (mr_call_read(data, (struct mr_bytes){(const char *)bytes, len}, "u-1", 30000, &call,
                     &err) == MR_OK) {
        check(&call, data);
        mr_call_fini(&call);
    } else {
        must(err.text[0]);
    }
    json_decref(data);
    return 0;
}
