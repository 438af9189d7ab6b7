/* A mill with all that billing needs: a private MariaDB with its tables and a customer, a payment provider, a folder for files. */
#ifndef MR_TESTS_SHOP_H
#define MR_TESTS_SHOP_H

#include "tests/support/mariadb.h"
#include "tests/support/mill.h"
#include "tests/support/peer.h"
#include "tests/support/proc.h"

#define MR_SHOP_KEY "sk-canary-7qT" /* of the payment provider: in no log and no letter */

/* What most stories run on: one worker that does much at once, and tries often and soon. */
#define MR_SHOP_POOLS                                                                          \
    "pools: { main: { queues: [main], concurrency: 20, tries: 20, backoff: 20ms..100ms } }"
enum { MR_SHOP_SOON_MS = 20000 }; /* a handful of jobs are done within so long */

struct mr_shop {
    struct mr_mill mill;
    struct mr_mariadb db;
    struct mr_peer peer;
    char files[96]; /* storage.path */
    char yaml[2048];
};

/*
 * Starts everything but a dispatcher. pools: the product's section of that name, a line. payment: further options of the payment section, "" for none. peer_args: as
 * mr_peer_start takes them, besides the key. The one customer is "ann", M. Müller.
 */
void mr_shop_start(struct mr_shop *shop, const char *pools, const char *payment,
                   const char *const *peer_args);
void mr_shop_stop(struct mr_shop *shop);
/* The same on MR_SHOP_POOLS, with a dispatcher. */
void mr_shop_open(struct mr_shop *shop, const char *payment, const char *const *peer_args);
/* Stops it, unless the books are not in order (mr_shop_audit), or a secret is in the dispatcher's log: that fails the test. */
void mr_shop_close(struct mr_shop *shop);

/* RPUSH to "main". */
void mr_shop_push(struct mr_shop *shop, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A billing.invoice of one line, total_minor without tax, for ann, in this series; its uuid is "<series>-job-<n>". */
void mr_shop_push_invoice(struct mr_shop *shop, const char *series, unsigned n,
                          long long total_minor);
/* A billing.charge; uuid and invoice as given. */
void mr_shop_push_charge(struct mr_shop *shop, const char *uuid, const char *invoice,
                         long long amount_minor, const char *source);
/* Waits until nothing is left to do and nothing died of it. */
void mr_shop_await_done(struct mr_shop *shop, uint64_t ms);
/* Waits until one letter died, of this class and with these words, checks that it holds no secret, and removes it. */
void mr_shop_await_letter(struct mr_shop *shop, const char *class, const char *reason);

/* What people read in the PDF under this key, by pdftotext; the caller's. Fails the test when it is no PDF. */
char *mr_shop_pdf_text(const struct mr_shop *shop, const char *key);
/* Fails the test unless people read all of these words there. */
void mr_shop_expect_paper(const struct mr_shop *shop, const char *key, const char *const *words,
                          size_t n);
/* Whether there is such a file, and its first bytes say that it is one. */
bool mr_shop_has_pdf(const struct mr_shop *shop, const char *key);

/* SELECT COUNT(*) FROM what. */
long long mr_shop_count(struct mr_shop *shop, const char *what);
/* Fails the test unless the ledger's rows sum to 0 for each uuid, and the numbers of each series run from 1 without a gap. */
void mr_shop_check_books(struct mr_shop *shop);

/* Runs workerctl with these words, NULL-ended, and the shop's configuration; gives its exit status. What it said is in ctl's log. */
int mr_shop_ctl(struct mr_shop *shop, struct mr_proc *ctl, const char *const *words);
/* Fails the test, showing what was found, unless workerctl billing audit finds nothing. */
void mr_shop_audit(struct mr_shop *shop);

#endif
