/* Any reply of the text message provider: done only where it names the message; never the number or the text in a reason. */
#include "jobs/sms/reply.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <string.h>

static const long statuses[] = {200, 201, 301, 400, 401, 403, 404,
                                405, 408, 409, 429, 500, 503};
static const enum mr_http_end ends[] = {MR_HTTP_ANSWERED, MR_HTTP_NOT_SENT, MR_HTTP_HELD,
                                        MR_HTTP_REFUSED, MR_HTTP_UNKNOWN};

static bool names_it(const struct mr_http_answer *answer)
{
    json_t *body = json_loadb(answer->body.at, answer->body.len, 0, NULL);
    bool named = json_string_length(json_object_get(body, "sid")) > 0;

    json_decref(body);
    return answer->end == MR_HTTP_ANSWERED && answer->status / 100 == 2 && named;
}

static void check(const struct mr_outcome *outcome, const struct mr_http_answer *answer,
                  const struct mr_message *message, const struct mr_reply *reply)
{
    must((outcome->kind == MR_OUTCOME_DONE) == names_it(answer));
    must((outcome->kind == MR_OUTCOME_DONE) == (reply->id[0] != '\0'));
    if (outcome->kind == MR_OUTCOME_DONE)
        return;
    json_t *reason = json_string(outcome->reason); /* UTF-8 */
    must(json_string_length(reason) > 0);
    must(!strstr(outcome->reason, message->to) && !strstr(outcome->reason, message->text));
    must(outcome->kind != MR_OUTCOME_FAIL || answer->status / 100 == 4);
    must(outcome->kind != MR_OUTCOME_RELEASE ||
         (outcome->after_ms >= 1000 && outcome->after_ms <= 2 * 60 * 60 * 1000));
    json_decref(reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char to[] = "+4915112345678", from[] = "+12025550123", text[] = "code 4711";
    const struct mr_message message = {.to = to, .from = from, .text = text, .segments = 1};
    struct mr_http_answer answer = {.retry_after_ms = -1, .trouble = "no connection"};
    const struct mr_reply_context context = {
        .section = "sms", .message = &message, .sender = from};
    struct mr_reply reply;

    if (len < 2)
        return 0;
    answer.end = ends[bytes[0] < 250 ? 0 : bytes[0] % MR_COUNT(ends)];
    answer.status = statuses[bytes[0] % MR_COUNT(statuses)];
    answer.retry_after_ms = bytes[1] < 128 ? -1 : (int64_t)(bytes[1] - 128) << 20;
    answer.body = (struct mr_bytes){(const char *)bytes + 2, len - 2};
    const struct mr_reply_policy policy = {.named = bytes[1] & 1,
                                           .roll = bytes[1] * UINT32_C(0x1010101)};
    mr_reply_read(&answer, &context, &reply);
    struct mr_outcome outcome = mr_reply_outcome(&reply, &policy);
    check(&outcome, &answer, &message, &reply);
    mr_outcome_fini(&outcome);
    return 0;
}
