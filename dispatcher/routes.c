#include "dispatcher/routes.h"

#include "dispatcher/control.h"
#include "dispatcher/dead.h"
#include "dispatcher/dead_act.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/metrics.h"
#include "dispatcher/push.h"
#include "dispatcher/sizes.h"
#include "dispatcher/snapshot.h"
#include "dispatcher/views.h"
#include "proto/base/mem.h"

#include <stdlib.h>

static void health(struct mr_request *request)
{
    mr_request_json(request, 200, json_pack("{s:s}", "status", "ok"));
}

static void ready(struct mr_request *request)
{
    struct mr_err why_not;

    if (mr_dispatcher_is_ready(mr_request_dispatcher(request), &why_not))
        mr_request_json(request, 200, json_pack("{s:s}", "status", "ready"));
    else
        mr_request_problem(request, 503, "%s", why_not.text);
}

/* The YAML that would start a dispatcher just like this one, but for the secrets. */
static void config(struct mr_request *request)
{
    const struct mr_config *config = mr_request_dispatcher(request)->config;
    struct mr_buf yaml = {0};

    mr_config_print(config, false, &yaml);
    mr_request_json(request, 200,
                    json_pack("{s:s, s:s}", "source", config->source, "yaml", yaml.at));
    mr_buf_fini(&yaml);
}

/* ---- pictures: first the sizes of the queues, then everything at one moment ---- */

struct picture {
    struct mr_request *request;
    void (*show)(struct mr_request *request, const struct mr_snapshot *snapshot);
};

static void on_sizes(void *arg)
{
    struct picture *picture = arg;
    struct mr_snapshot snapshot;

    if (mr_request_is_gone(picture->request)) {
        mr_request_problem(picture->request, 503, "the dispatcher stops");
    } else {
        mr_snapshot_take(mr_request_dispatcher(picture->request), &snapshot);
        picture->show(picture->request, &snapshot);
        mr_snapshot_fini(&snapshot);
    }
    free(picture);
}

static void draw(struct mr_request *request,
                 void (*show)(struct mr_request *request, const struct mr_snapshot *snapshot))
{
    struct picture *picture = mr_zalloc(sizeof(*picture));

    *picture = (struct picture){request, show};
    mr_request_hold(request);
    mr_sizes_ask(mr_request_sizes(request), on_sizes, picture);
}

static void show_metrics(struct mr_request *request, const struct mr_snapshot *snapshot)
{
    struct mr_buf text = {0};

    mr_metrics_print(snapshot, &text);
    mr_request_text(request, 200, MR_METRICS_TYPE, &text);
}

static void metrics(struct mr_request *request)
{
    draw(request, show_metrics);
}

static void show_status(struct mr_request *request, const struct mr_snapshot *snapshot)
{
    mr_request_json(request, 200, mr_views_status(snapshot));
}

static void status(struct mr_request *request)
{
    draw(request, show_status);
}

static void show_pools(struct mr_request *request, const struct mr_snapshot *snapshot)
{
    mr_request_json(request, 200, mr_views_pools(snapshot));
}

static void pools(struct mr_request *request)
{
    draw(request, show_pools);
}

static void show_queues(struct mr_request *request, const struct mr_snapshot *snapshot)
{
    mr_request_json(request, 200, mr_views_queues(snapshot));
}

static void queues(struct mr_request *request)
{
    draw(request, show_queues);
}

/* Of this host alone, and nothing that Redis would have to be asked for. */
static void jobs(struct mr_request *request)
{
    struct mr_snapshot snapshot;

    mr_snapshot_take(mr_request_dispatcher(request), &snapshot);
    mr_request_json(request, 200, mr_views_jobs(&snapshot));
    mr_snapshot_fini(&snapshot);
}

/* ---- all of them ---- */

static void (*const handlers[MR_API_CALLS])(struct mr_request *request) = {
    [MR_API_HEALTH] = health,
    [MR_API_READY] = ready,
    [MR_API_METRICS] = metrics,
    [MR_API_STATUS] = status,
    [MR_API_POOLS] = pools,
    [MR_API_QUEUES] = queues,
    [MR_API_JOBS] = jobs,
    [MR_API_CONFIG] = config,
    [MR_API_SCALE] = mr_control_scale,
    [MR_API_PAUSE] = mr_control_pause,
    [MR_API_RESUME] = mr_control_resume,
    [MR_API_PUSH] = mr_push_jobs,
    [MR_API_DEAD_LIST] = mr_dead_list,
    [MR_API_DEAD_SHOW] = mr_dead_show,
    [MR_API_DEAD_RETRY] = mr_dead_retry,
    [MR_API_DEAD_DROP] = mr_dead_drop,
    [MR_API_CANCEL] = mr_control_cancel,
    [MR_API_DRAIN] = mr_control_drain,
    [MR_API_RESTART] = mr_control_restart,
    [MR_API_RELOAD] = mr_control_reload,
};

void mr_routes_run(struct mr_request *request, enum mr_api_call call)
{
    handlers[call](request);
}
