#include "jobs/billing/till.h"

#include "proto/base/mem.h"
#include "worker/handler.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 10, TIMEOUT_MS = 30000, KEY_LIFE_MS = 82800000 };

static const char *text_of(json_t *config, const char *name)
{
    return json_string_value(json_object_get(config, name));
}

static int64_t number_of(json_t *config, const char *name, int64_t otherwise)
{
    int64_t number = json_integer_value(json_object_get(config, name));

    return number > 0 ? number : otherwise;
}

static enum mr_code check_config(json_t *config, struct mr_err *err)
{
    static const char *const needed[] = {"url", "key"};

    for (size_t i = 0; i < MR_COUNT(needed); i++)
        if (!text_of(config, needed[i]))
            return mr_fail(err, MR_EINVAL,
                           "payment.%s is not configured: no provider to charge with",
                           needed[i]);
    return MR_OK;
}

static char *api_url(const char *base)
{
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    return mr_asprintf("%.*s/v1", (int)len, base);
}

enum mr_code mr_till_open(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *config = mr_host_config(host, "payment");
    enum mr_code code = check_config(config, err);

    if (code != MR_OK)
        return code;
    struct mr_till *till = mr_zalloc(sizeof(*till));
    till->host = host;
    till->key_life_ms = number_of(config, "key_life_ms", KEY_LIFE_MS);
    till->provider = (struct mr_payment_provider){
        .url = api_url(text_of(config, "url")),
        .key = text_of(config, "key"),
        .ca_file = text_of(config, "ca_file"),
        .connections = (unsigned)number_of(config, "connections", CONNECTIONS),
        .timeout_ms = (uint64_t)number_of(config, "timeout_ms", TIMEOUT_MS),
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
