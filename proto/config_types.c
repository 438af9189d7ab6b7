#include "proto/config_types.h"

#include "proto/base/duration.h"
#include "proto/base/mem.h"
#include "proto/base/rate.h"
#include "proto/config.h"
#include "proto/number_format.h"
#include "proto/redis_url.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WEIGHT_MAX = 1000,
    WAIT_MAX_S = 7 * 86400,
    CODE_MAX = 255,
    DAY_MAX = 365,
    ZONE_MAX = 60
};

/* The weight behind the name in "name:weight"; 1 where there is none, 0 where it is wrong. */
static uint32_t weight_of(const char *text)
{
    const char *colon = strchr(text, ':');
    int64_t weight = 1;

    if (colon &&
        (!mr_option_parse_int(colon + 1, &weight) || weight < 1 || weight > WEIGHT_MAX))
        return 0;
    return (uint32_t)weight;
}

static json_t *read_queue(const struct mr_option_site *site, const char *text)
{
    struct mr_bytes name = {text, strcspn(text, ":")};

    if (!mr_str_is_queue_name(name)) {
        mr_option_complain(site, "names of queues, each 1 to 100 of A-Z a-z 0-9 _ . { } -");
        return NULL;
    }
    if (weight_of(text) == 0) {
        mr_option_complain(site, "names of queues, with weights 1..1000 as in name:2");
        return NULL;
    }
    return json_string(text);
}

static bool same_queue(const char *a, const char *b)
{
    size_t len = strcspn(a, ":");

    return len == strcspn(b, ":") && memcmp(a, b, len) == 0;
}

static bool has_twice(const struct mr_option_site *site, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t j = 0; j < i; j++) {
            const char *name = json_string_value(json_array_get(list, i));

            if (!same_queue(name, json_string_value(json_array_get(list, j))))
                continue;
            mr_config_errors_add(site->errors, site->node->at, "%s names \"%.*s\" twice",
                                 site->path, (int)strcspn(name, ":"), name);
            return true;
        }
    return false;
}

static json_t *read_queues(const struct mr_option_site *site)
{
    json_t *list = mr_option_read_list(site, read_queue);

    if (list && json_array_size(list) == 0)
        mr_option_complain(site, "a list of at least one queue");
    else if (list && !has_twice(site, list))
        return list;
    json_decref(list);
    return NULL;
}

static void fill_queues(const struct mr_option *row, const json_t *value, void *base)
{
    struct mr_pool_config *pool = base;

    mr_option_fill_list(row, value, base);
    pool->weights = mr_zalloc_array(pool->n_queues, sizeof(*pool->weights));
    for (unsigned i = 0; i < pool->n_queues; i++) {
        pool->weights[i] = weight_of(pool->queues[i]);
        pool->queues[i][strcspn(pool->queues[i], ":")] = '\0';
    }
}

static void empty_queues(const struct mr_option *row, void *base)
{
    mr_option_empty_list(row, base);
    free(((struct mr_pool_config *)base)->weights);
}

const struct mr_option_type mr_config_queues = {
    .name = "list of queues",
    .read = read_queues,
    .print = mr_option_print_list,
    .fill = fill_queues,
    .empty = empty_queues,
};

/* "1s..1h" into base and cap; false if text is no such thing. */
static bool parse_doubling(const char *text, struct mr_backoff *out)
{
    const char *dots = strstr(text, "..");
    uint64_t base_ms = 0, cap_ms = 0;

    if (!dots)
        return false;
    char *base = mr_strndup(text, (size_t)(dots - text));
    bool known = mr_duration_parse(base, &base_ms, NULL) == MR_OK &&
                 mr_duration_parse(dots + 2, &cap_ms, NULL) == MR_OK;

    free(base);
    if (!known || base_ms == 0 || base_ms > cap_ms || cap_ms > WAIT_MAX_S * UINT64_C(1000))
        return false;
    *out = (struct mr_backoff){
        .base_ms = (uint32_t)base_ms, .cap_ms = (uint32_t)cap_ms, .jitter_pct = 100};
    return true;
}

static json_t *read_wait(const struct mr_option_site *site, const char *text)
{
    uint64_t wait_ms;

    if (mr_duration_parse(text, &wait_ms, NULL) == MR_OK && wait_ms % 1000 == 0 &&
        wait_ms <= WAIT_MAX_S * UINT64_C(1000))
        return json_integer((json_int_t)(wait_ms / 1000));
    mr_option_complain(site, "1s..1h (doubling) or whole seconds up to 7d, one or a list");
    return NULL;
}

/* In the tree: "1s..1h" as text, or the list of seconds. */
static json_t *read_backoff(const struct mr_option_site *site)
{
    struct mr_backoff doubling;

    if (site->node->type == MR_YAML_SCALAR && parse_doubling(site->node->text, &doubling)) {
        char base[32], cap[32];

        mr_duration_print(doubling.base_ms, base);
        mr_duration_print(doubling.cap_ms, cap);
        return json_sprintf("%s..%s", base, cap);
    }
    json_t *list = mr_option_read_list(site, read_wait);

    if (!list || (json_array_size(list) >= 1 && json_array_size(list) <= MR_POLICY_BACKOFFS))
        return list;
    mr_config_errors_add(site->errors, site->node->at, "%s must hold 1 to %d waits, got %zu",
                         site->path, MR_POLICY_BACKOFFS, json_array_size(list));
    json_decref(list);
    return NULL;
}

static void print_backoff(const json_t *value, bool secrets, struct mr_buf *out)
{
    if (json_is_string(value))
        mr_yaml_quote(out, json_string_value(value));
    else
        mr_option_print_list(value, secrets, out);
}

static void fill_backoff(const struct mr_option *row, const json_t *value, void *base)
{
    struct mr_policy *policy = &((struct mr_pool_config *)base)->policy;

    (void)row;
    if (json_is_string(value)) {
        policy->n_backoff = 0;
        parse_doubling(json_string_value(value), &policy->backoff);
        return;
    }
    policy->n_backoff = (unsigned)json_array_size(value);
    for (unsigned i = 0; i < policy->n_backoff; i++)
        policy->backoff_s[i] = (uint32_t)json_integer_value(json_array_get(value, i));
}

const struct mr_option_type mr_config_backoff = {
    .name = "backoff",
    .read = read_backoff,
    .print = print_backoff,
    .fill = fill_backoff,
};

/* A url is not shown where it is wrong: it may hold a password. */
static json_t *read_redis_url(const struct mr_option_site *site)
{
    struct mr_redis_url url = {0};
    struct mr_err err;

    if (site->node->type != MR_YAML_SCALAR) {
        mr_option_complain(site, "a url");
        return NULL;
    }
    if (mr_redis_url_parse(site->node->text, &url, &err) != MR_OK) {
        mr_config_errors_add(site->errors, site->node->at, "%s", err.text);
        return NULL;
    }
    mr_redis_url_fini(&url);
    return json_string(site->node->text);
}

static void print_redis_url(const json_t *value, bool secrets, struct mr_buf *out)
{
    mr_option_url.print(value, secrets, out);
}

static void fill_redis_url(const struct mr_option *row, const json_t *value, void *base)
{
    mr_option_url.fill(row, value, base);
}

static void empty_redis_url(const struct mr_option *row, void *base)
{
    mr_option_url.empty(row, base);
}

const struct mr_option_type mr_config_redis_url = {
    .name =
        "redis://[user[:password]@]host[:port][/db], redis+unix:///path[?db=n] or unix:/path",
    .read = read_redis_url,
    .print = print_redis_url,
    .fill = fill_redis_url,
    .empty = empty_redis_url,
};

static json_t *read_argument(const struct mr_option_site *site, const char *text)
{
    (void)site;
    return json_string(text);
}

static json_t *read_command(const struct mr_option_site *site)
{
    const struct mr_yaml *node = site->node;

    if (node->type != MR_YAML_LIST || node->n_items == 0 || mr_yaml_is_absent(node->items[0]) ||
        (node->items[0]->type == MR_YAML_SCALAR && !*node->items[0]->text)) {
        mr_option_complain(site,
                           "a list that begins with a program, such as [php, import.php]");
        return NULL;
    }
    return mr_option_read_list(site, read_argument);
}

const struct mr_option_type mr_config_command = {
    .name = "program and arguments",
    .read = read_command,
    .print = mr_option_print_list,
};

static json_t *read_code(const struct mr_option_site *site, const char *text)
{
    int64_t code;

    if (mr_option_parse_int(text, &code) && code >= 0 && code <= CODE_MAX)
        return json_integer(code);
    mr_option_complain(site, "exit statuses within 0..255, one or a list");
    return NULL;
}

static json_t *read_codes(const struct mr_option_site *site)
{
    return mr_option_read_list(site, read_code);
}

const struct mr_option_type mr_config_codes = {
    .name = "list of exit statuses",
    .read = read_codes,
    .print = mr_option_print_list,
};

static json_t *read_a_day(const struct mr_option_site *site, const char *text)
{
    int64_t day;

    if (mr_option_parse_int(text, &day) && day >= 1 && day <= DAY_MAX)
        return json_integer(day);
    mr_option_complain(site, "whole days within 1..365, one or a list");
    return NULL;
}

static bool grows(const json_t *list)
{
    for (size_t i = 1; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i)) <=
            json_integer_value(json_array_get(list, i - 1)))
            return false;
    return true;
}

static json_t *read_days(const struct mr_option_site *site)
{
    json_t *list = mr_option_read_list(site, read_a_day);

    if (!list || (grows(list) && json_array_size(list) <= MR_CONFIG_DAYS))
        return list;
    mr_config_errors_add(site->errors, site->node->at,
                         "%s must hold at most %d days, each after the one before, such as "
                         "[3, 7, 14]",
                         site->path, MR_CONFIG_DAYS);
    json_decref(list);
    return NULL;
}

const struct mr_option_type mr_config_days = {
    .name = "list of days that grow, such as [3, 7, 14]",
    .read = read_days,
    .print = mr_option_print_list,
};

static json_t *read_status(const struct mr_option_site *site, const char *text)
{
    int64_t status;

    if (mr_option_parse_int(text, &status) && status >= 100 && status <= 599)
        return json_integer(status);
    mr_option_complain(site, "HTTP statuses within 100..599, one or a list");
    return NULL;
}

static json_t *read_statuses(const struct mr_option_site *site)
{
    return mr_option_read_list(site, read_status);
}

const struct mr_option_type mr_config_statuses = {
    .name = "list of HTTP statuses",
    .read = read_statuses,
    .print = mr_option_print_list,
};

static json_t *read_condition(const struct mr_option_site *site, const char *text)
{
    if (strcspn(text, "=") > 0 && strchr(text, '='))
        return json_string(text);
    mr_option_complain(site, "path=value such as messages.0.status=0, one or a list");
    return NULL;
}

static json_t *read_conditions(const struct mr_option_site *site)
{
    return mr_option_read_list(site, read_condition);
}

const struct mr_option_type mr_config_conditions = {
    .name = "list of conditions, path=value",
    .read = read_conditions,
    .print = mr_option_print_list,
};

static json_t *read_text_map(const struct mr_option_site *site)
{
    const struct mr_yaml *node = site->node;
    json_t *map = json_object();
    bool good = node->type == MR_YAML_MAP;

    for (size_t i = 0; good && i < node->n_items; i++) {
        const struct mr_yaml *member = node->items[i];

        good = member->type == MR_YAML_SCALAR && !strchr(member->key, '=');
        if (good)
            json_object_set_new(map, member->key, json_string(member->text));
    }
    if (good)
        return map;
    mr_option_complain(site, "a map from names to plain values");
    json_decref(map);
    return NULL;
}

static void print_text_map(const json_t *value, bool secrets, struct mr_buf *out)
{
    const char *name, *between = "";
    json_t *text;

    (void)secrets;
    mr_buf_char(out, '{');
    json_object_foreach((json_t *)(uintptr_t)value, name, text)
    {
        mr_buf_text(out, between);
        mr_yaml_quote(out, name);
        mr_buf_text(out, ": ");
        mr_yaml_quote(out, json_string_value(text));
        between = ", ";
    }
    mr_buf_char(out, '}');
}

const struct mr_option_type mr_config_text_map = {
    .name = "map of text",
    .read = read_text_map,
    .print = print_text_map,
};

static json_t *read_rate(const struct mr_option_site *site)
{
    struct mr_rate rate;
    struct mr_err err;
    char text[48];

    if (site->node->type != MR_YAML_SCALAR) {
        mr_option_complain(site, "a rate, such as 10/s");
        return NULL;
    }
    if (mr_rate_parse(site->node->text, &rate, &err) != MR_OK) {
        mr_option_complain(site, err.text);
        return NULL;
    }
    mr_rate_print(&rate, text);
    return json_string(text);
}

static void print_text(const json_t *value, bool secrets, struct mr_buf *out)
{
    mr_option_text.print(value, secrets, out);
}

const struct mr_option_type mr_config_rate = {
    .name = "rate, such as 10/s or 600/m; the count may come at once",
    .read = read_rate,
    .print = print_text,
};

static json_t *read_number_format(const struct mr_option_site *site)
{
    struct mr_err err;

    if (site->node->type != MR_YAML_SCALAR) {
        mr_option_complain(site, mr_config_number.name);
        return NULL;
    }
    if (mr_number_format_check(site->node->text, false, &err) == MR_OK)
        return json_string(site->node->text);
    mr_config_errors_add(site->errors, site->node->at, "%s %s", site->path, err.text);
    return NULL;
}

const struct mr_option_type mr_config_number = {
    .name = "a format such as \"{series}-{year}-{number:6}\"",
    .read = read_number_format,
    .print = print_text,
};

/* A name below the system's zones, and nothing that leads out of there. */
static bool is_zone(const char *name)
{
    size_t len = strlen(name);

    if (strcmp(name, "UTC") == 0)
        return true;
    if (len == 0 || len > ZONE_MAX || name[0] == '/' || strstr(name, "..") ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789_+/-") != len)
        return false;
    char *path = mr_asprintf("/usr/share/zoneinfo/%s", name);
    bool known = access(path, R_OK) == 0;

    free(path);
    return known;
}

static json_t *read_zone(const struct mr_option_site *site)
{
    if (site->node->type == MR_YAML_SCALAR && is_zone(site->node->text))
        return json_string(site->node->text);
    mr_option_complain(site, mr_config_zone.name);
    return NULL;
}

const struct mr_option_type mr_config_zone = {
    .name = "a time zone that this system knows, such as UTC or Europe/Berlin",
    .read = read_zone,
    .print = print_text,
};
