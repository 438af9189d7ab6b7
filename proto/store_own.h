/* What the files of the store share, and nobody else includes: commands in flight. */
#ifndef MR_PROTO_STORE_OWN_H
#define MR_PROTO_STORE_OWN_H

#include "proto/resp.h"
#include "proto/scripts.h"
#include "proto/store.h"

struct mr_call;

struct mr_store {
    struct mr_link *link;
    struct mr_store_events events;
    char *prefix;
    bool ready; /* every script is loaded on this connection */
    bool stopping;
    char run[MR_RUN_MAX]; /* of the server of this connection */
    unsigned n_setup;     /* answers owed until ready */
    struct mr_call *spare;
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

/* One command, from its first word to its answer. Spare ones are used again with their memory. */
struct mr_call {
    struct mr_store *store;
    struct mr_buf resp;
    enum mr_script script; /* MR_SCRIPTS: a plain command */
    bool again;            /* NOSCRIPT: sent a second time already, or never to be */
    bool on_lease;         /* "no such key" and WRONGTYPE mean that the lease was lost */
    mr_answer_fn *fn;
    void *arg;
    struct mr_call *next;
};

/*
 * Starts a plain command of argc words, name among them, or an EVALSHA of script with so many
 * keys and arguments. The caller writes exactly the words that are missing to call->resp, and
 * sends. NULL: the store is not ready.
 */
struct mr_call *mr_call_command(struct mr_store *store, size_t argc, const char *name,
                                mr_answer_fn *fn, void *arg);
struct mr_call *mr_call_script(struct mr_store *store, enum mr_script script, unsigned n_keys,
                               unsigned n_args, mr_answer_fn *fn, void *arg);
/* Takes call. */
enum mr_code mr_call_send(struct mr_call *call);
void mr_call_fleet_key(struct mr_call *call, const char *what); /* as a word */
/*
 * Adds the queue to the fleet's set, where those find it who keep house for queues. Nobody
 * waits for the answer: every push and registration says it again.
 */
void mr_call_remember_queue(struct mr_store *store, const struct mr_queue_keys *keys);
void mr_calls_fini(struct mr_store *store);

#endif
