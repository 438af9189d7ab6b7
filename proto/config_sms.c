#include "proto/config_sms.h"

#include "proto/base/mem.h"
#include "proto/options.h"

#include <string.h>

/* The provider that the options of sms itself describe. */
#define OWN "default"

struct check {
    const json_t *values;
    const struct mr_yaml *node; /* of sms; NULL when nothing was said of it */
    struct mr_place elsewhere;  /* where a thing is wrong that was not written */
    struct mr_config_errors *errors;
};

static const json_t *get(const struct check *check, const char *name)
{
    return json_object_get(json_object_get(check->values, "sms"), name);
}

static bool has(const struct check *check, const char *name)
{
    return get(check, name) != NULL;
}

static bool says(const json_t *values, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(values, name));

    return value && strcmp(value, text) == 0;
}

static struct mr_place place_of(const struct check *check, const char *name)
{
    const struct mr_yaml *node = mr_yaml_get(check->node, name);

    return node ? node->at : check->node ? check->node->at : check->elsewhere;
}

/* ---- providers ---- */

static void check_provider(const struct check *check, const char *name, const json_t *provider)
{
    static const char *const of_twilio[] = {"url", "account", "token"};
    static const char *const of_http[] = {"url", "body"};
    bool http = says(provider, "kind", "http");
    const char *const *needed = http ? of_http : of_twilio;
    size_t n = http ? MR_COUNT(of_http) : MR_COUNT(of_twilio);
    const struct mr_yaml *node = mr_yaml_get(mr_yaml_get(check->node, "providers"), name);

    for (size_t i = 0; i < n; i++)
        if (!json_object_get(provider, needed[i]))
            mr_config_errors_add(check->errors, node ? node->key_at : check->elsewhere,
                                 "sms.providers.%s needs %s: its kind is %s", name, needed[i],
                                 http ? "http" : "twilio");
}

static void check_providers(const struct check *check)
{
    const json_t *providers = get(check, "providers");
    const char *name;
    json_t *provider;

    json_object_foreach((json_t *)(uintptr_t)providers, name, provider)
    {
        if (strcmp(name, OWN) == 0 && has(check, "url"))
            mr_config_errors_add(
                check->errors, place_of(check, "providers"),
                "sms.providers.default is there twice: sms.url and what stands "
                "beside it are the provider of that name");
        check_provider(check, name, provider);
    }
}

/* ---- their order ---- */

static bool is_provider(const struct check *check, const char *name)
{
    return json_object_get(get(check, "providers"), name) ||
           (strcmp(name, OWN) == 0 && has(check, "url"));
}

static bool is_before(const json_t *order, size_t i, const char *name)
{
    while (i-- > 0)
        if (strcmp(json_string_value(json_array_get(order, i)), name) == 0)
            return true;
    return false;
}

static void check_order(const struct check *check)
{
    const json_t *order = get(check, "order");

    for (size_t i = 0; i < json_array_size(order); i++) {
        const char *name = json_string_value(json_array_get(order, i));

        if (!is_provider(check, name))
            mr_config_errors_add(check->errors, place_of(check, "order"),
                                 "sms.order names \"%s\", which is not in sms.providers", name);
        else if (is_before(order, i, name))
            mr_config_errors_add(check->errors, place_of(check, "order"),
                                 "sms.order names \"%s\" twice", name);
    }
}

static size_t count_providers(const struct check *check)
{
    if (has(check, "order"))
        return json_array_size(get(check, "order"));
    return json_object_size(get(check, "providers")) + has(check, "url");
}

/* ---- what it takes ---- */

/* An attempt that follows one of which nobody knows must ask the same provider again: somebody has to remember which that was. */
static void check_memory(const struct check *check)
{
    bool record = json_is_true(get(check, "record"));

    if (count_providers(check) > 1 && !record &&
        !says(json_object_get(check->values, "sms"), "unknown", "hold"))
        mr_config_errors_add(
            check->errors, place_of(check, has(check, "order") ? "order" : "providers"),
            "sms has several providers: so that nobody gets a message from two "
            "of them, say sms.record: true or sms.unknown: hold");
    if (record && !mr_options_get(check->values, "mysql.database"))
        mr_config_errors_add(check->errors, place_of(check, "record"),
                             "sms.record needs a database: mysql.database is not configured");
    if (record && !has(check, "secret"))
        mr_config_errors_add(check->errors, place_of(check, "record"),
                             "sms.record needs sms.secret, under which numbers are hashed");
    if (has(check, "callback") && !has(check, "secret"))
        mr_config_errors_add(check->errors, place_of(check, "callback"),
                             "sms.callback needs sms.secret, with which it is signed");
}

void mr_config_check_sms(const json_t *values, const struct mr_yaml *root, const char *source,
                         struct mr_config_errors *errors)
{
    const struct check check = {.values = values,
                                .node = mr_yaml_get(root, "sms"),
                                .elsewhere = {.origin = source},
                                .errors = errors};

    check_providers(&check);
    check_order(&check);
    check_memory(&check);
}
