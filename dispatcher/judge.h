/* What becomes of one job that a dead worker left behind: its bytes in, a move out. Pure, but for the uuid it may draw. */
#ifndef MR_DISPATCHER_JUDGE_H
#define MR_DISPATCHER_JUDGE_H

#include "proto/base/str.h"
#include "proto/config.h"
#include "proto/letter.h"
#include "proto/outcome.h"

#include <stdbool.h>
#include <stdint.h>

enum mr_move_kind {
    MR_MOVE_NONE, /* stays in its place, and goes back with the others, untouched */
    MR_MOVE_DELAY,
    MR_MOVE_DEAD
};

/* Zero-initialised is a valid MR_MOVE_NONE; its memory is used again by the next. */
struct mr_move {
    enum mr_move_kind kind;
    struct mr_buf bytes; /* the rewritten payload, or the letter's record */
    double due_s;        /* unix */
    uint64_t now_ms;     /* unix; when it was judged */
    char id[MR_LETTER_ID_MAX];
    bool big; /* over limits.payload */
};

/* The circumstances; everything is borrowed. */
struct mr_case {
    const struct mr_config *config;
    const struct mr_pool_config *pool; /* NULL: nobody here serves the queue; default policy */
    const char *queue, *worker, *host;
    uint64_t now_ms;
    uint32_t roll; /* uniform, for jitter */
    bool in_doubt; /* a remote side may have done its work */
};

/* Bytes that cannot be read become a letter whatever the outcome. Logs who was blamed. */
void mr_judge(const struct mr_case *its, struct mr_bytes raw, const struct mr_outcome *outcome,
              struct mr_move *out);
void mr_move_fini(struct mr_move *move);

#endif
