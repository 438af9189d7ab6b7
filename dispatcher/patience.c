#include "dispatcher/patience.h"

/* One that waits for a thread loses nothing when its worker goes. */
static bool keeps_its_deadline(const struct mr_page_place *place)
{
    uint32_t state = atomic_load(&place->state);

    return state != MR_PLACE_FREE && state != MR_PLACE_WAITING && !place->timed_out;
}

bool mr_patience_is_needed(const struct mr_page *page)
{
    for (uint32_t p = 0; p < page->shape.n_places; p++)
        if (keeps_its_deadline(&page->places[p]))
            return true;
    return false;
}

uint64_t mr_patience_until_ms(const struct mr_page *page, uint64_t now_ms)
{
    uint64_t until_ms = now_ms;

    for (uint32_t p = 0; p < page->shape.n_places; p++) {
        uint64_t deadline_ms = page->places[p].deadline_at_ms;

        if (!keeps_its_deadline(&page->places[p]))
            continue;
        if (deadline_ms == 0 || deadline_ms > now_ms + MR_PATIENCE_MS)
            deadline_ms = now_ms + MR_PATIENCE_MS;
        if (deadline_ms > until_ms)
            until_ms = deadline_ms;
    }
    return until_ms;
}
