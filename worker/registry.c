#include "worker/registry.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "worker/host.h"
#include "worker/module.h"

#include <stdlib.h>
#include <string.h>

/* After a failure (no file, cannot open) nothing is tried again for so long: a deploy may be under way. */
enum { AGAIN_MS = 1000, BUCKETS_MIN = 64 };

/* Our own modules: whose name begins so is in that file. A row without a dot at its end is a pattern's name. */
static const struct {
    const char *prefix, *module;
    bool debug; /* only with debug_jobs: it can crash and hang the worker */
} manifest[] = {
    {"billing.",  "billing", false},
    {"debug.",    "debug",   true },
    {"email.",    "email",   false},
    {"exec",      "exec",    false},
    {"http.",     "http",    false},
    {"report.",   "report",  false},
    {"sms.",      "sms",     false},
    {"whatsapp.", "sms",     false},
};

/* A module by its path, of ours or of the user. */
struct source {
    const char *name; /* of ours, else NULL */
    char *path;       /* of the user, else NULL */
    bool loaded;
    uint64_t again_at_ms; /* after a failure */
    struct mr_err why;    /* the last failure */
};

/* A handler that some module has; opened once. */
struct served {
    struct mr_handler handler; /* our copy: a module of another age may have a shorter one */
    bool open;
    unsigned opened_as; /* 1.. in the order of opening */
    void *state;
    uint64_t again_at_ms;
    struct mr_err why;
};

/* A kind with the way to its handler; next in its bucket. */
struct entry {
    struct mr_kind kind;
    size_t name_len;
    const char *pattern; /* the handler that the configuration names for this job, or NULL */
    struct served *served;
    struct entry *next;
};

struct mr_registry {
    struct mr_host *host;
    const struct mr_config *config;
    const struct mr_pool_config *pool;
    struct source *sources; /* the manifest's rows, then the user's */
    unsigned n_sources;
    struct served **served;
    unsigned n_served, n_opened;
    struct entry **buckets; /* by hash of name */
    unsigned n_buckets, n_entries;
    const struct entry *last; /* jobs come in runs of one kind */
    struct mr_kind unserved;
};

static unsigned hash(struct mr_bytes name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.at[i]) * 16777619u;
    return h;
}

static bool names(const struct entry *entry, struct mr_bytes name)
{
    return entry->name_len == name.len && memcmp(entry->kind.name, name.at, name.len) == 0;
}

static struct entry *find_entry(const struct mr_registry *r, struct mr_bytes name)
{
    struct entry *entry = r->buckets[hash(name) % r->n_buckets];

    while (entry && !names(entry, name))
        entry = entry->next;
    return entry;
}

/* What the configuration says of one job, over the pool's policy. */
static void apply_settings(struct mr_policy *policy, const json_t *settings)
{
    const json_t *tries = json_object_get(settings, "tries");
    const json_t *timeout = json_object_get(settings, "timeout_ms");

    if (json_is_integer(tries))
        policy->tries = (uint32_t)json_integer_value(tries);
    if (json_is_integer(timeout))
        policy->timeout_ms = (uint64_t)json_integer_value(timeout);
}

/* Names come from the configuration and from modules alone, never from payloads: the table stays small. */
static struct entry *add_entry(struct mr_registry *r, const char *name)
{
    struct entry *entry = mr_zalloc(sizeof(*entry));
    const json_t *settings = json_object_get(mr_host_config(r->host, "jobs"), name);
    struct entry **bucket = &r->buckets[hash(mr_bytes_of(name)) % r->n_buckets];

    entry->kind.name = mr_strdup(name);
    entry->name_len = strlen(name);
    entry->kind.policy = r->pool->policy;
    apply_settings(&entry->kind.policy, settings);
    entry->pattern = json_string_value(json_object_get(settings, "handler"));
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

static struct served *find_served(const struct mr_registry *r, struct mr_bytes name,
                                  bool pattern)
{
    for (unsigned i = 0; i < r->n_served; i++) {
        const struct mr_handler *handler = &r->served[i]->handler;

        if (mr_bytes_is(name, handler->name) && !(handler->flags & MR_PATTERN) == !pattern)
            return r->served[i];
    }
    return NULL;
}

static void add_served(struct mr_registry *r, const struct source *source,
                       const struct mr_handler *handler)
{
    bool pattern = handler->flags & MR_PATTERN;
    struct mr_bytes name = mr_bytes_of(handler->name);

    if (find_served(r, name, pattern)) {
        mr_log_warn("module.name_taken", "module=%s handler=%s",
                    source->path ? source->path : source->name, handler->name);
        return;
    }
    struct served *served = mr_zalloc(sizeof(*served));
    memcpy(&served->handler, handler,
           handler->size < sizeof(served->handler) ? handler->size : sizeof(served->handler));
    r->served = mr_realloc(r->served, (r->n_served + 1) * sizeof(struct served *));
    r->served[r->n_served++] = served;
    if (pattern)
        return;
    struct entry *entry = find_entry(r, name);
    if (!entry)
        entry = add_entry(r, handler->name);
    if (!entry->pattern)
        entry->served = served;
}

/* Loads it unless it is loaded or has failed just now. */
static void load(struct mr_registry *r, struct source *source, uint64_t now_ms)
{
    const struct mr_handler *const *handlers = NULL;
    struct mr_buf path = {0};

    if (source->loaded || now_ms < source->again_at_ms)
        return;
    if (source->path)
        mr_buf_text(&path, source->path);
    else
        mr_module_find(source->name, &path);
    if (mr_module_load(path.at, &handlers, &source->why) == MR_OK) {
        source->loaded = true;
        mr_log_info("module.loaded", "path=%s", path.at);
        for (size_t i = 0; handlers[i]; i++)
            add_served(r, source, handlers[i]);
    } else {
        source->again_at_ms = now_ms + AGAIN_MS;
        mr_log_warn("module.refused", "path=%s error=%s", path.at, source->why.text);
    }
    mr_buf_fini(&path);
}

/* The row of the manifest that claims this name, or -1. */
static int claimed_by(struct mr_bytes name)
{
    for (unsigned row = 0; row < MR_COUNT(manifest); row++) {
        size_t len = strlen(manifest[row].prefix);
        bool whole = manifest[row].prefix[len - 1] != '.';

        if (name.len >= len && memcmp(name.at, manifest[row].prefix, len) == 0 &&
            (!whole || name.len == len))
            return (int)row;
    }
    return -1;
}

/* Loads, one after the other, what may have this handler, until it is there. */
static struct served *search(struct mr_registry *r, struct mr_bytes name, bool pattern,
                             uint64_t now_ms, struct mr_err *err)
{
    struct served *served = find_served(r, name, pattern);
    int claim = claimed_by(name);

    mr_fail(err, MR_ENOTFOUND, "no %s here is called %.*s", pattern ? "handler" : "job",
            (int)name.len, name.at);
    for (unsigned i = 0; !served && i < r->n_sources; i++) {
        struct source *source = &r->sources[i];

        if (i < MR_COUNT(manifest) && (int)i != claim)
            continue;
        load(r, source, now_ms);
        if (!source->loaded)
            mr_fail(err, MR_ENOTFOUND, "no handler for %.*s: %s", (int)name.len, name.at,
                    source->why.text);
        served = find_served(r, name, pattern);
    }
    return served;
}

static enum mr_code open_served(struct mr_registry *r, struct served *served, uint64_t now_ms,
                                struct mr_err *err)
{
    if (served->open)
        return MR_OK;
    if (now_ms < served->again_at_ms)
        return mr_fail(err, served->why.code, "%s", served->why.text);
    if (served->handler.open) {
        struct mr_err why = {0};
        enum mr_code code = served->handler.open(r->host, &served->state, &why);

        if (code != MR_OK) {
            served->again_at_ms = now_ms + AGAIN_MS;
            mr_fail(&served->why, code == MR_ENOTFOUND ? MR_EFAULT : code,
                    "%s cannot start: %s", served->handler.name,
                    why.text[0] ? why.text : mr_code_name(code));
            mr_log_warn("handler.refused", "handler=%s error=%s", served->handler.name,
                        served->why.text);
            return mr_fail(err, served->why.code, "%s", served->why.text);
        }
    }
    served->open = true;
    served->opened_as = ++r->n_opened;
    return MR_OK;
}

/* A user's own module of debug jobs is his business; ours needs the switch. */
static bool is_switched_off(const struct mr_registry *r, struct mr_bytes name)
{
    int claim = claimed_by(name);

    return claim >= 0 && manifest[claim].debug && !r->config->debug_jobs;
}

static enum mr_code resolve(struct mr_registry *r, struct mr_bytes name, uint64_t now_ms,
                            struct entry **out, struct mr_err *err)
{
    struct entry *entry = find_entry(r, name);
    struct mr_bytes wanted = entry && entry->pattern ? mr_bytes_of(entry->pattern) : name;

    *out = entry;
    if (is_switched_off(r, wanted))
        return mr_fail(err, MR_ENOTFOUND, "job %.*s is off: debug_jobs: true turns it on",
                       (int)name.len, name.at);
    struct served *served = entry && entry->served
                                ? entry->served
                                : search(r, wanted, entry && entry->pattern, now_ms, err);
    if (!served)
        return MR_ENOTFOUND;
    if (!entry)
        *out = entry = find_entry(r, name); /* came with its module */
    entry->served = served;
    entry->kind.job_row = mr_page_job(r->host->page, entry->kind.name);
    enum mr_code code = open_served(r, served, now_ms, err);
    if (code != MR_OK)
        return code;
    entry->kind.state = served->state;
    entry->kind.handler = &served->handler;
    return MR_OK;
}

enum mr_code mr_registry_find(struct mr_registry *registry, struct mr_bytes name,
                              uint64_t now_ms, const struct mr_kind **out, struct mr_err *err)
{
    const struct entry *last = registry->last;

    if (last && names(last, name)) {
        *out = &last->kind;
        return MR_OK;
    }
    struct entry *entry = find_entry(registry, name);
    enum mr_code code = MR_OK;

    if (!entry || !entry->kind.handler)
        code = resolve(registry, name, now_ms, &entry, err);
    if (code == MR_OK)
        registry->last = entry;
    *out = entry ? &entry->kind : &registry->unserved;
    return code;
}

enum mr_code mr_registry_preload(struct mr_registry *registry, const char *module,
                                 struct mr_err *err)
{
    for (unsigned row = 0; row < MR_COUNT(manifest); row++) {
        struct source *source = &registry->sources[row];

        if (strcmp(manifest[row].module, module) != 0)
            continue;
        load(registry, source, 0);
        source->again_at_ms = 0;
        return source->loaded ? MR_OK
                              : mr_fail(err, MR_EINVAL, "preload: %s", source->why.text);
    }
    return mr_fail(err, MR_EINVAL, "preload: there is no module '%s'", module);
}

static void add_sources(struct mr_registry *r)
{
    r->n_sources = (unsigned)MR_COUNT(manifest) + r->config->n_modules;
    r->sources = mr_zalloc_array(r->n_sources, sizeof(*r->sources));
    for (unsigned i = 0; i < MR_COUNT(manifest); i++)
        r->sources[i].name = manifest[i].module;
    for (unsigned i = 0; i < r->config->n_modules; i++)
        r->sources[MR_COUNT(manifest) + i].path = r->config->modules[i];
}

struct mr_registry *mr_registry_new(const struct mr_config *config,
                                    const struct mr_pool_config *pool, struct mr_host *host)
{
    struct mr_registry *r = mr_zalloc(sizeof(*r));
    json_t *jobs = mr_host_config(host, "jobs");
    const char *name;
    json_t *settings;

    r->config = config;
    r->pool = pool;
    r->host = host;
    r->n_buckets = BUCKETS_MIN + 2 * (unsigned)json_object_size(jobs);
    r->buckets = mr_zalloc_array(r->n_buckets, sizeof(struct entry *));
    r->unserved.policy = pool->policy;
    add_sources(r);
    json_object_foreach(jobs, name, settings) add_entry(r, name);
    return r;
}

static int latest_first(const void *a, const void *b)
{
    const struct served *one = *(struct served *const *)a, *two = *(struct served *const *)b;

    return one->opened_as < two->opened_as ? 1 : -1;
}

static void free_served(struct mr_registry *r)
{
    if (r->n_served > 0)
        qsort(r->served, r->n_served, sizeof(struct served *), latest_first);
    for (unsigned i = 0; i < r->n_served; i++) {
        struct served *served = r->served[i];

        if (served->open && served->handler.close)
            served->handler.close(served->state);
        free(served);
    }
    free(r->served);
}

void mr_registry_free(struct mr_registry *registry)
{
    if (!registry)
        return;
    free_served(registry);
    for (unsigned i = 0; i < registry->n_buckets; i++)
        for (struct entry *entry = registry->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            free(entry->kind.name);
            free(entry);
        }
    free(registry->buckets);
    free(registry->sources);
    free(registry);
}
