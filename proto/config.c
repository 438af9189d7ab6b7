#include "proto/config.h"

#include "proto/base/mem.h"
#include "proto/bucket.h"
#include "proto/config_email.h"
#include "proto/config_env.h"
#include "proto/config_sms.h"
#include "proto/config_table.h"
#include "proto/number_format.h"
#include "proto/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { THREADS_USUAL = 20 };

/* A configuration on its way from the document to the struct. */
struct load {
    const char *source;
    struct mr_yaml *root;
    json_t *values;
    struct mr_config_errors *errors;
};

static void set_default(json_t *values, const char *name, json_t *value)
{
    if (mr_options_get(values, name))
        json_decref(value);
    else
        mr_options_set(values, name, value);
}

/* Nothing said of pools: one named default. */
static json_t *pools_of(struct load *load)
{
    const struct mr_yaml nothing = {.type = MR_YAML_MAP, .at = {.origin = load->source}};
    json_t *pools = json_object_get(load->values, "pools");

    if (json_object_size(pools) > 0)
        return pools;
    pools = json_object();
    json_object_set_new(load->values, "pools", pools);
    json_object_set_new(
        pools, "default",
        mr_options_read(&mr_pool_table, &nothing, "pools.default", load->errors));
    return pools;
}

/* The defaults that depend on other values. */
static void add_pool_defaults(struct load *load)
{
    const char *name;
    json_t *pool;

    json_object_foreach(pools_of(load), name, pool)
    {
        json_int_t concurrency = json_integer_value(json_object_get(pool, "concurrency"));

        set_default(pool, "queues", json_pack("[s]", name));
        set_default(pool, "threads",
                    json_integer(concurrency < THREADS_USUAL ? concurrency : THREADS_USUAL));
    }
}

static json_t *usual_runtime_dir(const char *const *environment)
{
    const char *xdg = mr_config_variable(environment, "XDG_RUNTIME_DIR");

    json_t *dir = NULL;

    if (geteuid() == 0)
        return json_string("/run/millrace");
    if (xdg && *xdg == '/')
        dir = json_sprintf("%s/millrace", xdg); /* NULL when it is no UTF-8 */
    return dir ? dir : json_sprintf("/tmp/millrace-%u", (unsigned)geteuid());
}

static void add_paths(json_t *values, const char *const *environment)
{
    set_default(values, "runtime_dir", usual_runtime_dir(environment));
    set_default(values, "control.socket",
                json_sprintf("%s/control.sock",
                             json_string_value(json_object_get(values, "runtime_dir"))));
}

/* Where the option was written; the whole document where it was not. */
static struct mr_place place_of(const struct load *load, const char *name)
{
    const struct mr_yaml *node = load->root;

    while (node && *name) {
        size_t len = strcspn(name, ".");
        char *member = mr_strndup(name, len);

        node = mr_yaml_get(node, member);
        free(member);
        name += len + (name[len] == '.');
    }
    return node ? node->at : (struct mr_place){.origin = load->source};
}

static bool has_weights(const json_t *queues)
{
    json_t *queue;
    size_t i;

    json_array_foreach(queues, i, queue)
    {
        if (strchr(json_string_value(queue), ':'))
            return true;
    }
    return false;
}

static void check_pools(const struct load *load)
{
    const struct mr_yaml *nodes = mr_yaml_get(load->root, "pools");
    const char *name;
    json_t *pool;

    json_object_foreach(json_object_get(load->values, "pools"), name, pool)
    {
        const char *balance = json_string_value(json_object_get(pool, "balance_queues"));
        const struct mr_yaml *queues = mr_yaml_get(mr_yaml_get(nodes, name), "queues");

        if (queues && strcmp(balance, "strict") == 0 &&
            has_weights(json_object_get(pool, "queues")))
            mr_config_errors_add(load->errors, queues->at,
                                 "pools.%s.queues has weights: they count only with "
                                 "balance_queues: weighted",
                                 name);
    }
}

/* A command says who runs it. What has neither may still say how long and how often the job is tried. */
static bool makes_sense(json_t *job)
{
    const char *handler = json_string_value(json_object_get(job, "handler"));
    bool command = json_object_get(job, "command") != NULL;

    if (!handler && command)
        json_object_set_new(job, "handler", json_string("exec"));
    if (!handler)
        return command || json_object_get(job, "tries") || json_object_get(job, "timeout");
    return command || strcmp(handler, "exec") != 0;
}

static void check_jobs(const struct load *load)
{
    const struct mr_yaml *nodes = mr_yaml_get(load->root, "jobs");
    const char *name;
    json_t *job;

    json_object_foreach(json_object_get(load->values, "jobs"), name, job)
    {
        const struct mr_yaml *node = mr_yaml_get(nodes, name);

        if (!makes_sense(job) && node && !mr_yaml_get(node, "command"))
            mr_config_errors_add(load->errors, node->key_at,
                                 "jobs.%s needs a command, such as [php, import.php]", name);
    }
}

static bool is_loopback(const char *listen)
{
    static const char *const beginnings[] = {"127.", "localhost:", "[::1]:", "::1:"};

    for (size_t i = 0; i < MR_COUNT(beginnings); i++)
        if (strncmp(listen, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static bool has_port(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    int64_t port;

    return colon && colon > listen && mr_option_parse_int(colon + 1, &port) && port >= 0 &&
           port <= UINT16_MAX;
}

static void check_control(const struct load *load)
{
    const char *listen = json_string_value(mr_options_get(load->values, "control.listen"));
    const char *path = json_string_value(mr_options_get(load->values, "control.socket"));
    bool insecure = json_is_true(mr_options_get(load->values, "control.insecure"));
    const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);

    if (listen && !has_port(listen))
        mr_config_errors_add(load->errors, place_of(load, "control.listen"),
                             "control.listen must be host:port, as in 127.0.0.1:9090 or "
                             "[::1]:9090");
    else if (listen && !is_loopback(listen) && !insecure)
        mr_config_errors_add(load->errors, place_of(load, "control.listen"),
                             "control.listen can be reached from other machines, and its token "
                             "would travel in clear: listen on 127.0.0.1, or say "
                             "control.insecure: true");
    if (strlen(path) >= room)
        mr_config_errors_add(
            load->errors, place_of(load, "control.socket"),
            "the path of control.socket has %zu bytes, a unix socket's at most "
            "%zu: set control.socket or runtime_dir to a shorter one",
            strlen(path), room - 1);
}

static void check_mysql(const struct load *load)
{
    json_int_t min = json_integer_value(mr_options_get(load->values, "mysql.pool.min"));
    json_int_t max = json_integer_value(mr_options_get(load->values, "mysql.pool.max"));

    if (min > max)
        mr_config_errors_add(load->errors, place_of(load, "mysql.pool"),
                             "mysql.pool.min %" JSON_INTEGER_FORMAT
                             " is above mysql.pool.max %" JSON_INTEGER_FORMAT,
                             min, max);
}

enum { DAY_MS = 86400000 };

static void check_series(const struct load *load, const char *option)
{
    const char *series = json_string_value(mr_options_get(load->values, option));

    if (series && !mr_number_is_series(series))
        mr_config_errors_add(load->errors, place_of(load, option),
                             "%s must be 1 to %d of A-Z, 0-9 and \"-\", got \"%s\"", option,
                             MR_NUMBER_SERIES_MAX, series);
}

/* Whether the template is there is seen when the first such job comes: it may be brought by then. */
static void check_template(const struct load *load, const char *option)
{
    if (mr_options_get(load->values, option) && !mr_options_get(load->values, "templates.dir"))
        mr_config_errors_add(load->errors, place_of(load, option),
                             "%s names a template, but templates.dir is not configured",
                             option);
}

static void check_billing(const struct load *load)
{
    const char *format = json_string_value(mr_options_get(load->values, "billing.number"));
    bool yearly = json_is_true(mr_options_get(load->values, "billing.yearly"));
    const char *queue = json_string_value(mr_options_get(load->values, "billing.mail_queue"));
    struct mr_err err;

    check_series(load, "billing.series");
    check_series(load, "billing.credit_series");
    check_template(load, "billing.renewal_mail");
    check_template(load, "billing.dunning_mail");
    check_template(load, "billing.suspended_mail");
    if (json_integer_value(mr_options_get(load->values, "billing.due")) % DAY_MS != 0)
        mr_config_errors_add(load->errors, place_of(load, "billing.due"),
                             "billing.due must be a number of whole days, such as 14d");
    if (queue && !mr_str_is_queue_name(mr_bytes_of(queue)))
        mr_config_errors_add(load->errors, place_of(load, "billing.mail_queue"),
                             "billing.mail_queue must be the name of a queue, 1 to 100 of A-Z "
                             "a-z 0-9 _ . { } -, got \"%s\"",
                             queue);
    if (format && yearly && mr_number_format_check(format, true, &err) != MR_OK)
        mr_config_errors_add(load->errors, place_of(load, "billing.yearly"),
                             "billing.number %s (billing.yearly)", err.text);
}

/* An option of the bucket's, when it is configured: refused where it stands. */
static void check_bucket(const struct load *load, const char *option, enum mr_code code,
                         const struct mr_err *err)
{
    if (code != MR_OK)
        mr_config_errors_add(load->errors, place_of(load, option), "%s %s", option, err->text);
}

static void check_s3(const struct load *load)
{
    const char *name = json_string_value(mr_options_get(load->values, "storage.s3.bucket"));
    const char *prefix = json_string_value(mr_options_get(load->values, "storage.s3.prefix"));
    const char *endpoint =
        json_string_value(mr_options_get(load->values, "storage.s3.endpoint"));
    struct mr_err err;

    if (name)
        check_bucket(load, "storage.s3.bucket", mr_bucket_check_name(name, &err), &err);
    if (prefix)
        check_bucket(load, "storage.s3.prefix", mr_bucket_check_prefix(prefix, &err), &err);
    if (endpoint)
        check_bucket(load, "storage.s3.endpoint", mr_bucket_read_endpoint(endpoint, NULL, &err),
                     &err);
}

/* What the other kind needs may be missing. */
static void check_storage(const struct load *load)
{
    static const char *const needed[] = {"storage.s3.bucket", "storage.s3.key",
                                         "storage.s3.secret"};
    const char *kind = json_string_value(mr_options_get(load->values, "storage.kind"));

    for (size_t i = 0; strcmp(kind, "s3") == 0 && i < MR_COUNT(needed); i++)
        if (!mr_options_get(load->values, needed[i]))
            mr_config_errors_add(load->errors, place_of(load, "storage.kind"),
                                 "storage.kind is s3, but %s is not configured", needed[i]);
    check_s3(load);
}

static void fill_pools(struct mr_config *config)
{
    json_t *pools = json_object_get(config->values, "pools"), *pool;
    const char *name;

    config->pools = mr_zalloc_array(json_object_size(pools), sizeof(*config->pools));
    json_object_foreach(pools, name, pool)
    {
        struct mr_pool_config *out = &config->pools[config->n_pools++];

        out->policy = mr_policy_default();
        out->name = mr_strdup(name);
        mr_options_fill(&mr_pool_table, pool, out);
    }
}

/* Takes values. */
static struct mr_config *new_config(const char *source, json_t *values)
{
    struct mr_config *config = mr_zalloc(sizeof(*config));

    config->source = mr_strdup(source);
    config->values = values;
    mr_options_fill(&mr_config_table, values, config);
    fill_pools(config);
    config->sections = mr_options_sections(&mr_config_table, values);
    json_object_del(config->sections, "pools");
    return config;
}

/* From the document, resolved, to the struct. */
static enum mr_code build(struct load *load, const char *const *environment,
                          struct mr_config **out)
{
    load->values = mr_options_read(&mr_config_table, load->root, "", load->errors);
    add_pool_defaults(load);
    add_paths(load->values, environment);
    check_pools(load);
    check_jobs(load);
    check_control(load);
    check_storage(load);
    check_mysql(load);
    check_billing(load);
    mr_config_check_email(load->root, load->values, load->errors);
    mr_config_check_sms(load->values, load->root, load->source, load->errors);
    if (load->errors->n_lines > 0) {
        json_decref(load->values);
        return MR_EINVAL;
    }
    *out = new_config(load->source, load->values);
    return MR_OK;
}

static enum mr_code read_file(const char *path, struct mr_buf *out,
                              struct mr_config_errors *errors)
{
    FILE *file = fopen(path, "re");
    bool good = file != NULL;

    if (file) {
        mr_buf_reserve(out, MR_YAML_BYTES_MAX + 1);
        out->len = fread(out->at, 1, MR_YAML_BYTES_MAX + 1, file);
        out->at[out->len] = '\0';
        good = !ferror(file);
        int error = errno;
        fclose(file);
        errno = error;
    }
    if (good)
        return MR_OK;
    mr_config_errors_add(errors, (struct mr_place){.origin = path}, "cannot be read: %s",
                         strerror(errno));
    return MR_EIO;
}

enum mr_code mr_config_load(const char *path, const char *const *environment,
                            struct mr_config **out, struct mr_config_errors *errors)
{
    bool from_file = path && *path; /* an empty MILLRACE_CONFIG says nothing */
    struct load load = {.source = from_file ? path : "environment", .errors = errors};
    struct mr_buf text = {0};
    enum mr_code code = from_file ? read_file(path, &text, errors) : MR_OK;

    if (code == MR_OK)
        code = mr_yaml_parse(text.at ? text.at : "", text.len, load.source, &load.root, errors);
    if (code == MR_OK) {
        mr_config_overlay(load.root, environment, text.at ? text.at : "", errors);
        mr_config_expand(load.root, environment, errors);
        code = build(&load, environment, out);
    }
    mr_yaml_free(load.root);
    mr_buf_fini(&text);
    return code;
}

enum mr_code mr_config_parse(const char *text, size_t len, const char *name,
                             struct mr_config **out, struct mr_config_errors *errors)
{
    struct load load = {.source = name, .errors = errors};
    enum mr_code code = mr_yaml_parse(text, len, name, &load.root, errors);

    if (code == MR_OK)
        code = build(&load, NULL, out);
    mr_yaml_free(load.root);
    return code;
}

void mr_config_free(struct mr_config *config)
{
    if (!config)
        return;
    for (unsigned i = 0; i < config->n_pools; i++) {
        mr_options_empty(&mr_pool_table, &config->pools[i]);
        free(config->pools[i].name);
    }
    free(config->pools);
    mr_options_empty(&mr_config_table, config);
    json_decref(config->sections);
    json_decref(config->values);
    free(config->source);
    free(config);
}

static bool is_same(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

/* value NULL: the option is absent afterwards. name has at most one dot. */
static void put_back(json_t *values, const char *name, json_t *value)
{
    const char *dot = strchr(name, '.');
    char *group = mr_strndup(name, dot ? (size_t)(dot - name) : 0);

    if (value)
        mr_options_set(values, name, json_incref(value));
    else
        json_object_del(dot ? json_object_get(values, group) : values, dot ? dot + 1 : name);
    free(group);
}

void mr_config_keep(struct mr_config **config, const struct mr_config *running,
                    struct mr_buf *kept)
{
    struct mr_config *now = *config;
    json_t *values = json_deep_copy(now->values);

    for (size_t i = 0; i < mr_config_table.n_rows; i++) {
        const struct mr_option *row = &mr_config_table.rows[i];
        json_t *old = mr_options_get(running->values, row->name);

        if (!(row->flags & MR_CONFIG_RESTART) ||
            is_same(old, mr_options_get(values, row->name)))
            continue;
        if (kept)
            mr_buf_printf(kept, "%s%s", kept->len ? ", " : "", row->name);
        put_back(values, row->name, old);
    }
    *config = new_config(now->source, values);
    mr_config_free(now);
}

const struct mr_pool_config *mr_config_pool(const struct mr_config *config, const char *name)
{
    for (unsigned i = 0; i < config->n_pools; i++)
        if (strcmp(config->pools[i].name, name) == 0)
            return &config->pools[i];
    return NULL;
}
