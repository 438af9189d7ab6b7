#include "jobs/services/http_limits.h"

#include "proto/base/clock.h"
#include "worker/handler.h"

static uint64_t number(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

void mr_http_limits_read(const json_t *section, const char *name, struct mr_http_limits *out)
{
    const json_t *circuit = json_object_get(section, "circuit");
    const char *rate = json_string_value(json_object_get(section, "rate"));

    *out = (struct mr_http_limits){
        .name = name,
        .wait_ms = number(section, "wait_ms"),
        .circuit = {.failures = (unsigned)number(circuit, "failures"),
                    .share_pct = (unsigned)number(circuit, "share"),
                    .least = (unsigned)number(circuit, "least"),
                    .window_ms = number(circuit, "window_ms"),
                    .open_ms = number(circuit, "open_for_ms")}
    };
    if (rate)
        mr_rate_parse(rate, &out->rate, NULL);
}

struct mr_http_limits mr_http_limits_within(const struct mr_http_limits *limits,
                                            uint64_t timeout_ms, const struct mr_job *job)
{
    uint64_t deadline_ms = mr_job_deadline_ms(job), now_ms = mr_clock_ms();
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    struct mr_http_limits within = *limits;

    if (within.wait_ms == 0)
        within.wait_ms = timeout_ms;
    if (left_ms < timeout_ms + within.wait_ms)
        within.wait_ms = left_ms > timeout_ms ? left_ms - timeout_ms : 1;
    return within;
}
