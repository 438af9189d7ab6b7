#include "tests/support/shop.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "tests/support/wait.h"

#include <check.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 16, PUSH_MAX = 64 * 1024, CTL_MS = 60000 };

#define DEAD_JOBS MR_MILL_PREFIX "queues:main:dead:jobs"

static void start_peer(struct mr_shop *shop, const char *const *more)
{
    const char *args[ARGS_MAX] = {"--bearer", MR_SHOP_KEY};
    size_t n = 2;

    for (; more && *more; more++) {
        ck_assert_uint_lt(n + 1, ARGS_MAX);
        args[n++] = *more;
    }
    mr_peer_start(&shop->peer, shop->mill.redis.dir, args);
}

void mr_shop_start(struct mr_shop *shop, const char *pools, const char *payment,
                   const char *const *peer_args)
{
    mr_mill_start(&shop->mill, shop->yaml, NULL);
    mr_mariadb_start(&shop->db, NULL);
    mr_mariadb_schema(&shop->db);
    mr_mariadb_do(&shop->db, "INSERT INTO billing_customers (id, name, email, address) VALUES "
                             "('ann', 'M. M\xc3\xbcller', 'ann@example.org', "
                             "'Lange Stra\xc3\x9f"
                             "e 1\\n10115 Berlin')");
    start_peer(shop, peer_args);
    snprintf(shop->files, sizeof(shop->files), "%s/files", shop->mill.redis.dir);
    snprintf(shop->yaml, sizeof(shop->yaml),
             "%s\n%s"
             "storage: { path: \"%s\" }\n"
             "billing: { seller: \"Mill Shop, Mill Lane 7\", notes: \"Thank you.\", "
             "mail_queue: mails }\n"
             "payment: { url: \"http://127.0.0.1:%d\", key: " MR_SHOP_KEY "%s%s }\n",
             pools, shop->db.yaml, shop->files, shop->peer.port, *payment ? ", " : "", payment);
}

void mr_shop_stop(struct mr_shop *shop)
{
    mr_mill_stop(&shop->mill);
    mr_peer_stop(&shop->peer);
    mr_mariadb_stop(&shop->db);
}

void mr_shop_open(struct mr_shop *shop, const char *payment, const char *const *peer_args)
{
    mr_shop_start(shop, MR_SHOP_POOLS, payment, peer_args);
    mr_mill_dispatch(&shop->mill, 0, 1);
}

void mr_shop_close(struct mr_shop *shop)
{
    mr_shop_audit(shop);
    ck_assert(!mr_proc_said(&shop->mill.dispatchers[0], MR_SHOP_KEY));
    ck_assert(!mr_proc_said(&shop->mill.dispatchers[0], MR_MARIADB_PASSWORD));
    mr_shop_stop(shop);
}

/* ---- jobs ---- */

void mr_shop_push(struct mr_shop *shop, const char *format, ...)
{
    static char payload[PUSH_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(payload, sizeof(payload), format, args);
    va_end(args);
    ck_assert_int_lt(len, PUSH_MAX);
    mr_mill_push_raw(&shop->mill, "main", payload, (size_t)len);
}

void mr_shop_push_invoice(struct mr_shop *shop, const char *series, unsigned n,
                          long long total_minor)
{
    mr_shop_push(
        shop,
        "{\"uuid\":\"%s-job-%u\",\"job\":\"billing.invoice\",\"data\":{\"customer\":"
        "\"ann\",\"currency\":\"EUR\",\"series\":\"%s\",\"lines\":[{\"text\":\"flour\","
        "\"quantity\":1,\"unit_minor\":%lld,\"tax_bp\":0}]}}",
        series, n, series, total_minor);
}

void mr_shop_push_charge(struct mr_shop *shop, const char *uuid, const char *invoice,
                         long long amount_minor, const char *source)
{
    mr_shop_push(shop,
                 "{\"uuid\":\"%s\",\"job\":\"billing.charge\",\"data\":{\"invoice\":\"%s\","
                 "\"amount_minor\":%lld,\"currency\":\"EUR\",\"source\":\"%s\"}}",
                 uuid, invoice, amount_minor, source);
}

/* Two tell enough: each is its payload and its record, in any order. */
static void show_a_letter(struct mr_shop *shop)
{
    redisReply *letters = mr_redis_ask(&shop->mill.redis, "HVALS " DEAD_JOBS);

    for (size_t i = 0; i < letters->elements && i < 4; i++)
        fprintf(stderr, "dead: %s\n", letters->element[i]->str);
    ck_abort_msg("%zu letters died", letters->elements / 2);
}

void mr_shop_await_done(struct mr_shop *shop, uint64_t ms)
{
    mr_wait_for(mr_mill_is_empty(&shop->mill, "main"), ms);
    if (mr_mill_dead(&shop->mill, "main") != 0)
        show_a_letter(shop);
}

void mr_shop_await_letter(struct mr_shop *shop, const char *class, const char *reason)
{
    mr_mill_await_letter(&shop->mill, "main", class, reason);
    json_t *letter = mr_mill_only_letter(&shop->mill, "main");
    char *text = json_dumps(letter, 0);
    ck_assert_ptr_null(strstr(text, MR_SHOP_KEY));
    ck_assert_ptr_null(strstr(text, MR_MARIADB_PASSWORD));
    free(text);
    json_decref(letter);
    mr_redis_do(&shop->mill.redis, "DEL " DEAD_JOBS " " MR_MILL_PREFIX "queues:main:dead");
}

/* ---- what came of them ---- */

static void path_of(const struct mr_shop *shop, const char *key, char *out)
{
    snprintf(out, PATH_MAX, "%s/%s", shop->files, key);
}

char *mr_shop_pdf_text(const struct mr_shop *shop, const char *key)
{
    char path[PATH_MAX], command[PATH_MAX + 64], piece[4096];
    struct mr_buf text = {0};
    size_t n;

    path_of(shop, key, path);
    snprintf(command, sizeof(command), "pdftotext -layout '%s' -", path);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    while ((n = fread(piece, 1, sizeof(piece), pipe)) > 0)
        mr_buf_add(&text, piece, n);
    ck_assert_msg(pclose(pipe) == 0, "pdftotext refuses %s", path);
    mr_buf_reserve(&text, 1);
    return mr_buf_steal(&text);
}

void mr_shop_expect_paper(const struct mr_shop *shop, const char *key, const char *const *words,
                          size_t n)
{
    char *text = mr_shop_pdf_text(shop, key);

    for (size_t i = 0; i < n; i++)
        ck_assert_msg(strstr(text, words[i]) != NULL, "no \"%s\" on paper:\n%s", words[i],
                      text);
    free(text);
}

bool mr_shop_has_pdf(const struct mr_shop *shop, const char *key)
{
    char path[PATH_MAX], head[5] = "";

    path_of(shop, key, path);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool is_pdf = fread(head, 1, 4, file) == 4 && strcmp(head, "%PDF") == 0;
    fclose(file);
    return is_pdf;
}

long long mr_shop_count(struct mr_shop *shop, const char *what)
{
    return mr_mariadb_int(&shop->db, "SELECT COUNT(*) FROM %s", what);
}

void mr_shop_check_books(struct mr_shop *shop)
{
    ck_assert_int_eq(mr_mariadb_int(&shop->db,
                                    "SELECT COUNT(*) FROM (SELECT uuid FROM billing_ledger "
                                    "GROUP BY uuid, currency HAVING SUM(amount_minor) <> 0) x"),
                     0);
    ck_assert_int_eq(
        mr_mariadb_int(&shop->db,
                       "SELECT COUNT(*) FROM (SELECT series FROM billing_invoices GROUP BY "
                       "series, year HAVING COUNT(*) <> MAX(number) OR MIN(number) <> 1) x"),
        0);
    ck_assert_int_eq(mr_mariadb_int(&shop->db,
                                    "SELECT COUNT(*) FROM billing_series s WHERE last_number "
                                    "<> (SELECT COUNT(*) FROM billing_invoices i WHERE "
                                    "i.series = s.name AND i.year = s.year)"),
                     0);
}

int mr_shop_ctl(struct mr_shop *shop, struct mr_proc *ctl, const char *const *words)
{
    const char *argv[ARGS_MAX] = {"ops/workerctl", "-c", shop->mill.config};
    char path[128];
    size_t n = 3;

    for (; *words; words++) {
        ck_assert_uint_lt(n + 1, ARGS_MAX);
        argv[n++] = *words;
    }
    snprintf(path, sizeof(path), "%s/ctl.log", shop->mill.redis.dir);
    mr_proc_start(ctl, argv, NULL, path);
    return mr_proc_exit_status(ctl, CTL_MS);
}

void mr_shop_audit(struct mr_shop *shop)
{
    struct mr_proc ctl;
    int status = mr_shop_ctl(shop, &ctl, (const char *const[]){"billing", "audit", NULL});

    if (status != 0)
        mr_proc_show(&ctl);
    ck_assert_int_eq(status, 0);
}
