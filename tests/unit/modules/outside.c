/* A handler as a user writes it: built against the installed headers alone, outside of this tree. */
#include "worker/handler.h"

#include <stdlib.h>
#include <string.h>

struct greeter {
    const char *word; /* of the configuration */
};

static enum mr_code open_greeter(struct mr_host *host, void **out_state, struct mr_err *err)
{
    json_t *word = json_object_get(mr_host_config(host, "greetings"), "word");
    struct greeter *greeter = calloc(1, sizeof(*greeter));

    if (!greeter)
        return mr_fail(err, MR_EIO, "no memory");
    greeter->word = json_is_string(word) ? json_string_value(word) : "hello";
    *out_state = greeter;
    return MR_OK;
}

static struct mr_outcome greet(void *state, struct mr_job *job)
{
    const struct greeter *greeter = state;
    struct mr_err err = {0};
    json_t *data = mr_job_data(job, &err);
    const char *name = json_string_value(json_object_get(data, "name"));

    if (!data)
        return mr_outcome_fail("data: %s", err.text);
    if (!name)
        return mr_outcome_fail("data.name must be a string");
    if (strcmp(name, "nobody") == 0)
        return mr_outcome_retry_after(5000, "nobody is there to hear '%s'", greeter->word);
    mr_host_counter(mr_job_host(job), "greetings", 1);
    mr_job_log(job, 3, "outside.greeted", "word=%s name=%s", greeter->word, name);
    mr_job_progress(job, 100);
    return mr_outcome_done();
}

static const struct mr_handler hello = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "outside.hello",
    .open = open_greeter,
    .close = free,
    .run = greet,
};

const struct mr_handler *const mr_handlers[] = {&hello, NULL};
