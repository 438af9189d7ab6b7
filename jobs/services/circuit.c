#include "jobs/services/circuit.h"

#include <string.h>

enum mr_circuit_gate mr_circuit_gate(const struct mr_circuit *circuit,
                                     const struct mr_circuit_rule *rule, uint64_t now_ms)
{
    if (rule->failures == 0 || circuit->state == MR_CIRCUIT_CLOSED)
        return MR_CIRCUIT_PASS;
    if (circuit->state == MR_CIRCUIT_PROBING)
        return MR_CIRCUIT_WAIT;
    return now_ms < circuit->until_at_ms ? MR_CIRCUIT_SHUT : MR_CIRCUIT_PASS;
}

bool mr_circuit_begin(struct mr_circuit *circuit, const struct mr_circuit_rule *rule)
{
    if (rule->failures == 0 || circuit->state != MR_CIRCUIT_OPEN)
        return false;
    circuit->state = MR_CIRCUIT_PROBING;
    return true;
}

/* ---- the window ---- */

/* Of now_ms, with what stood in its place a round ago forgotten. */
static uint64_t turn_to(struct mr_circuit_window *window, uint64_t now_ms)
{
    uint64_t now_s = now_ms / 1000;

    if (now_s > window->newest_s + MR_CIRCUIT_SECONDS)
        window->newest_s = now_s - MR_CIRCUIT_SECONDS;
    while (window->newest_s < now_s) {
        window->newest_s++;
        memset(&window->seconds[window->newest_s % MR_CIRCUIT_SECONDS], 0,
               sizeof(window->seconds[0]));
    }
    return window->newest_s;
}

static void note(struct mr_circuit_window *window, bool failed, uint64_t now_ms)
{
    uint64_t second = turn_to(window, now_ms) % MR_CIRCUIT_SECONDS;

    window->seconds[second].asked++;
    window->seconds[second].failed += failed;
}

/* The second that has only begun is one of them. */
static bool fails_too_often(const struct mr_circuit_window *window,
                            const struct mr_circuit_rule *rule)
{
    uint64_t n = rule->window_ms / 1000, asked = 0, failed = 0;

    for (uint64_t back = 0; back < n && back < MR_CIRCUIT_SECONDS && back <= window->newest_s;
         back++) {
        uint64_t second = (window->newest_s - back) % MR_CIRCUIT_SECONDS;

        asked += window->seconds[second].asked;
        failed += window->seconds[second].failed;
    }
    return rule->share_pct > 0 && asked >= rule->least &&
           failed * 100 >= asked * rule->share_pct;
}

/* ---- open and closed ---- */

static bool close_it(struct mr_circuit *circuit)
{
    bool was_open = circuit->state != MR_CIRCUIT_CLOSED;

    *circuit = (struct mr_circuit){.state = MR_CIRCUIT_CLOSED};
    return was_open;
}

static void open_it(struct mr_circuit *circuit, uint64_t until_at_ms)
{
    circuit->state = MR_CIRCUIT_OPEN;
    circuit->until_at_ms = until_at_ms;
}

/* One more result of a peer that is asked; who has no rule says nothing of the share. Gives whether that opens it. */
static bool end_closed(struct mr_circuit *circuit, const struct mr_circuit_rule *rule,
                       bool failed, uint64_t now_ms)
{
    if (rule->failures > 0)
        note(&circuit->window, failed, now_ms);
    circuit->failures = failed ? circuit->failures + 1 : 0;
    if (!failed)
        return false;
    bool in_a_row = circuit->failures >= rule->failures;
    if (!in_a_row && !fails_too_often(&circuit->window, rule))
        return false;
    circuit->by_share = !in_a_row;
    open_it(circuit, now_ms + rule->open_ms);
    return true;
}

/*
 * What was under way when it opened may still come in: one more failure is no news, and an answer is some only of a peer that
 * gave none before.
 */
bool mr_circuit_end(struct mr_circuit *circuit, const struct mr_circuit_rule *rule, bool probe,
                    enum mr_circuit_result result, uint64_t now_ms)
{
    bool probed = probe && circuit->state == MR_CIRCUIT_PROBING;

    if (rule->failures == 0 && result != MR_CIRCUIT_GOOD)
        return false;
    if (circuit->state == MR_CIRCUIT_CLOSED)
        return result != MR_CIRCUIT_NOTHING &&
               end_closed(circuit, rule, result == MR_CIRCUIT_BAD, now_ms);
    if (result == MR_CIRCUIT_GOOD)
        return (probed || !circuit->by_share) && close_it(circuit);
    if (probed) /* without a result the next one may ask at once */
        open_it(circuit, result == MR_CIRCUIT_BAD ? now_ms + rule->open_ms : now_ms);
    return false;
}
