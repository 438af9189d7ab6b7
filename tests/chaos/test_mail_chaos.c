/*
 * Mails while workers are killed at random and two relays fall silent or die in mid-session: in the end every good recipient has every mail, every bad one is a
 * dead letter, no job is lost, and nobody has a mail twice unless its worker was killed or its relay was silent while it was on its way. It is then the
 * same mail, by its Message-ID.
 *
 * MILLRACE_SEED=n repeats a run as far as real processes can be repeated.
 */
#include "proto/base/clock.h"
#include "tests/support/canned.h"
#include "tests/support/mill.h"
#include "tests/support/peer.h"
#include "tests/support/suite.h"
#include "tests/support/trouble.h"
#include "tests/support/wait.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sanitizers take their time: they see the same, less often. */
#ifdef MR_SANITIZED
enum { MAILS = 200, WORKER_KILLS = 15, RELAY_TROUBLES = 6 };
#else
enum { MAILS = 600, WORKER_KILLS = 40, RELAY_TROUBLES = 16 };
#endif

enum {
    RELAYS = 2,
    GOOD = 3,           /* recipients of a mail, at most, that are to have it */
    AT_ONCE = 20,       /* mails pushed in one turn, at most */
    HEALING_MS = 30000, /* once the trouble is over, all must be done within so long */
    SILENT_MS = 700     /* longer than a mail's time */
};

/* A relay keeps its port, and those who wait at it, while it is away. */
static struct {
    struct mr_peer peer;
    int listener;
} relays[RELAYS];

/* What was asked, and what the trouble did to it. */
static struct {
    bool bad; /* it has a recipient that no relay takes */
    bool
        disturbed; /* a worker was killed that held it, or nobody knows whether a relay took it */
    unsigned copies; /* beyond the first, summed over its recipients */
} mails[MAILS];

static struct mr_mill mill;
static struct mr_trouble trouble;
static char yaml[1024];
static unsigned n_mails, n_relay_troubles;

static unsigned roll(unsigned below)
{
    return mr_trouble_roll(&trouble, below);
}

/* ---- the relays ---- */

static void start_relay(unsigned i)
{
    char name[16];

    snprintf(name, sizeof(name), "mails-%u", i);
    mr_peer_run(&relays[i].peer, "smtp.py", mill.redis.dir, name, relays[i].listener, NULL);
}

static void start_relays(void)
{
    for (unsigned i = 0; i < RELAYS; i++) {
        relays[i].listener = mr_canned_listen(&relays[i].peer.port);
        fcntl(relays[i].listener, F_SETFD, 0); /* its process gets it */
        start_relay(i);
    }
}

static void stop_relays(void)
{
    for (unsigned i = 0; i < RELAYS; i++) {
        mr_peer_stop(&relays[i].peer);
        close(relays[i].listener);
    }
}

/* It dies with all its sessions, or stands still with them for longer than anybody waits. */
static void trouble_a_relay(void)
{
    unsigned i = roll(RELAYS);

    n_relay_troubles++;
    if (roll(2)) {
        mr_peer_stop(&relays[i].peer);
        start_relay(i);
        return;
    }
    uint64_t until_ms = mr_wait_now_ms() + SILENT_MS;
    mr_proc_signal(&relays[i].peer.proc, SIGSTOP);
    while (mr_wait_now_ms() < until_ms)
        mr_wait_a_moment();
    mr_proc_signal(&relays[i].peer.proc, SIGCONT);
}

/* ---- the mails ---- */

/* "mail-12.later" is number 12. */
static unsigned number_of(const char *uuid)
{
    unsigned n;

    ck_assert_msg(sscanf(uuid, "mail-%u", &n) == 1 && n < n_mails, "no mail of ours: %s", uuid);
    return n;
}

/* to of GOOD: one is refused once for now, of one in ten mails the first relay that has it says nothing. */
static void push_mail(void)
{
    unsigned n = n_mails++;
    char payload[600];

    mails[n].bad = roll(3) == 0;
    snprintf(
        payload, sizeof(payload),
        "{\"uuid\":\"mail-%u\",\"job\":\"email.send\",\"data\":{\"to\":[\"%s%u@example.org\","
        "\"%s%u@example.org\"%s],\"cc\":\"good-c-%u@example.org\",\"subject\":\"s\","
        "\"text\":\"t\"}}",
        n, roll(10) ? "good-a-" : "drop1-a-", n, roll(4) ? "good-b-" : "defer1-b-", n,
        mails[n].bad ? ",\"reject@example.org\"" : "", n);
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
}

/* ---- workers ---- */

static void note_list(const char *key)
{
    redisReply *payloads = mr_redis_ask(&mill.redis, "LRANGE %s 0 -1", key);

    for (size_t i = 0; i < payloads->elements; i++) {
        const char *uuid = strstr(payloads->element[i]->str, "\"uuid\":\"mail-");

        if (uuid)
            mails[number_of(uuid + strlen("\"uuid\":\""))].disturbed = true;
    }
    freeReplyObject(payloads);
}

/* What this worker has fetched and not settled. */
static void note_hands(pid_t worker)
{
    char command[512], name[64];

    mr_proc_cmdline(worker, command, sizeof(command));
    const char *at = strstr(command, "--worker ");
    if (!at || sscanf(at, "--worker %63s", name) != 1)
        return; /* it is just beginning, and holds nothing */
    redisReply *keys =
        mr_redis_ask(&mill.redis, "KEYS " MR_MILL_PREFIX "queues:main:lease:%s:*", name);
    for (size_t i = 0; i < keys->elements; i++)
        note_list(keys->element[i]->str);
    freeReplyObject(keys);
}

/* It stands still while its hands are looked at. */
static void kill_a_worker(void)
{
    pid_t workers[MR_PROC_LIST];
    int n = mr_mill_workers(&mill, 0, workers);

    if (n == 0)
        return;
    pid_t worker = workers[roll((unsigned)n)];
    kill(worker, SIGSTOP);
    mr_wait_for(mr_proc_state(worker) == 'T' || mr_proc_state(worker) == 0, 5000);
    note_hands(worker);
    trouble.worker_kills += kill(worker, SIGKILL) == 0;
}

static void something_happens(void)
{
    for (unsigned i = roll(AT_ONCE); i > 0 && n_mails < MAILS; i--)
        push_mail();
    if (mr_trouble_is_due(trouble.worker_kills, WORKER_KILLS, n_mails, MAILS) && roll(3) == 0)
        kill_a_worker();
    if (mr_trouble_is_due(n_relay_troubles, RELAY_TROUBLES, n_mails, MAILS) && roll(6) == 0)
        trouble_a_relay();
}

static bool is_going_on(void)
{
    return n_mails < MAILS || trouble.worker_kills < WORKER_KILLS ||
           n_relay_troubles < RELAY_TROUBLES;
}

/* ---- what became of it ---- */

/* The log says of which mails nobody knew. */
static void note_unknown(void)
{
    FILE *log = fopen(mill.dispatchers[0].log, "re");
    char line[4096];

    ck_assert_ptr_nonnull(log);
    while (fgets(line, sizeof(line), log)) {
        const char *uuid = strstr(line, " uuid=mail-");

        if (uuid && strstr(line, "whether it took it is unknown"))
            mails[number_of(uuid + strlen(" uuid="))].disturbed = true;
    }
    fclose(log);
}

/* counts: by recipient. The recipient tells which mail it must be. */
static void count_mail(json_t *mail, json_t *counts)
{
    json_t *recipient;
    char wanted[64];
    size_t i;

    json_array_foreach(json_object_get(mail, "to"), i, recipient)
    {
        const char *address = json_string_value(recipient), *dash = strrchr(address, '-');
        json_t *so_far = json_object_get(counts, address);

        ck_assert_msg(dash != NULL, "%s should have been refused", address);
        snprintf(wanted, sizeof(wanted), "<mail-%d@example.org>", atoi(dash + 1));
        ck_assert_str_eq(json_string_value(json_object_get(mail, "message_id")), wanted);
        if (so_far)
            mails[atoi(dash + 1)].copies++;
        json_object_set_new(counts, address, json_integer(json_integer_value(so_far) + 1));
    }
}

static void check_good(void)
{
    json_t *counts = json_object(), *mail;
    unsigned n_disturbed = 0, n_copies = 0;
    size_t j;

    for (unsigned i = 0; i < RELAYS; i++) {
        json_t *lines = mr_peer_lines(&relays[i].peer);

        json_array_foreach(lines, j, mail) count_mail(mail, counts);
        json_decref(lines);
    }
    for (unsigned n = 0; n < MAILS; n++) {
        n_disturbed += mails[n].disturbed;
        n_copies += mails[n].copies;
        ck_assert_msg(mails[n].copies == 0 || mails[n].disturbed,
                      "mail-%u came twice, and nothing happened to it", n);
    }
    printf("# %u mails were disturbed, %u copies of them arrived\n", n_disturbed, n_copies);
    ck_assert_uint_eq(json_object_size(counts), MAILS * GOOD);
    ck_assert_uint_lt(n_disturbed, MAILS); /* or the check above says nothing */
    json_decref(counts);
}

/* One letter each, and no other. */
static void check_bad(void)
{
    redisReply *letters =
        mr_redis_ask(&mill.redis, "ZRANGE " MR_MILL_PREFIX "queues:main:dead 0 -1");
    static bool told[MAILS];

    for (size_t i = 0; i < letters->elements; i++) {
        const char *id = letters->element[i]->str;
        unsigned n = number_of(id);

        if (!mails[n].bad || !strstr(id, ".refused")) {
            redisReply *letter = mr_redis_ask(
                &mill.redis, "HGET " MR_MILL_PREFIX "queues:main:dead:jobs %s", id);
            ck_abort_msg("%s is a dead letter: %s", id, letter->str ? letter->str : "(gone)");
        }
        told[n] = true;
    }
    for (unsigned n = 0; n < MAILS; n++)
        ck_assert_msg(told[n] == mails[n].bad, "no letter tells who was refused of mail-%u", n);
    freeReplyObject(letters);
}

static void configure(void)
{
    snprintf(
        yaml, sizeof(yaml),
        "lease: 2s\ngrace: 2s\n"
        "pools: { main: { queues: [main], processes: 3, concurrency: 6, tries: 0, "
        "max_crashes: 100, backoff: 10ms..200ms } }\n"
        "email: { from: shop@example.org, again: 50ms, timeout: 1s, connect_timeout: 500ms, "
        "circuit: { failures: 3, open_for: 200ms }, relays: { "
        "first: { url: \"smtp://127.0.0.1:%d\", tls: off, connections: 3 }, "
        "second: { url: \"smtp://127.0.0.1:%d\", tls: off, connections: 3 } } }\n",
        relays[0].peer.port, relays[1].peer.port);
}

START_TEST(every_good_recipient_has_every_mail_and_every_bad_one_a_letter)
{
    uint64_t from_ms = mr_clock_ms();

    mr_trouble_begin(&trouble, NULL);
    mr_mill_start(&mill, yaml, NULL);
    start_relays();
    configure();
    mr_mill_dispatch(&mill, 0, 3);
    while (is_going_on()) {
        something_happens();
        for (unsigned n = roll(30); n > 0; n--)
            mr_wait_a_moment();
    }
    mr_wait_for(mr_mill_is_empty(&mill, "main"), HEALING_MS);
    printf("# %d mails, %u workers killed, %u times a relay was away, %d s\n", MAILS,
           trouble.worker_kills, n_relay_troubles, (int)((mr_clock_ms() - from_ms) / 1000));
    note_unknown();
    check_bad();
    check_good();
    mr_mill_stop(&mill);
    stop_relays();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_good_recipient_has_every_mail_and_every_bad_one_a_letter, 0},
    };

    return mr_suite_run_slow("mail_chaos", tests, 150);
}
