#include "ops/workerctl/api_client.h"

#include "proto/base/mem.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_S = 5, ANSWER_S = 600 };

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    mr_buf_add(arg, bytes, size * n);
    return size * n;
}

/* "http://host:port" or, for the unix socket, a name that nobody looks up. */
static char *make_url(const struct mr_api_target *target, const struct mr_api_ask *ask)
{
    const char *base = target->url ? target->url : "http://localhost";
    size_t len = strlen(base);
    struct mr_buf url = {0};

    mr_buf_add(&url, base, len > 0 && base[len - 1] == '/' ? len - 1 : len);
    mr_api_path(ask->call, ask->params, &url);
    if (ask->query && ask->query[0])
        mr_buf_printf(&url, "?%s", ask->query);
    return mr_buf_steal(&url);
}

static struct curl_slist *make_headers(const struct mr_api_target *target, bool body)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

    if (body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    if (target->token && target->url) {
        char *bearer = mr_asprintf("Authorization: Bearer %s", target->token);

        headers = curl_slist_append(headers, bearer);
        free(bearer);
    }
    return headers;
}

/* The words for a person whom nobody answers. */
static enum mr_code explain(const struct mr_api_target *target, CURLcode failed,
                            struct mr_err *err)
{
    const char *where = target->url ? target->url : target->socket;
    bool connected = failed != CURLE_COULDNT_CONNECT && failed != CURLE_COULDNT_RESOLVE_HOST &&
                     failed != CURLE_URL_MALFORMAT && failed != CURLE_UNSUPPORTED_PROTOCOL;

    if (connected)
        return mr_fail(err, MR_EUNKNOWN,
                       "%s: the answer was lost (%s); nobody knows whether it was done", where,
                       curl_easy_strerror(failed));
    return mr_fail(err, MR_EDOWN,
                   "no dispatcher answers at %s (%s)\n"
                   "start one:      millrace-dispatcher -c millrace.yaml\n"
                   "or name it:     --socket PATH, --url http://host:port, or -c with its "
                   "configuration",
                   where, curl_easy_strerror(failed));
}

static CURLcode perform(CURL *curl, const struct mr_api_target *target,
                        const struct mr_api_ask *ask, const char *body, struct mr_buf *text)
{
    char *url = make_url(target, ask);
    struct curl_slist *headers = make_headers(target, body != NULL);
    const char *method = mr_api_route(ask->call)->method;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (!target->url)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, target->socket);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_S);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, text);
    if (strcmp(method, "GET") != 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    }
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    free(url);
    return code;
}

enum mr_code mr_api_call(const struct mr_api_target *target, const struct mr_api_ask *ask,
                         struct mr_api_answer *out, struct mr_err *err)
{
    CURL *curl = curl_easy_init();
    char *body = ask->body ? json_dumps(ask->body, JSON_COMPACT) : NULL;
    struct mr_buf text = {0};
    long status = 0;

    if (!curl)
        return mr_fail(err, MR_EIO, "libcurl does not start");
    CURLcode code = perform(curl, target, ask, body, &text);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    free(body);
    if (code != CURLE_OK) {
        mr_buf_fini(&text);
        return explain(target, code, err);
    }
    *out = (struct mr_api_answer){
        .status = status,
        .json = json_loadb(text.at ? text.at : "", text.len, JSON_ALLOW_NUL, NULL),
    };
    out->text = mr_buf_steal(&text);
    return MR_OK;
}

void mr_api_answer_fini(struct mr_api_answer *answer)
{
    if (!answer)
        return;
    free(answer->text);
    json_decref(answer->json);
    *answer = (struct mr_api_answer){0};
}
