/*
 * sms.send and whatsapp.send: one text message through one of the configured providers. A job's uuid goes along as the key under
 * which a provider knows a repeated request, so that an answer that was lost sends nothing twice. The next provider is asked only
 * where it is sure that those before have sent nothing.
 */
#include "jobs/sms/sending.h"
#include "jobs/sms/service.h"
#include "worker/handler.h"

static const struct mr_service_kind sms = {
    .channel = "sms",
    .from_option = "sms.from",
    .segments = true,
    .sent = "sms_sent",
    .sent_segments = "sms_segments_sent",
};
static const struct mr_service_kind whatsapp = {
    .channel = "whatsapp",
    .from_option = "sms.whatsapp_from",
    .sent = "whatsapp_sent",
};

static enum mr_code open_kind(struct mr_host *host, const struct mr_service_kind *kind,
                              void **out_state, struct mr_err *err)
{
    struct mr_service *service;
    enum mr_code code = mr_service_new(host, kind, &service, err);

    if (code == MR_OK)
        *out_state = service;
    return code;
}

static enum mr_code open_sms(struct mr_host *host, void **out_state, struct mr_err *err)
{
    return open_kind(host, &sms, out_state, err);
}

static enum mr_code open_whatsapp(struct mr_host *host, void **out_state, struct mr_err *err)
{
    return open_kind(host, &whatsapp, out_state, err);
}

static void close_kind(void *state)
{
    mr_service_free(state);
}

static void start(void *state, struct mr_job *job)
{
    mr_sending_start(state, job);
}

static void cancel(void *state, struct mr_job *job)
{
    (void)state;
    mr_sending_cancel(job);
}

static const struct mr_handler sms_send = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "sms.send",
    .open = open_sms,
    .close = close_kind,
    .start = start,
    .cancel = cancel,
};

static const struct mr_handler whatsapp_send = {
    .abi = MR_HANDLER_ABI,
    .size = sizeof(struct mr_handler),
    .name = "whatsapp.send",
    .open = open_whatsapp,
    .close = close_kind,
    .start = start,
    .cancel = cancel,
};

const struct mr_handler *const mr_handlers[] = {&sms_send, &whatsapp_send, NULL};
