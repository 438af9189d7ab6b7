#include "jobs/sms/provider.h"

#include "jobs/services/form.h"
#include "jobs/services/members.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define OWN "default" /* the provider that sms.url and what stands beside it describe */

enum { TIMEOUT_MS = 15000, CONNECTIONS = 10 };

/* ---- the configuration ---- */

/* What a provider does not say itself it has from sms: all but who it is and how it is told. */
static json_t *inherit(const json_t *sms, json_t *own)
{
    static const char *const names[] = {"timeout_ms", "connections", "wait_ms",
                                        "rate",       "ca_file",     "circuit"};
    json_t *options = json_object();

    for (size_t i = 0; i < MR_COUNT(names); i++)
        json_object_set(options, names[i], json_object_get(sms, names[i]));
    json_object_update(options, own);
    json_t *circuit = json_copy(json_object_get(sms, "circuit"));
    json_object_update(circuit, json_object_get(own, "circuit"));
    json_object_set_new(options, "circuit", circuit);
    return options;
}

static char *messages_url(const char *base, const char *account)
{
    struct mr_buf url = {0};
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/')
        len--;
    mr_buf_add(&url, base, len);
    mr_buf_text(&url, "/2010-04-01/Accounts/");
    mr_form_escape(&url, account);
    mr_buf_text(&url, "/Messages.json");
    return mr_buf_steal(&url);
}

static bool is_custom(const json_t *options)
{
    const char *kind = mr_members_text(options, "kind", NULL);

    return kind && strcmp(kind, "http") == 0;
}

static bool carries(const json_t *options, const char *channel)
{
    const char *channels = mr_members_text(options, "channels", NULL);

    if (!channels)
        channels = is_custom(options) ? "sms" : "both";
    return strcmp(channels, "both") == 0 || strcmp(channels, channel) == 0;
}

static enum mr_code check_needed(const struct mr_provider *provider, struct mr_err *err)
{
    static const char *const needed[] = {"url", "account", "token"};

    for (size_t i = 0; i < MR_COUNT(needed); i++)
        if (!mr_members_text(provider->options, needed[i], NULL))
            return mr_fail(err, MR_EINVAL,
                           "%s.%s is not configured: no provider to send messages with",
                           provider->section, needed[i]);
    return MR_OK;
}

static enum mr_code read_sender(struct mr_provider *provider, bool whatsapp, struct mr_err *err)
{
    const char *option = whatsapp ? "whatsapp_from" : "from";
    char *name = mr_asprintf("%s.%s", provider->section, option);
    enum mr_code code = MR_OK;

    provider->from = mr_members_text(provider->options, option, NULL);
    if (provider->from)
        code = mr_message_check_sender(name, provider->from, whatsapp, err);
    free(name);
    return code == MR_OK ? MR_OK : MR_EFAULT;
}

/* Fills out, which is fini'd by the caller whatever comes of it. Takes options and section. */
static enum mr_code read_provider(const char *name, char *section, json_t *options,
                                  bool whatsapp, struct mr_provider *out, struct mr_err *err)
{
    enum mr_code code;

    *out = (struct mr_provider){
        .name = name,
        .section = section,
        .options = options,
        .prefix = whatsapp ? "whatsapp:" : "",
        .account = mr_members_text(options, "account", NULL),
        .token = mr_members_text(options, "token", NULL),
        .ca_file = mr_members_text(options, "ca_file", NULL),
        .connections = (unsigned)mr_members_number(options, "connections", CONNECTIONS),
        .timeout_ms = (uint64_t)mr_members_number(options, "timeout_ms", TIMEOUT_MS),
    };
    mr_http_limits_read(options, "sms", &out->limits);
    if (strcmp(section, "sms") != 0 && (code = read_sender(out, whatsapp, err)) != MR_OK)
        return code;
    if (is_custom(options))
        return mr_custom_new(options, section, &out->custom, err);
    if ((code = check_needed(out, err)) == MR_OK)
        out->url = messages_url(mr_members_text(options, "url", NULL), out->account);
    return code;
}

/* The names in the order in which they are asked: a new reference. */
static json_t *names_of(const json_t *sms)
{
    json_t *names = json_array(), *provider;
    const char *name;

    if (json_object_get(sms, "order"))
        json_array_extend(names, json_object_get(sms, "order"));
    else if (mr_members_text(sms, "url", NULL) ||
             json_object_size(json_object_get(sms, "providers")) == 0)
        json_array_append_new(names, json_string(OWN));
    if (json_object_get(sms, "order"))
        return names;
    json_object_foreach(json_object_get(sms, "providers"), name, provider)
        json_array_append_new(names, json_string(name));
    return names;
}

static enum mr_code add_provider(json_t *sms, const char *name, const char *channel,
                                 struct mr_providers *out, struct mr_err *err)
{
    bool whatsapp = strcmp(channel, "whatsapp") == 0;
    json_t *own = json_object_get(json_object_get(sms, "providers"), name);
    json_t *options = own ? inherit(sms, own) : json_incref(sms ? sms : json_null());
    char *section = own ? mr_asprintf("sms.providers.%s", name) : mr_strdup("sms");
    const char *kept =
        own ? json_object_iter_key(json_object_iter_at(json_object_get(sms, "providers"), name))
            : OWN;

    if (carries(options, channel))
        return read_provider(kept, section, options, whatsapp, &out->at[out->n++], err);
    json_decref(options);
    free(section);
    return MR_OK;
}

enum mr_code mr_providers_read(json_t *sms, const char *channel, struct mr_providers *out,
                               struct mr_err *err)
{
    json_t *names = names_of(sms), *name;
    enum mr_code code = MR_OK;
    size_t i;

    *out = (struct mr_providers){
        .at = mr_zalloc_array(json_array_size(names) + 1, sizeof(*out->at))};
    json_array_foreach(names, i, name)
    {
        code = add_provider(sms, json_string_value(name), channel, out, err);
        if (code != MR_OK)
            break;
    }
    json_decref(names);
    if (code == MR_OK && out->n == 0)
        code = mr_fail(err, MR_EFAULT, "no provider of sms.providers carries %s (channels)",
                       channel);
    if (code != MR_OK)
        mr_providers_fini(out);
    return code;
}

void mr_providers_fini(struct mr_providers *providers)
{
    for (unsigned i = 0; i < providers->n; i++) {
        mr_custom_free(providers->at[i].custom);
        free(providers->at[i].section);
        free(providers->at[i].url);
        json_decref(providers->at[i].options);
    }
    free(providers->at);
    *providers = (struct mr_providers){0};
}

unsigned mr_providers_find(const struct mr_providers *providers, const char *name)
{
    unsigned i = 0;

    while (i < providers->n && strcmp(providers->at[i].name, name) != 0)
        i++;
    return i;
}

/* ---- one exchange ---- */

const char *mr_provider_sender(const struct mr_provider *provider,
                               const struct mr_message *message)
{
    return provider->from && !message->chosen ? provider->from : message->from;
}

static void add_number(struct mr_buf *form, const char *name, const char *prefix,
                       const char *number)
{
    char *text = mr_asprintf("%s%s", prefix, number);

    mr_form_add(form, name, text);
    free(text);
}

static void write_twilio(const struct mr_provider *provider, const struct mr_order *order,
                         struct mr_posting *out)
{
    const struct mr_message *message = order->message;

    add_number(&out->body, "To", provider->prefix, message->to);
    add_number(&out->body, "From", provider->prefix, mr_provider_sender(provider, message));
    mr_form_add(&out->body, "Body", message->text);
    if (order->callback)
        mr_form_add(&out->body, "StatusCallback", order->callback);
    out->method = "POST";
    out->url = mr_strdup(provider->url);
    mr_posting_add_header(out, mr_strdup(MR_FORM_TYPE));
    if (*order->uuid)
        mr_posting_add_header(out, mr_asprintf("Idempotency-Key: %s", order->uuid));
}

enum mr_code mr_provider_write(const struct mr_provider *provider, const struct mr_order *order,
                               struct mr_posting *out, struct mr_err *err)
{
    *out = (struct mr_posting){0};
    if (provider->custom)
        return mr_custom_write(provider->custom, order,
                               mr_provider_sender(provider, order->message), out, err);
    write_twilio(provider, order, out);
    return MR_OK;
}

void mr_provider_read(const struct mr_provider *provider, const struct mr_http_answer *answer,
                      const struct mr_message *message, struct mr_reply *out)
{
    const struct mr_reply_context context = {.section = provider->section,
                                             .message = message,
                                             .sender = mr_provider_sender(provider, message)};

    if (provider->custom)
        mr_custom_read(provider->custom, answer, &context, out);
    else
        mr_reply_read(answer, &context, out);
}
