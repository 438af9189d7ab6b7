/* The threads of run handlers: started when there is work, ended when there was none for a while. */
#ifndef MR_WORKER_THREADS_H
#define MR_WORKER_THREADS_H

#include "proto/base/err.h"
#include "worker/recorder.h"

#include <stdbool.h>
#include <uv.h>

struct mr_delivery;
struct mr_threads;

struct mr_threads_events {
    /* A thread is about to run it: before its first instruction, from the loop, maybe inside mr_threads_submit. */
    void (*on_started)(void *arg, struct mr_delivery *delivery);
    /* It ran; the answer is in delivery->outcome. From the loop. */
    void (*on_done)(void *arg, struct mr_delivery *delivery);
    void *arg;
};

/* At most max threads; recorder is borrowed. A thread ends after idle_ms without work. */
enum mr_code mr_threads_new(uv_loop_t *loop, struct mr_recorder *recorder, unsigned max,
                            uint64_t idle_ms, const struct mr_threads_events *events,
                            struct mr_threads **out, struct mr_err *err);

/* Runs delivery->handler->run on a thread, now or when one is free, in the order submitted. */
void mr_threads_submit(struct mr_threads *threads, struct mr_delivery *delivery);
/* Takes it back; false when a thread has it already. */
bool mr_threads_withdraw(struct mr_threads *threads, struct mr_delivery *delivery);
unsigned mr_threads_alive(const struct mr_threads *threads); /* for tests and metrics */
bool mr_threads_busy(const struct mr_threads *threads);      /* a thread has a delivery */

/*
 * Ends the idle threads and frees; on_closed comes from the loop. A thread that is busy is left alone with what it needs:
 * the process is about to end.
 */
void mr_threads_close(struct mr_threads *threads, void (*on_closed)(void *arg), void *arg);

#endif
