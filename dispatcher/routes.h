/* What each call of the control API does. */
#ifndef MR_DISPATCHER_ROUTES_H
#define MR_DISPATCHER_ROUTES_H

#include "dispatcher/request.h"
#include "proto/api.h"

/* Answers the request now, or holds it and answers later. */
void mr_routes_run(struct mr_request *request, enum mr_api_call call);

#endif
