/* What a settling script is to be told about one job: the bytes to write, when it is due, the dead letter's record. */
#ifndef MR_WORKER_SETTLEMENT_H
#define MR_WORKER_SETTLEMENT_H

#include "proto/base/str.h"
#include "proto/verdict.h"
#include "worker/delivery.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_source;
struct mr_worker;

/* PUSH: done, but for the jobs that it pushes first. */
enum mr_settlement_kind { MR_SETTLE_RETRY, MR_SETTLE_RELEASE, MR_SETTLE_DEAD, MR_SETTLE_PUSH };

/* What a settling script is to be told. Kept until the lease ends, so that it can be said again. */
struct mr_settlement {
    enum mr_settlement_kind kind;
    double due_s;              /* RETRY: unix seconds */
    struct mr_buf bytes;       /* the payload to write, or the dead letter's record */
    char *id;                  /* DEAD */
    uint64_t died_at_ms;       /* DEAD */
    bool big;                  /* DEAD: over the payload limit */
    struct mr_follow *follows; /* PUSH; owned */
};

/* Made while the envelope is at hand; a verdict of done only where jobs are to be pushed, which it takes. Owned by the caller. */
struct mr_settlement *mr_settlement_of(struct mr_worker *worker, const struct mr_source *source,
                                       struct mr_delivery *delivery,
                                       const struct mr_verdict *verdict,
                                       const struct mr_outcome *outcome);
void mr_settlement_free(struct mr_settlement *settlement);

#endif
