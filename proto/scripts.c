#include "proto/scripts.h"

#include "proto/lua_sources.h"

/* What the generator cannot know: how many words each script takes. */
/* clang-format off */
#define ROW(NAME, name, ...) \
    [MR_SCRIPT_##NAME] = {name, MR_LUA_##NAME, MR_LUA_##NAME##_SHA1, __VA_ARGS__}

static const struct mr_script_row rows[MR_SCRIPTS] = {
    /*                                keys, more, args, more */
    ROW(BACK, "back",                    3,    0,    1,    0),
    ROW(CLOSE, "close",                  1,    1,    0,    0),
    ROW(DEAD, "dead",                    3,    0,    5,    0),
    ROW(DEAD_BIG, "dead_big",            3,    1,    3,    1),
    ROW(DEAD_DROP, "dead_drop",          3,    0,    1,    0),
    ROW(DEAD_EXPIRE, "dead_expire",      2,    0,    3,    0),
    ROW(DEAD_LIST, "dead_list",          2,    0,    2,    0),
    ROW(DEAD_RETRY, "dead_retry",        5,    0,    1,    1),
    ROW(DELAY, "delay",                  1,    0,    1,    1),
    ROW(DONE, "done",                    1,    0,    0,    1),
    ROW(FENCE, "fence",                  2,    0,    2,    0),
    ROW(FETCH, "fetch",                  0,    5,    2,    1),
    ROW(FORGET_REAPED, "forget_reaped",  1,    0,    1,    0),
    ROW(HEARTBEAT, "heartbeat",          1,    0,    2,    0),
    ROW(PROMOTE, "promote",              4,    0,    1,    0),
    ROW(REAP_LISTS, "reap_lists",        2,    1,    0,    0),
    ROW(REGISTER, "register",            2,    0,    2,    0),
    ROW(RELEASE, "release",              3,    0,    2,    0),
    ROW(RENEW, "renew",                  1,    0,    1,    1),
    ROW(RETRY, "retry",                  2,    0,    3,    0),
    ROW(SCALE, "scale",                  1,    0,    3,    0),
    ROW(SIZES, "sizes",                  6,    0,    0,    0),
    ROW(WOKEN, "woken",                  6,    0,    1,    0),
};
/* clang-format on */

static bool fits(unsigned n, unsigned fixed, unsigned group)
{
    return group ? n >= fixed && (n - fixed) % group == 0 : n == fixed;
}

const struct mr_script_row *mr_script_row(enum mr_script script)
{
    return &rows[script];
}

bool mr_script_takes(enum mr_script script, unsigned n_keys, unsigned n_args)
{
    const struct mr_script_row *row = &rows[script];

    return fits(n_keys, row->keys, row->more_keys) && fits(n_args, row->args, row->more_args);
}
