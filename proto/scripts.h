/* The Lua scripts by name: their text, their SHA1, and how many keys and arguments each takes. */
#ifndef MR_PROTO_SCRIPTS_H
#define MR_PROTO_SCRIPTS_H

#include <stdbool.h>

/* One for each proto/lua/<name>.lua, whose head says what it does, takes and gives. */
enum mr_script {
    MR_SCRIPT_BACK,
    MR_SCRIPT_CLOSE,
    MR_SCRIPT_DEAD,
    MR_SCRIPT_DEAD_BIG,
    MR_SCRIPT_DEAD_DROP,
    MR_SCRIPT_DEAD_EXPIRE,
    MR_SCRIPT_DEAD_LIST,
    MR_SCRIPT_DEAD_RETRY,
    MR_SCRIPT_DELAY,
    MR_SCRIPT_DONE,
    MR_SCRIPT_FENCE,
    MR_SCRIPT_FETCH,
    MR_SCRIPT_FORGET_REAPED,
    MR_SCRIPT_HEARTBEAT,
    MR_SCRIPT_PROMOTE,
    MR_SCRIPT_REAP_LISTS,
    MR_SCRIPT_REGISTER,
    MR_SCRIPT_RELEASE,
    MR_SCRIPT_RENEW,
    MR_SCRIPT_RETRY,
    MR_SCRIPT_SCALE,
    MR_SCRIPT_SIZES,
    MR_SCRIPT_WOKEN,
    MR_SCRIPTS /* how many */
};

struct mr_script_row {
    const char *name;   /* "fetch" */
    const char *source; /* as SCRIPT LOAD takes it */
    const char *sha1;   /* 40 hex digits, as SCRIPT LOAD answers */
    /* So many, and behind them any number of groups of more_ (0: none). */
    unsigned keys, more_keys, args, more_args;
};

const struct mr_script_row *mr_script_row(enum mr_script script);
/* Whether the script takes so many keys and arguments. */
bool mr_script_takes(enum mr_script script, unsigned n_keys, unsigned n_args);

#endif
