#include "jobs/services/http_resolve.h"

#include "proto/base/list.h"
#include "proto/base/mem.h"
#include "proto/base/signals.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 16 };

struct lookup {
    struct mr_list node;
    char *host;
    mr_http_resolved_fn *done;
    void *arg;
    int status;
    struct mr_http_addresses found;
};

/* Freed by whoever lets go last: the loop, when the handle is closed, or a thread that hung until then. */
struct mr_http_resolver {
    mr_http_getaddrinfo_fn *ask;
    uv_async_t some_done;
    pthread_mutex_t lock;
    struct mr_list waiting, done; /* under lock, as is all that follows */
    unsigned n_threads;
    bool closed;
    unsigned holders; /* the handle, and each thread */
};

static void free_lookup(struct lookup *lookup)
{
    free(lookup->host);
    free(lookup);
}

static void free_all(struct mr_list *lookups)
{
    mr_list_each_safe (node, lookups) {
        mr_list_remove(node);
        free_lookup(mr_list_entry(node, struct lookup, node));
    }
}

/* With the lock held, which it gives back. */
static void let_go(struct mr_http_resolver *r)
{
    bool last = --r->holders == 0;

    pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    free_all(&r->waiting);
    free_all(&r->done);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void keep(const struct addrinfo *list, struct mr_http_addresses *out)
{
    out->n = 0;
    for (; list && out->n < MR_HTTP_ADDRESSES; list = list->ai_next)
        if ((list->ai_family == AF_INET || list->ai_family == AF_INET6) &&
            list->ai_addrlen <= sizeof(out->at[0]))
            memcpy(&out->at[out->n++], list->ai_addr, list->ai_addrlen);
}

static int ask(mr_http_getaddrinfo_fn *fn, const char *host, int flags,
               struct mr_http_addresses *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list = NULL;

    memset(out, 0, sizeof(*out));
    int status = fn(host, NULL, &hints, &list);
    if (status != 0)
        return status;
    keep(list, out);
    freeaddrinfo(list);
    return out->n > 0 ? 0 : EAI_NONAME;
}

/* The next one to ask for; NULL when there is nothing more to do here. With the lock held. */
static struct lookup *next(struct mr_http_resolver *r)
{
    if (r->closed || mr_list_empty(&r->waiting))
        return NULL;
    struct lookup *lookup = mr_list_entry(r->waiting.next, struct lookup, node);
    mr_list_remove(&lookup->node);
    return lookup;
}

static void *thread_main(void *arg)
{
    struct mr_http_resolver *r = arg;
    struct lookup *lookup;

    pthread_mutex_lock(&r->lock);
    while ((lookup = next(r))) {
        pthread_mutex_unlock(&r->lock);
        lookup->status = ask(r->ask, lookup->host, 0, &lookup->found);
        pthread_mutex_lock(&r->lock);
        mr_list_push_back(&r->done, &lookup->node);
        if (!r->closed)
            uv_async_send(&r->some_done);
    }
    r->n_threads--;
    let_go(r);
    return NULL;
}

/* False when the system gives none. With the lock held. */
static bool add_thread(struct mr_http_resolver *r)
{
    sigset_t before;
    pthread_t id;

    mr_signals_block(&before);
    bool made = pthread_create(&id, NULL, thread_main, r) == 0;
    mr_signals_restore(&before);
    if (!made)
        return false;
    pthread_detach(id);
    r->n_threads++;
    r->holders++;
    return true;
}

static void on_some_done(uv_async_t *async)
{
    struct mr_http_resolver *r = async->data;

    for (;;) {
        pthread_mutex_lock(&r->lock);
        struct lookup *lookup =
            mr_list_empty(&r->done) ? NULL : mr_list_entry(r->done.next, struct lookup, node);
        if (lookup)
            mr_list_remove(&lookup->node);
        pthread_mutex_unlock(&r->lock);
        if (!lookup)
            return;
        lookup->done(lookup->arg, lookup->status, &lookup->found);
        free_lookup(lookup);
    }
}

struct mr_http_resolver *mr_http_resolver_new(uv_loop_t *loop, mr_http_getaddrinfo_fn *fn)
{
    struct mr_http_resolver *r = mr_zalloc(sizeof(*r));

    r->ask = fn;
    r->holders = 1;
    pthread_mutex_init(&r->lock, NULL);
    mr_list_init(&r->waiting);
    mr_list_init(&r->done);
    uv_async_init(loop, &r->some_done, on_some_done);
    r->some_done.data = r;
    return r;
}

static void on_closed(uv_handle_t *async)
{
    struct mr_http_resolver *r = async->data;

    pthread_mutex_lock(&r->lock);
    let_go(r);
}

void mr_http_resolver_close(struct mr_http_resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    resolver->closed = true;
    pthread_mutex_unlock(&resolver->lock);
    uv_close((uv_handle_t *)&resolver->some_done, on_closed);
}

void mr_http_resolve(struct mr_http_resolver *resolver, const char *host,
                     mr_http_resolved_fn *done, void *arg)
{
    struct lookup *lookup = mr_zalloc(sizeof(*lookup));

    lookup->host = mr_strdup(host);
    lookup->done = done;
    lookup->arg = arg;
    pthread_mutex_lock(&resolver->lock);
    mr_list_push_back(&resolver->waiting, &lookup->node);
    /* One at work may be in the middle of a long wait, so each gets its own while there are few. */
    if (resolver->n_threads < THREADS_MAX && !add_thread(resolver) &&
        resolver->n_threads == 0) {
        mr_list_remove(&lookup->node);
        lookup->status = EAI_AGAIN;
        mr_list_push_back(&resolver->done, &lookup->node);
        uv_async_send(&resolver->some_done);
    }
    pthread_mutex_unlock(&resolver->lock);
}

bool mr_http_resolve_numeric(const char *host, struct mr_http_addresses *out)
{
    return ask(getaddrinfo, host, AI_NUMERICHOST, out) == 0;
}

static bool has(const struct mr_http_addresses *set, const struct sockaddr_storage *address)
{
    for (unsigned i = 0; i < set->n; i++)
        if (memcmp(&set->at[i], address, sizeof(*address)) == 0)
            return true;
    return false;
}

bool mr_http_addresses_equal(const struct mr_http_addresses *a,
                             const struct mr_http_addresses *b)
{
    for (unsigned i = 0; i < a->n; i++)
        if (!has(b, &a->at[i]))
            return false;
    return a->n == b->n;
}
