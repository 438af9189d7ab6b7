/* Writes the shared page: who runs what, what is finished, who is to blame. Plain stores, no system call. */
#ifndef MR_WORKER_RECORDER_H
#define MR_WORKER_RECORDER_H

#include "proto/page.h"

#include <stdbool.h>
#include <stdint.h>

struct mr_delivery;

/* Borrows the page; there is one writer per field, the loop thread unless said. */
struct mr_recorder {
    struct mr_page *page;
};

void mr_recorder_init(struct mr_recorder *recorder, struct mr_page *page);

/* A place begins with its address (state PARSING), learns its job (WAITING for a thread, RUNNING), ends (FREE). */
void mr_recorder_place_parsing(struct mr_recorder *r, unsigned place, unsigned queue,
                               unsigned k, unsigned index);
void mr_recorder_place_waiting(struct mr_recorder *r, unsigned place,
                               const struct mr_delivery *delivery);
void mr_recorder_place_running(struct mr_recorder *r, unsigned place,
                               const struct mr_delivery *delivery);
void mr_recorder_place_state(struct mr_recorder *r, unsigned place, enum mr_place_state state);
void mr_recorder_place_timed_out(struct mr_recorder *r, unsigned place);

/* thread 0 is the loop; place MR_PAGE_NOBODY when it leaves. Called by that thread itself. */
void mr_recorder_enter(struct mr_recorder *r, unsigned thread, uint32_t place);

/* A lease's life: held with n places, places finished, given up. */
void mr_recorder_lease_held(struct mr_recorder *r, unsigned queue, unsigned k, unsigned n);
void mr_recorder_lease_done(struct mr_recorder *r, unsigned queue, unsigned k, unsigned index);
void mr_recorder_lease_settling(struct mr_recorder *r, unsigned queue, unsigned k,
                                unsigned index);
void mr_recorder_lease_gone(struct mr_recorder *r, unsigned queue, unsigned k);

/* A delivery that ended before its handler saw it: run_us of mr_recorder_finished. */
#define MR_NEVER_RAN UINT64_MAX
/* Counts one finished delivery: verdict counter, run histogram, wait histogram (first attempts whose pushedAt is known), ring. */
void mr_recorder_finished(struct mr_recorder *r, const struct mr_delivery *delivery,
                          enum mr_page_verdict verdict, uint64_t run_us, uint64_t now_wall_ms);

/* Installs handlers for SEGV, ABRT, BUS, FPE, ILL on an alternate stack: they note signal and place, then die of it as before. Once per process. */
void mr_recorder_catch_crashes(struct mr_recorder *r);
/* Each thread of run handlers calls it once, with its number from 1, so that the crash handler knows its place. */
void mr_recorder_thread(struct mr_recorder *r, unsigned thread);

#endif
