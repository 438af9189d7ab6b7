#include "dispatcher/routes.h"

#include "dispatcher/control.h"
#include "dispatcher/dispatcher.h"

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

static void (*const handlers[MR_API_CALLS])(struct mr_request *request) = {
    [MR_API_HEALTH] = health,
    [MR_API_READY] = ready,
    [MR_API_SCALE] = mr_control_scale,
    [MR_API_PAUSE] = mr_control_pause,
    [MR_API_RESUME] = mr_control_resume,
    [MR_API_DRAIN] = mr_control_drain,
    [MR_API_RESTART] = mr_control_restart,
    [MR_API_RELOAD] = mr_control_reload,
};

void mr_routes_run(struct mr_request *request, enum mr_api_call call)
{
    if (handlers[call])
        handlers[call](request);
    else
        mr_request_problem(request, 404, "there is nothing at this path");
}
