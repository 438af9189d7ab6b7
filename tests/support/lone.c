#include "tests/support/lone.h"

#include "tests/support/wait.h"

#define MR_LONE_POOL(concurrency)                                                              \
    "lease: 2s\ngrace: 3s\n"                                                                   \
    "pools: { main: { queues: [main], processes: 0, concurrency: " concurrency                 \
    ", backoff: 50ms..100ms } }\n"

const char mr_lone_four[] = MR_LONE_POOL("4");
const char mr_lone_one[] = MR_LONE_POOL("1");
const char mr_lone_waits_alone[] =
    "{\"uuid\":\"job-1\",\"job\":\"ledger.write\",\"crashes\":1,\"data\":{\"ms\":0}}";

void mr_lone_begin(struct mr_lone *lone, const char *yaml)
{
    mr_mill_start(&lone->mill, yaml, NULL);
    mr_proxy_start(&lone->proxy, lone->mill.redis.dir, lone->mill.redis.socket);
}

void mr_lone_work(struct mr_lone *lone)
{
    mr_mill_work(&lone->mill, 0, lone->proxy.url);
    mr_proxy_only(&lone->proxy, "millrace-worker");
}

void mr_lone_end(struct mr_lone *lone)
{
    mr_mill_stop(&lone->mill);
    mr_proxy_stop(&lone->proxy);
}

void mr_lone_push(struct mr_lone *lone, unsigned from, unsigned n, unsigned ms, unsigned fail)
{
    for (unsigned i = from; i < from + n; i++)
        mr_mill_push_ledger(&lone->mill, "main", i, ms, fail);
}

void mr_lone_expect_ends(struct mr_lone *lone, unsigned n, unsigned least, unsigned most)
{
    mr_wait_for(mr_mill_is_empty(&lone->mill, "main"), MR_LONE_PATIENCE_MS);
    struct mr_mill_tally ends = mr_mill_count(&lone->mill, 'e', n);

    ck_assert_uint_ge(ends.least, least);
    ck_assert_uint_le(ends.most, most);
}

unsigned mr_lone_connections(struct mr_lone *lone)
{
    struct mr_proxy_state state;

    mr_proxy_look(&lone->proxy, &state);
    return state.accepted;
}
