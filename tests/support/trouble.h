/* What goes wrong in a shop, by chance and by a seed: workers and the database are killed, the payment provider loses answers. */
#ifndef MR_TESTS_TROUBLE_H
#define MR_TESTS_TROUBLE_H

#include "proto/base/random.h"
#include "tests/support/shop.h"

struct mr_trouble {
    struct mr_random dice;
    struct mr_shop *shop;
    unsigned worker_kills, database_kills; /* so far; each hit something */
};

/* MILLRACE_SEED=n repeats a run, as far as real processes can be repeated; the seed is printed. */
void mr_trouble_begin(struct mr_trouble *trouble, struct mr_shop *shop);
/* 0..below-1. */
unsigned mr_trouble_roll(struct mr_trouble *trouble, unsigned below);

void mr_trouble_kill_a_worker(struct mr_trouble *trouble);
/* And it comes back, after up to a fifth of a second. */
void mr_trouble_kill_the_database(struct mr_trouble *trouble);
/*
 * Whether the next of so many kills is due when done of all is done: so that trouble lasts as long as the work does.
 */
bool mr_trouble_is_due(unsigned kills, unsigned wanted, unsigned done, unsigned all);

/* A card that is paid with; one in three times, something happens to the first request for it. out holds MR_TROUBLE_CARD bytes. */
#define MR_TROUBLE_CARD 64
void mr_trouble_card(struct mr_trouble *trouble, char *out);

/* How many keys of this kind ("charge", "refund") have had an effect at the provider; fails the test when one had two. */
size_t mr_trouble_check_effects(const struct mr_shop *shop, const char *kind);

#endif
