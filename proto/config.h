/* The configuration: one YAML file and the environment, checked against one schema table, as one struct. */
#ifndef MR_PROTO_CONFIG_H
#define MR_PROTO_CONFIG_H

#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/str.h"
#include "proto/config_errors.h"
#include "proto/envelope.h"
#include "proto/policy.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mr_balance { MR_BALANCE_STRICT, MR_BALANCE_WEIGHTED };

struct mr_pool_config {
    char *name;
    char **queues; /* in order of priority */
    unsigned n_queues;
    uint32_t *weights; /* per queue, from "name:weight"; all 1 unless given */
    unsigned processes, concurrency, threads;
    struct mr_policy policy; /* tries, timeout, backoff, max_crashes */
    uint64_t max_wait_ms;    /* a lower queue that waited longer goes first; 0: never */
    uint64_t max_jobs, max_age_ms, max_rss_bytes; /* recycle; 0: never */
    int nice;
    enum mr_balance balance;
    char **preload; /* modules loaded at start */
    unsigned n_preload;
};

struct mr_config {
    char *source; /* the file, or "environment" */
    struct {
        char *url, *prefix, *username, *password;
        uint64_t connect_timeout_ms, reply_timeout_ms;
    } redis;
    uint64_t lease_ms, grace_ms;
    struct mr_pool_config *pools;
    unsigned n_pools;
    struct mr_limits limits;
    struct {
        char *socket, *listen, *token; /* listen NULL: no TCP */
        bool insecure;
    } control;
    struct {
        enum mr_log_level level;
        enum mr_log_format format;
    } log;
    char *runtime_dir;    /* pages, lock, control socket */
    char *worker_program; /* NULL: found beside the dispatcher */
    char **modules;       /* the user's own shared modules */
    unsigned n_modules;
    bool debug_jobs;
    struct {
        uint64_t keep_ms, max;
    } dead;
    /*
     * An object: "email", "jobs", "mysql", ... as modules see them: checked, defaults filled in,
     * secrets resolved; spans end in _ms, sizes in _bytes. Without any default, a section
     * that was not configured is missing (storage, templates, jobs).
     */
    json_t *sections;
    json_t *values; /* every option as checked; print and compare read it */
};

/*
 * Reads path (NULL or empty: no file), then the environment over it (MILLRACE_*, environ-like array,
 * NULL-ended), expands ${VAR}, ${VAR:-x} and file: secrets, checks everything. MR_EINVAL with
 * all errors found; out untouched then.
 */
enum mr_code mr_config_load(const char *path, const char *const *environment,
                            struct mr_config **out, struct mr_config_errors *errors);
/*
 * The same from bytes already read (the worker's fd 5): resolved text, nothing is expanded, no
 * environment.
 */
enum mr_code mr_config_parse(const char *text, size_t len, const char *name,
                             struct mr_config **out, struct mr_config_errors *errors);
void mr_config_free(struct mr_config *config);

/*
 * The whole configuration as YAML that mr_config_parse reads back. secrets false: each secret
 * prints as "***".
 */
void mr_config_print(const struct mr_config *config, bool secrets, struct mr_buf *out);
/*
 * Every option with type, default, bounds and doc line, as text for people (`workerctl config
 * docs`, the man page).
 */
void mr_config_docs(struct mr_buf *out);

/* What a reload has to do. */
enum mr_config_change {
    MR_CONFIG_SAME = 0,
    MR_CONFIG_LIVE = 1,    /* takes effect at once in the dispatcher */
    MR_CONFIG_WORKERS = 2, /* the workers of the pools named must be replaced */
    MR_CONFIG_RESTART = 4  /* only at the next start of the dispatcher */
};
/*
 * The changes between two configurations, or-ed; changed (may be NULL) gets a line of the
 * changed options' names.
 */
unsigned mr_config_compare(const struct mr_config *old, const struct mr_config *now,
                           struct mr_buf *changed);
/* Whether the workers of this pool must be replaced between the two. */
bool mr_config_pool_changed(const struct mr_config *old, const struct mr_config *now,
                            const char *pool);
/*
 * Replaces config by one in which whatever only a restart may change is as in running; kept (may be NULL) gets a line of the
 * names of those that differ. So a reload takes the rest, and new workers meet the dispatcher in the same Redis.
 */
void mr_config_keep(struct mr_config **config, const struct mr_config *running,
                    struct mr_buf *kept);
const struct mr_pool_config *mr_config_pool(const struct mr_config *config,
                                            const char *name); /* NULL: no such pool */

#endif
