#include "jobs/services/http_own.h"
#include "proto/base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSED_MS = 30000 };

/* ---- where it connects ---- */

static void append_address(struct mr_buf *out, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    char text[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET)
        mr_buf_text(out, inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)));
    else
        mr_buf_printf(out, "[%s]", inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)));
}

static struct curl_slist *list_of(const char *text)
{
    struct curl_slist *list = curl_slist_append(NULL, text);

    if (!list)
        abort(); /* out of memory, as in mr_zalloc */
    return list;
}

/* "alias:port:address,address" as CURLOPT_RESOLVE wants it, and "::alias:port" as CURLOPT_CONNECT_TO does. */
static void write_addresses(struct mr_http_handle *handle,
                            const struct mr_http_addresses *found, unsigned port)
{
    struct mr_buf text = {0};

    mr_buf_printf(&text, "+%s:%u:", handle->alias, port);
    for (unsigned i = 0; i < found->n; i++) {
        mr_buf_text(&text, i > 0 ? "," : "");
        append_address(&text, &found->at[i]);
    }
    handle->addresses = list_of(text.at);
    mr_buf_clear(&text);
    mr_buf_printf(&text, "::%s:%u", handle->alias, port);
    handle->connect_to = list_of(text.at);
    mr_buf_fini(&text);
}

/*
 * Whatever the url's host is called, curl connects to alias, and alias is these addresses. So it asks no name server, nothing
 * can come between our check and its connecting, and an idle connection is found again by alias alone. The
 * entry (+) is forgotten by curl after a minute; a handle that is used again tells it anew before.
 */
static void connect_to(struct mr_http_handle *handle, const struct mr_http_addresses *found,
                       const char *alias, unsigned port, uint64_t now_ms)
{
    struct curl_slist *addresses = handle->addresses, *to = handle->connect_to;

    if (addresses && strcmp(handle->alias, alias) == 0 &&
        now_ms - handle->addressed_at_ms < ADDRESSED_MS)
        return;
    snprintf(handle->alias, sizeof(handle->alias), "%s", alias);
    handle->addressed_at_ms = now_ms;
    write_addresses(handle, found, port);
    curl_easy_setopt(handle->easy, CURLOPT_RESOLVE, handle->addresses);
    curl_easy_setopt(handle->easy, CURLOPT_CONNECT_TO, handle->connect_to);
    curl_slist_free_all(addresses);
    curl_slist_free_all(to);
}

/* ---- what it sends ---- */

/* Methods whose body may be empty, but is there. */
static bool sends_body(const struct mr_http_shape *s)
{
    return s->has_body || strcmp(s->method, "POST") == 0 || strcmp(s->method, "PUT") == 0 ||
           strcmp(s->method, "PATCH") == 0;
}

static void write_method(CURL *easy, const struct mr_http_shape *s)
{
    if (sends_body(s)) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        if (strcmp(s->method, "POST") != 0)
            curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, s->method);
    } else if (strcmp(s->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, s->method);
    }
}

static void write_security(CURL *easy, const struct mr_http_shape *s)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* at least */
    if (s->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, s->ca_file);
    if (s->username) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, s->username);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, s->password ? s->password : "");
    }
    /* No proxy out of the environment, whoever gave the url: the addresses that were checked are those that are called. */
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
}

/*
 * The connection stands and the request is about to leave. When a connection that was idle before breaks without an answer, curl sends the
 * request again by itself, whatever its method; the peer may have had it by then. So a second time is for requests that may be
 * repeated, or of which not one byte has left.
 */
static int on_ready(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct mr_http_call *call = arg;
    long written = 0;

    (void)ip, (void)local_ip, (void)port, (void)local_port;
    if (call->n_attempts++ > 0 && !mr_http_shape_is_idempotent(call->wanted.shape)) {
        curl_easy_getinfo(call->handle->easy, CURLINFO_REQUEST_SIZE, &written);
        if (written > 0)
            return CURL_PREREQFUNC_ABORT;
    }
    call->sent = true;
    return CURL_PREREQFUNC_OK;
}

/* What is alike in all requests of a shape. */
static struct mr_http_handle *new_handle(const struct mr_http_shape *shape)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        return NULL;
    struct mr_http_handle *handle = mr_zalloc(sizeof(*handle));
    mr_list_init(&handle->node);
    handle->easy = easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CURLU, shape->url);
    /* Over HTTP/2 many would share a connection, and its end would say less of each. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, mr_http_on_header);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, mr_http_on_body);
    write_method(easy, shape);
    write_security(easy, shape);
    return handle;
}

/* What is this call's own. */
static void write_own(struct mr_http_call *call, uint64_t left_ms)
{
    const struct mr_http_wanted *w = &call->wanted;
    CURL *easy = call->handle->easy;

    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, w->headers);
    if (sends_body(w->shape)) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)w->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, w->body.at ? w->body.at : "");
    }
    /* The exchange has a deadline of its own; curl shares the time out among several addresses. */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_says);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &call->arriving);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &call->arriving);
}

bool mr_http_transfer_open(struct mr_http_call *call, const struct mr_http_addresses *found,
                           const char *alias, uint64_t left_ms)
{
    struct mr_http_shape *shape = call->wanted.shape;

    call->handle = mr_http_shape_take(shape);
    if (!call->handle)
        call->handle = new_handle(shape);
    if (!call->handle)
        return false;
    call->n_attempts = 0;
    call->curl_says[0] = '\0';
    mr_http_arriving_clear(&call->arriving);
    call->arriving.body_max = call->wanted.body_max;
    write_own(call, left_ms);
    connect_to(call->handle, found, alias, shape->target.port, uv_now(call->client->loop));
    return true;
}

void mr_http_handle_free(struct mr_http_handle *handle)
{
    curl_easy_cleanup(handle->easy);
    curl_slist_free_all(handle->connect_to);
    curl_slist_free_all(handle->addresses);
    free(handle);
}

/* What went wrong may have left something behind in it. */
void mr_http_transfer_close(struct mr_http_call *call)
{
    if (call->answer.end == MR_HTTP_ANSWERED && !call->answer.truncated)
        mr_http_shape_keep(call->wanted.shape, call->handle);
    else
        mr_http_handle_free(call->handle);
    call->handle = NULL;
}

/* ---- what came of it ---- */

static bool is_about_tls(CURLcode result)
{
    switch (result) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return true;
    default:
        return false;
    }
}

/* What curl says in its own words is shown for TLS alone: elsewhere they may hold a piece of the url. */
static void explain_not_sent(struct mr_http_call *call, CURLcode result)
{
    const char *origin = call->wanted.shape->target.origin;
    char *out = call->answer.trouble;
    size_t size = sizeof(call->answer.trouble);
    long error = 0;

    curl_easy_getinfo(call->handle->easy, CURLINFO_OS_ERRNO, &error);
    if (is_about_tls(result))
        snprintf(out, size, "no trusted TLS with %s: %.180s", origin,
                 *call->curl_says ? call->curl_says : curl_easy_strerror(result));
    else if (result == CURLE_COULDNT_CONNECT && error != 0)
        snprintf(out, size, "no connection to %s: %s", origin, strerror((int)error));
    else
        snprintf(out, size, "no connection to %s: %s", origin, curl_easy_strerror(result));
}

static void explain_unknown(struct mr_http_call *call, CURLcode result, long status)
{
    const char *origin = call->wanted.shape->target.origin;
    char *out = call->answer.trouble;
    size_t size = sizeof(call->answer.trouble);

    if (result == CURLE_GOT_NOTHING || result == CURLE_ABORTED_BY_CALLBACK)
        snprintf(out, size, "%s hung up without an answer", origin);
    else if (status > 0)
        snprintf(out, size, "the answer of %s broke off behind status %ld: %s", origin, status,
                 curl_easy_strerror(result));
    else
        snprintf(out, size, "no answer of %s: %s", origin, curl_easy_strerror(result));
}

static void take_answer(struct mr_http_call *call, long status)
{
    struct mr_http_arriving *a = &call->arriving;
    struct mr_http_answer *answer = &call->answer;

    mr_buf_add(&a->body, "", 0); /* never absent */
    answer->end = MR_HTTP_ANSWERED;
    answer->status = status;
    answer->body = (struct mr_bytes){a->body.at, a->body.len};
    answer->truncated = a->truncated;
    answer->headers = a->headers;
    answer->retry_after_ms =
        mr_http_retry_after_ms(mr_http_header(answer, "Retry-After"), mr_clock_wall_ms());
}

/* curl takes the end of the stream within the headers for the end of an answer without a body. */
static bool is_whole(const struct mr_http_call *call, CURLcode result)
{
    bool cut = result == CURLE_WRITE_ERROR && call->arriving.truncated;

    return (result == CURLE_OK || cut) && call->arriving.headers_over;
}

void mr_http_transfer_judge(struct mr_http_call *call, CURLcode result)
{
    bool whole = is_whole(call, result);
    long status = 0;

    curl_easy_getinfo(call->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    if (whole && status >= 100 && status <= 599) {
        take_answer(call, status);
    } else if (!call->sent) {
        call->answer.end = MR_HTTP_NOT_SENT;
        explain_not_sent(call, result);
    } else {
        call->answer.end = MR_HTTP_UNKNOWN;
        explain_unknown(call, result == CURLE_OK ? CURLE_WEIRD_SERVER_REPLY : result, status);
    }
}
