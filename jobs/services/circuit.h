/* Whether a peer is worth asking: opens when it fails again and again, lets one ask in time. Pure: the clock is passed in. */
#ifndef MR_JOBS_SERVICES_CIRCUIT_H
#define MR_JOBS_SERVICES_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

struct mr_circuit_rule {
    unsigned failures; /* so many in a row open it; 0: it never opens */
    uint64_t open_ms;  /* then nobody asks for so long */
};

enum mr_circuit_state {
    MR_CIRCUIT_CLOSED,
    MR_CIRCUIT_OPEN,
    MR_CIRCUIT_PROBING, /* one asks, for all */
};

/* A plain value; zero-initialised it is closed. */
struct mr_circuit {
    enum mr_circuit_state state;
    unsigned failures;    /* in a row, while closed */
    uint64_t until_at_ms; /* OPEN: then one may ask */
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
