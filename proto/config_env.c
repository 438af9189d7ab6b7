#include "proto/config_env.h"

#include "proto/base/mem.h"
#include "proto/config_table.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "MILLRACE_"

enum { SECRET_MAX_BYTES = 64 << 10, OPTIONS_MAX = 256 };

const char *mr_config_variable(const char *const *environment, const char *name)
{
    size_t len = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    return NULL;
}

static bool is_text(const char *text)
{
    json_t *probe = json_string(text);

    json_decref(probe);
    return probe != NULL;
}

/* One scalar being resolved. */
struct expansion {
    const char *const *environment;
    struct mr_yaml *node;
    struct mr_config_errors *errors;
    struct mr_buf out;
};

/* Resolves the ${...} that begins at text; gives what follows it, NULL after a complaint. */
static const char *expand_variable(struct expansion *x, const char *text)
{
    size_t len = strcspn(text, "}");
    size_t name_len =
        2 + strspn(text + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789_");
    bool otherwise = strncmp(text + name_len, ":-", 2) == 0;

    if (text[len] != '}' || name_len == 2 || (name_len != len && !otherwise)) {
        mr_config_errors_add(
            x->errors, x->node->at,
            "\"%.*s\" is no variable: write ${NAME}, ${NAME:-otherwise}, or $${ "
            "for the characters themselves",
            (int)(len < 40 ? len : 40), text);
        return NULL;
    }
    char *name = mr_strndup(text + 2, name_len - 2);
    const char *value = mr_config_variable(x->environment, name);

    if (otherwise && (!value || !*value))
        mr_buf_add(&x->out, text + name_len + 2, len - name_len - 2);
    else if (value)
        mr_buf_text(&x->out, value);
    else
        mr_config_errors_add(x->errors, x->node->at,
                             "the environment has no %s: set it, or write ${%s:-otherwise}",
                             name, name);
    free(name);
    x->node->expanded = true;
    return value || otherwise ? text + len + 1 : NULL;
}

/* Resolves all of text into x->out; false after a complaint. */
static bool expand_text(struct expansion *x, const char *text)
{
    while (text && *text) {
        size_t plain = strcspn(text, "$");

        mr_buf_add(&x->out, text, plain);
        text += plain;
        if (strncmp(text, "$${", 3) == 0) {
            mr_buf_text(&x->out, "${");
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            text = expand_variable(x, text);
        } else if (*text) {
            mr_buf_char(&x->out, *text++);
        }
    }
    return text != NULL;
}

/* The bytes of a small file, less one line end; false with errno set. */
static bool read_secret(const char *path, struct mr_buf *out)
{
    mr_buf_text(out, "");
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    mr_buf_reserve(out, SECRET_MAX_BYTES + 1);
    errno = 0;
    out->len = fread(out->at, 1, SECRET_MAX_BYTES + 1, file);
    bool good = !ferror(file);
    if (good && out->len > SECRET_MAX_BYTES) {
        errno = EFBIG;
        good = false;
    }
    int error = errno;
    fclose(file);
    errno = error;
    if (out->len && out->at[out->len - 1] == '\n')
        out->len--;
    if (out->len && out->at[out->len - 1] == '\r')
        out->len--;
    out->at[out->len] = '\0';
    return good;
}

/* "file:/path" is replaced by the file; other text stays as it is. */
static void expand_file(struct expansion *x)
{
    struct mr_buf secret = {0};

    if (strncmp(x->out.at, "file:/", 6) != 0 || x->out.at[6] == '/')
        return;
    if (!read_secret(x->out.at + 5, &secret))
        mr_config_errors_add(x->errors, x->node->at, "%s cannot be read: %s", x->out.at + 5,
                             strerror(errno));
    else if (strlen(secret.at) != secret.len)
        mr_config_errors_add(x->errors, x->node->at, "%s is no text: it holds a NUL",
                             x->out.at + 5);
    mr_buf_fini(&x->out);
    x->out = secret;
    x->node->expanded = true;
}

static void expand_scalar(struct mr_yaml *node, const char *const *environment,
                          struct mr_config_errors *errors)
{
    struct expansion x = {environment, node, errors, {0}};

    mr_buf_text(&x.out, "");
    if (node->variable)
        mr_buf_text(&x.out, node->text); /* a password may hold ${ */
    else if (!expand_text(&x, node->text))
        mr_buf_clear(&x.out);
    expand_file(&x);
    if (!is_text(x.out.at))
        mr_config_errors_add(errors, node->at, "the text that belongs here is not valid UTF-8");
    /* What comes from outside is text, but for nothing at all: then the option is absent. */
    if (node->expanded)
        node->plain = x.out.len == 0;
    free(node->text);
    node->text = mr_buf_steal(&x.out);
}

void mr_config_expand(struct mr_yaml *root, const char *const *environment,
                      struct mr_config_errors *errors)
{
    if (root->type == MR_YAML_SCALAR)
        expand_scalar(root, environment, errors);
    for (size_t i = 0; i < root->n_items; i++)
        mr_config_expand(root->items[i], environment, errors);
}

void mr_config_variable_name(const char *option, struct mr_buf *out)
{
    for (; *option; option++)
        mr_buf_char(out, isalnum((unsigned char)*option) ? (char)toupper((unsigned char)*option)
                                                         : '_');
}

/* Whether word is how option is spelled in the environment. */
static bool is_spelled(const char *word, const char *option)
{
    struct mr_buf name = {0};

    mr_config_variable_name(option, &name);
    bool same = mr_bytes_is((struct mr_bytes){name.at, name.len}, word);
    mr_buf_fini(&name);
    return same;
}

/*
 * Sets root's option of that dotted name; where a group on the way is no map, its own
 * complaint comes later.
 */
static void put_option(struct mr_yaml *root, const char *option, const char *variable,
                       const char *value)
{
    struct mr_yaml *map = root;
    size_t len;

    for (; map && option[len = strcspn(option, ".")]; option += len + 1) {
        char *word = mr_strndup(option, len);

        map = mr_yaml_put_map(map, word);
        free(word);
    }
    if (map && map->type == MR_YAML_MAP)
        mr_yaml_put_variable(map, option, variable, value);
}

/* One variable on its way into the tree: "MILLRACE_REDIS_URL", word "REDIS_URL". */
struct setting {
    char *variable;
    const char *word, *value;
};

static bool set_option(struct mr_yaml *root, const struct setting *s)
{
    for (size_t i = 0; i < mr_config_table.n_rows; i++) {
        const struct mr_option *row = &mr_config_table.rows[i];

        if (row->type->entries || !is_spelled(s->word, row->name))
            continue;
        put_option(root, row->name, s->variable, s->value);
        return true;
    }
    return false;
}

/*
 * The pool that is spelled so in the tree, or else the same in lower case. Owned by the
 * caller.
 */
static char *pool_of(const struct mr_yaml *pools, const char *spelled)
{
    for (size_t i = 0; pools && i < pools->n_items && pools->type == MR_YAML_MAP; i++)
        if (is_spelled(spelled, pools->items[i]->key))
            return mr_strdup(pools->items[i]->key);
    char *name = mr_strdup(spelled);

    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static void put_pool_option(struct mr_yaml *root, const char *pool, const char *option,
                            const char *variable, const char *value)
{
    struct mr_yaml *pools = root->type == MR_YAML_MAP ? mr_yaml_put_map(root, "pools") : NULL;
    struct mr_yaml *map = pools ? mr_yaml_put_map(pools, pool) : NULL;

    if (map)
        mr_yaml_put_variable(map, option, variable, value);
}

/*
 * "POOLS_HIGH_MAX_WAIT": the longest option that ends it counts, what stands before is the
 * pool.
 */
static bool set_pool_option(struct mr_yaml *root, const struct setting *s)
{
    const char *rest = s->word + strlen("POOLS_");
    const struct mr_option *found = NULL;
    size_t best = 0;

    if (strncmp(s->word, "POOLS_", strlen("POOLS_")) != 0)
        return false;
    for (size_t i = 0; i < mr_pool_table.n_rows; i++) {
        size_t len = strlen(mr_pool_table.rows[i].name), all = strlen(rest);

        if (all > len + 1 && rest[all - len - 1] == '_' && len > best &&
            is_spelled(rest + all - len, mr_pool_table.rows[i].name)) {
            found = &mr_pool_table.rows[i];
            best = len;
        }
    }
    if (!found)
        return false;
    char *spelled = mr_strndup(rest, strlen(rest) - best - 1);
    char *pool = pool_of(mr_yaml_get(root, "pools"), spelled);
    put_pool_option(root, pool, found->name, s->variable, s->value);
    free(pool);
    free(spelled);
    return true;
}

/* Variables of other parts, and those that Kubernetes makes for a service of our name. */
static bool is_foreign(const char *word)
{
    static const char *const others[] = {"SOCKET", "CONFIG", "UUID", "JOB", "ATTEMPT", "PORT"};

    for (size_t i = 0; i < MR_COUNT(others); i++)
        if (strcmp(word, others[i]) == 0)
            return true;
    size_t len = strlen(word);
    return strstr(word, "SERVICE_HOST") || strstr(word, "SERVICE_PORT") ||
           strstr(word, "PORT_") || (len > 5 && strcmp(word + len - 5, "_PORT") == 0);
}

static void complain_of_unknown(const struct setting *s, struct mr_config_errors *errors)
{
    char *names[OPTIONS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < mr_config_table.n_rows && n < OPTIONS_MAX; i++) {
        struct mr_buf name = {0};

        if (mr_config_table.rows[i].type->entries)
            continue;
        mr_config_variable_name(mr_config_table.rows[i].name, &name);
        names[n++] = mr_buf_steal(&name);
    }
    const char *meant = mr_str_nearest(s->word, (const char *const *)names, n);
    struct mr_place at = {.origin = s->variable};

    if (strncmp(s->word, "POOLS_", strlen("POOLS_")) == 0)
        mr_config_errors_add(errors, at,
                             "no such option: write " PREFIX
                             "POOLS_<NAME>_<OPTION>, as in " PREFIX "POOLS_HIGH_PROCESSES");
    else if (meant)
        mr_config_errors_add(errors, at, "no such option: did you mean " PREFIX "%s?", meant);
    while (n > 0)
        free(names[--n]);
}

/*
 * MILLRACE_POOLS=a,b: instead of the file's pools one that is named a and serves these queues.
 */
static void set_one_pool(struct mr_yaml *root, const char *queues)
{
    size_t len = strcspn(queues, ",:");

    while (len > 0 && queues[len - 1] == ' ')
        len--;
    char *name = mr_strndup(queues, len);

    mr_yaml_drop(root, "pools");
    put_pool_option(root, name, "queues", PREFIX "POOLS", queues);
    free(name);
}

/* MILLRACE_PROCESSES and MILLRACE_CONCURRENCY size the only pool there is. */
static void size_one_pool(struct mr_yaml *root, const char *option, const char *variable,
                          const char *value, struct mr_config_errors *errors)
{
    const struct mr_yaml *pools = mr_yaml_get(root, "pools");
    size_t n = pools && pools->type == MR_YAML_MAP ? pools->n_items : 0;

    if (n > 1)
        mr_config_errors_add(
            errors, (struct mr_place){.origin = variable},
            "there are %zu pools: say which, as in " PREFIX "POOLS_HIGH_PROCESSES", n);
    else
        put_pool_option(root, n ? pools->items[0]->key : "default", option, variable, value);
}

static bool is_set(const char *value)
{
    return value && *value;
}

static void set_pools(struct mr_yaml *root, const char *const *environment,
                      struct mr_config_errors *errors)
{
    const char *queues = mr_config_variable(environment, PREFIX "POOLS");
    const char *processes = mr_config_variable(environment, PREFIX "PROCESSES");
    const char *concurrency = mr_config_variable(environment, PREFIX "CONCURRENCY");

    if (is_set(queues))
        set_one_pool(root, queues);
    if (is_set(processes))
        size_one_pool(root, "processes", PREFIX "PROCESSES", processes, errors);
    if (is_set(concurrency))
        size_one_pool(root, "concurrency", PREFIX "CONCURRENCY", concurrency, errors);
}

static bool is_of_one_pool(const char *word)
{
    return strcmp(word, "POOLS") == 0 || strcmp(word, "PROCESSES") == 0 ||
           strcmp(word, "CONCURRENCY") == 0;
}

void mr_config_overlay(struct mr_yaml *root, const char *const *environment, const char *text,
                       struct mr_config_errors *errors)
{
    if (root->type != MR_YAML_MAP)
        return; /* the reader of the table complains */
    set_pools(root, environment, errors);
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');

        if (strncmp(*environment, PREFIX, strlen(PREFIX)) != 0 || !equals || !equals[1])
            continue;
        char *variable = mr_strndup(*environment, (size_t)(equals - *environment));
        struct setting s = {variable, variable + strlen(PREFIX), equals + 1};

        if (!is_of_one_pool(s.word) && !set_option(root, &s) && !set_pool_option(root, &s) &&
            !is_foreign(s.word) && !strstr(text, variable))
            complain_of_unknown(&s, errors);
        free(variable);
    }
}
