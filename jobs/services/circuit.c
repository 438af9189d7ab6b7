#include "jobs/services/circuit.h"

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

/* What was under way when it opened may still come in: an answer is news, one more failure is not. */
bool mr_circuit_end(struct mr_circuit *circuit, const struct mr_circuit_rule *rule, bool probe,
                    enum mr_circuit_result result, uint64_t now_ms)
{
    if (result == MR_CIRCUIT_GOOD)
        return close_it(circuit);
    if (probe && circuit->state == MR_CIRCUIT_PROBING) {
        /* Without a result the next one may ask at once. */
        open_it(circuit, result == MR_CIRCUIT_BAD ? now_ms + rule->open_ms : now_ms);
        return false;
    }
    if (result == MR_CIRCUIT_NOTHING || circuit->state != MR_CIRCUIT_CLOSED ||
        rule->failures == 0)
        return false;
    if (++circuit->failures < rule->failures)
        return false;
    open_it(circuit, now_ms + rule->open_ms);
    return true;
}
