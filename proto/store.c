#include "proto/store_own.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a new connection: is it the master, and does it know the scripts? ---- */

static void refuse_connection(struct mr_store *store, const char *step, const redisReply *reply)
{
    struct mr_err why;

    mr_fail(&why, MR_EFAULT, "%s: %s", step,
            reply->str ? reply->str : "an answer that makes no sense");
    mr_link_drop(store->link, why.text);
}

static void on_step_done(struct mr_store *store)
{
    if (--store->n_setup > 0)
        return;
    store->ready = true;
    store->events.on_ready(store->events.arg);
}

static bool is_master(const redisReply *role)
{
    return role->type == REDIS_REPLY_ARRAY && role->elements > 0 && role->element[0]->str &&
           strcmp(role->element[0]->str, "master") == 0;
}

static void on_role(void *arg, const redisReply *reply)
{
    struct mr_store *store = arg;

    if (!reply || store->stopping)
        return; /* on_down follows */
    if (mr_replies_classify(reply).action == MR_REDIS_STOP) {
        mr_log_warn("redis.role", "address=%s redis=%s advice=%s", mr_link_address(store->link),
                    reply->str,
                    "allow ROLE, so that a replica is recognised before the first write");
        on_step_done(store);
    } else if (is_master(reply)) {
        on_step_done(store);
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        mr_link_drop(store->link, "this server is a replica, not the master");
    } else {
        refuse_connection(store, "ROLE", reply);
    }
}

/* A server that will not say has no run: whoever asks for it has to do without. */
static void on_info(void *arg, const redisReply *reply)
{
    struct mr_store *store = arg;

    if (!reply || store->stopping)
        return;
    const char *run = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, "run_id:") : NULL;
    if (run) {
        run += strlen("run_id:");
        snprintf(store->run, sizeof(store->run), "%.*s", (int)strcspn(run, "\r\n"), run);
    }
    on_step_done(store);
}

static void on_loaded(void *arg, const redisReply *reply)
{
    struct mr_store *store = arg;

    if (!reply || store->stopping)
        return;
    if (reply->type == REDIS_REPLY_STRING)
        on_step_done(store);
    else
        refuse_connection(store, "SCRIPT LOAD", reply);
}

static void on_up(void *arg)
{
    struct mr_store *store = arg;
    const char *role[] = {"ROLE"};
    const char *info[] = {"INFO", "server"};

    store->run[0] = '\0';
    store->n_setup = 2 + MR_SCRIPTS;
    mr_link_command(store->link, on_role, store, 1, role, NULL);
    mr_link_command(store->link, on_info, store, 2, info, NULL);
    for (enum mr_script script = 0; script < MR_SCRIPTS; script++) {
        const char *load[] = {"SCRIPT", "LOAD", mr_script_row(script)->source};

        mr_link_command(store->link, on_loaded, store, (int)MR_COUNT(load), load, NULL);
    }
}

static void on_down(void *arg, const struct mr_err *why)
{
    struct mr_store *store = arg;

    store->ready = false;
    store->events.on_lost(store->events.arg, why);
}

/* ---- life ---- */

static void free_store(struct mr_store *store)
{
    mr_calls_fini(store);
    free(store->prefix);
    free(store);
}

enum mr_code mr_store_new(uv_loop_t *loop, const struct mr_store_options *options,
                          const struct mr_store_events *events, struct mr_store **out,
                          struct mr_err *err)
{
    const char *prefix = options->prefix ? options->prefix : "";

    if (strlen(prefix) > MR_PREFIX_MAX)
        return mr_fail(err, MR_EINVAL, "redis.prefix is longer than %d bytes", MR_PREFIX_MAX);
    struct mr_store *store = mr_zalloc(sizeof(*store));
    const struct mr_link_events link_events = {on_up, on_down, store};
    enum mr_code code = mr_link_new(loop, &options->link, &link_events, &store->link, err);

    if (code != MR_OK) {
        free_store(store);
        return code;
    }
    store->events = *events;
    store->prefix = mr_strdup(prefix);
    *out = store;
    return MR_OK;
}

void mr_store_start(struct mr_store *store)
{
    mr_link_start(store->link);
}

static void on_link_stopped(void *arg)
{
    struct mr_store *store = arg;
    void (*on_stopped)(void *arg) = store->on_stopped;
    void *stopped_arg = store->stopped_arg;

    free_store(store);
    if (on_stopped)
        on_stopped(stopped_arg);
}

void mr_store_stop(struct mr_store *store, void (*on_stopped)(void *arg), void *arg)
{
    store->ready = false;
    store->stopping = true;
    store->on_stopped = on_stopped;
    store->stopped_arg = arg;
    mr_link_stop(store->link, on_link_stopped, store);
}

bool mr_store_is_ready(const struct mr_store *store)
{
    return store->ready && mr_link_is_up(store->link);
}

struct mr_link *mr_store_link(struct mr_store *store)
{
    return store->link;
}

const char *mr_store_prefix(const struct mr_store *store)
{
    return store->prefix;
}

const char *mr_store_run(const struct mr_store *store)
{
    return store->run;
}

enum mr_code mr_store_command(struct mr_store *store, mr_answer_fn *fn, void *arg, int argc,
                              const char *const *argv, const size_t *lens)
{
    struct mr_call *call = mr_call_command(store, (size_t)argc, argv[0], fn, arg);

    if (!call)
        return MR_EDOWN;
    for (int i = 1; i < argc; i++)
        mr_resp_word(&call->resp, argv[i], lens ? lens[i] : strlen(argv[i]));
    return mr_call_send(call);
}
