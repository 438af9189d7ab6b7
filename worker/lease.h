/* The batches a worker holds: which name each stands under, what became of each job in it, when the name is free again. */
#ifndef MR_WORKER_LEASE_H
#define MR_WORKER_LEASE_H

#include "proto/base/list.h"
#include "proto/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_settlement;
struct mr_source;

/* The one source of verdict of a place, until the whole lease has been answered for. */
enum mr_item_state {
    MR_ITEM_UNREAD,  /* leased; its bytes are not here yet */
    MR_ITEM_FETCHED, /* here, not started */
    MR_ITEM_RUNNING,
    MR_ITEM_DONE,    /* finished; a plain LSET or the lease's DEL settles it */
    MR_ITEM_SCRIPT,  /* retry, release or dead: its script settles it */
    MR_ITEM_BACK,    /* on its way back to the head: no longer ours, whatever the answer */
    MR_ITEM_DROPPED, /* not to be started, not settled: the reaper's */
    MR_ITEM_STATES
};

struct mr_item {
    struct mr_lease *lease;
    struct mr_bytes payload; /* in one of the lease's chunks */
    struct mr_settlement *settlement;
    uint8_t state; /* enum mr_item_state, by mr_item_set alone */
    bool sent;     /* its settlement left and is not answered */
    bool settled;  /* Redis answered it */
};

enum mr_lease_state {
    MR_LEASE_ASKED, /* a fetch or a waiter names it; nobody knows what it holds */
    MR_LEASE_HELD,
    MR_LEASE_ENDING,    /* its DEL is on the way */
    MR_LEASE_RETURNING, /* the whole list goes back, whatever it holds */
    MR_LEASE_LOST       /* Redis does not know it any more, or it is another one's */
};

/* Memory of payloads: one block a reply. */
struct mr_chunk {
    struct mr_chunk *next;
    char bytes[];
};

struct mr_lease {
    struct mr_list node;  /* in source->leases, oldest first */
    struct mr_list ready; /* in source->ready while it has jobs not started */
    struct mr_list dirty; /* in worker->dirty while there is something to settle */
    struct mr_source *source;
    enum mr_lease_state state;
    unsigned k;
    unsigned owed; /* commands that name it and are not answered */
    bool tainted;  /* one of them was lost with its connection: the name is not used again */
    unsigned n;    /* places it has in Redis */
    unsigned room; /* places it has memory for */
    unsigned read; /* places whose bytes were read */
    unsigned next; /* the first place not started */
    unsigned count[MR_ITEM_STATES];
    unsigned n_unsettled_scripts;
    uint64_t came_at_ms;    /* when its jobs became ready to start */
    uint64_t not_before_ms; /* Redis refused something: nothing is settled before */
    bool waiting;           /* a waiter's: what it holds is the waiter's to find out */
    bool reading;           /* a further step is on its way */
    bool back_sent;         /* a BACK is on its way */
    bool back_done; /* it was answered: the places on their way back have left the list */
    bool
        foreign; /* another batch stands under its name: that one goes back when nothing of ours runs */
    bool syncing;        /* a SYNC of it is on its way, */
    unsigned sync_round; /* of this round; 0: alone */
    struct mr_chunk *chunks;
    struct mr_item items[];
};

/* What every name of a source is up to. */
enum mr_name_state { MR_NAME_FREE, MR_NAME_USED, MR_NAME_RETIRED };

struct mr_names {
    uint8_t *states;     /* enum mr_name_state, one a name */
    unsigned *free_list; /* the free ones, used as a stack */
    unsigned n_names, n_free, n_retired;
};

void mr_names_init(struct mr_names *names, unsigned n_names);
void mr_names_fini(struct mr_names *names);

/* Takes a free name and room for n places; NULL when no name is free. The lease is ASKED. */
struct mr_lease *mr_lease_ask(struct mr_source *source, unsigned room);
/* The same for one certain name that is free or retired (its list is to be given back). */
struct mr_lease *mr_lease_claim(struct mr_source *source, unsigned k);
/* Redis says that it holds n places: HELD, all unread. n <= room. */
void mr_lease_hold(struct mr_lease *lease, unsigned n);
/* Marks that it has something to settle at the end of this turn. */
void mr_lease_touch(struct mr_lease *lease);
/* Every job not started goes: DROPPED. What runs will end and settle what still can be. */
void mr_lease_drop_unstarted(struct mr_lease *lease);
/* Moves on to the first place that may still be started; without any, it is not in source->ready any more. */
void mr_lease_pass_over(struct mr_lease *lease);
/* Redis does not know it any more. */
void mr_lease_lose(struct mr_lease *lease);
/* Ends it when nothing of it runs and nothing is owed; its name is free again, or retired. True when it is gone. */
bool mr_lease_try_free(struct mr_lease *lease);
/* How many of its places stand in Redis' list, as far as we were told: all but those that went back. */
unsigned mr_lease_listed(const struct mr_lease *lease);
/* The name's key, written into out (MR_KEY_MAX bytes). */
void mr_lease_key(const struct mr_lease *lease, char *out);

/* Room for bytes in the lease's own memory; borrowed for its life. */
char *mr_lease_alloc(struct mr_lease *lease, size_t bytes);

void mr_item_set(struct mr_item *item, enum mr_item_state state);
unsigned mr_item_index(const struct mr_item *item);
/* The settlement was answered, or is taken back because Redis went back in time. */
void mr_item_settled(struct mr_item *item, bool settled);

#endif
