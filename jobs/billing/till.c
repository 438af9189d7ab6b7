#include "jobs/billing/till.h"

#include "jobs/services/members.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>

enum { CONNECTIONS = 10, TIMEOUT_MS = 30000, KEY_LIFE_MS = 82800000 };

static enum mr_code check_config(json_t *config, struct mr_err *err)
{
    static const char *const needed[] = {"url", "key"};

    for (size_t i = 0; i < MR_COUNT(needed); i++)
        if (!mr_members_text(config, needed[i], NULL))
            return mr_fail(err, MR_EINVAL,
                           "payment.%s is not configured: no provider to charge with",
                           needed[i]);
    return MR_OK;
}

enum mr_code mr_till_open(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "payment");
    enum mr_code code = check_config(config, err);

    if (code != MR_OK)
        return code;
    struct mr_till *till = mr_zalloc(sizeof(*till));
    till->host = host;
    till->key_life_ms = mr_members_number(config, "key_life_ms", KEY_LIFE_MS);
    till->provider = (struct mr_payment_provider){
        .url = mr_members_url(mr_members_text(config, "url", ""), "/v1"),
        .key = mr_members_text(config, "key", NULL),
        .ca_file = mr_members_text(config, "ca_file", NULL),
        .connections = (unsigned)mr_members_number(config, "connections", CONNECTIONS),
        .timeout_ms = (uint64_t)mr_members_number(config, "timeout_ms", TIMEOUT_MS),
    };
    mr_http_limits_read(config, "payment", &till->provider.limits);
    code = mr_mysql_get(host, &till->mysql, err);
    if (code == MR_OK)
        code = mr_http_client_get(host, &till->provider.http, err);
    if (code == MR_OK)
        *out_state = till;
    else
        mr_till_close(till);
    return code;
}

void mr_till_close(void *state)
{
    struct mr_till *till = state;

    free(till->provider.url);
    free(till);
}
