/*
 * Whether a peer is worth asking: opens when it fails again and again, or too often, lets one ask in time. Pure: the clock is
 * passed in.
 */
#ifndef MR_JOBS_SERVICES_CIRCUIT_H
#define MR_JOBS_SERVICES_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

struct mr_circuit_rule {
    unsigned failures; /* so many in a row open it; 0: it never opens, share_pct or not */
    unsigned
        share_pct;  /* a failure opens it when so many of window_ms have failed; 0: none does */
    unsigned least; /* but not while there are fewer than these, good and bad, in window_ms */
    uint64_t window_ms; /* whole seconds, at most MR_CIRCUIT_WINDOW_MS */
    uint64_t open_ms;   /* then nobody asks for so long */
};

#define MR_CIRCUIT_SECONDS 60
#define MR_CIRCUIT_WINDOW_MS (MR_CIRCUIT_SECONDS * 1000)

/* What became of those who asked, second by second: a ring. */
struct mr_circuit_window {
    uint64_t newest_s; /* the latest second there is something of */
    struct {
        uint32_t asked, failed;
    } seconds[MR_CIRCUIT_SECONDS];
};

enum mr_circuit_state {
    MR_CIRCUIT_CLOSED,
    MR_CIRCUIT_OPEN,
    MR_CIRCUIT_PROBING, /* one asks, for all */
};

/* A plain value; zero-initialised it is closed. */
struct mr_circuit {
    enum mr_circuit_state state;
    bool by_share; /* not CLOSED: it was the share that opened it, so one answer is no news */
    unsigned failures;               /* in a row, while closed */
    uint64_t until_at_ms;            /* OPEN: then one may ask */
    struct mr_circuit_window window; /* while closed */
};

enum mr_circuit_gate { MR_CIRCUIT_PASS, MR_CIRCUIT_WAIT, MR_CIRCUIT_SHUT };
/* May one ask? WAIT: another asks for all just now. Nothing changes. */
enum mr_circuit_gate mr_circuit_gate(const struct mr_circuit *circuit,
                                     const struct mr_circuit_rule *rule, uint64_t now_ms);
/* Whoever passed begins to ask; true: for all, so it must tell how that ended. */
bool mr_circuit_begin(struct mr_circuit *circuit, const struct mr_circuit_rule *rule);

/* GOOD: it answers. BAD: it does not, or says itself that it is broken. NOTHING: nobody waited for that. */
enum mr_circuit_result { MR_CIRCUIT_GOOD, MR_CIRCUIT_BAD, MR_CIRCUIT_NOTHING };
/* probe: mr_circuit_begin had said true. Gives whether it is now open that was closed, or the other way round. */
bool mr_circuit_end(struct mr_circuit *circuit, const struct mr_circuit_rule *rule, bool probe,
                    enum mr_circuit_result result, uint64_t now_ms);

#endif
