#include "tests/support/trouble.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "tests/support/wait.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* What the provider does to a charge at first. */
static const char *const faults[] = {
    "fail-after-effect:1",
    "reset-after-effect:1",
    "reset:1",
    "hang-after-effect:1",
    "slow300:1",
    "busy1:1",
    "half:1",
    "fail:1",
};

void mr_trouble_begin(struct mr_trouble *trouble, struct mr_shop *shop)
{
    const char *given = getenv("MILLRACE_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : mr_clock_us() % 1000000;

    printf("# MILLRACE_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    *trouble = (struct mr_trouble){.dice = {.state = seed * 2 + 1}, .shop = shop};
}

unsigned mr_trouble_roll(struct mr_trouble *trouble, unsigned below)
{
    return (unsigned)mr_random_below(&trouble->dice, below);
}

void mr_trouble_kill_a_worker(struct mr_trouble *trouble)
{
    pid_t workers[MR_PROC_LIST];
    int n = mr_mill_workers(&trouble->shop->mill, 0, workers);

    if (n > 0 && kill(workers[mr_trouble_roll(trouble, (unsigned)n)], SIGKILL) == 0)
        trouble->worker_kills++;
}

void mr_trouble_kill_the_database(struct mr_trouble *trouble)
{
    mr_mariadb_kill(&trouble->shop->db);
    for (unsigned n = mr_trouble_roll(trouble, 100); n > 0; n--)
        mr_wait_a_moment();
    mr_mariadb_again(&trouble->shop->db, NULL);
    trouble->database_kills++;
}

bool mr_trouble_is_due(unsigned kills, unsigned wanted, unsigned done, unsigned all)
{
    return kills < wanted && kills * all <= done * wanted;
}

void mr_trouble_card(struct mr_trouble *trouble, char *out)
{
    bool bad = mr_trouble_roll(trouble, 3) == 0;

    snprintf(out, MR_TROUBLE_CARD, "pm_ok%s%s", bad ? " fault=" : "",
             bad ? faults[mr_trouble_roll(trouble, MR_COUNT(faults))] : "");
}

size_t mr_trouble_check_effects(const struct mr_shop *shop, const char *kind)
{
    json_t *requests = mr_peer_requests(&shop->peer, kind), *request, *effects = json_object();
    size_t i, n;

    json_array_foreach(requests, i, request)
    {
        const char *key = json_string_value(json_object_get(request, "key"));

        if (!json_is_true(json_object_get(request, "effect")))
            continue;
        ck_assert_msg(json_object_get(effects, key) == NULL, "%s happened twice", key);
        json_object_set_new(effects, key, json_true());
    }
    n = json_object_size(effects);
    printf("# %zu requests for %zu effects: %s\n", json_array_size(requests), n, kind);
    json_decref(effects);
    json_decref(requests);
    return n;
}
