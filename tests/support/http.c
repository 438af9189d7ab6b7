#include "tests/support/http.h"

#include <check.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_WITHIN_MS = 10000 };

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    mr_buf_add(arg, bytes, size * n);
    return size * n;
}

static struct curl_slist *headers_of(const struct mr_http *request)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    char bearer[512];

    if (request->body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    if (request->token) {
        snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", request->token);
        headers = curl_slist_append(headers, bearer);
    }
    return headers;
}

void mr_http_ask(const struct mr_http *request, struct mr_http_reply *out)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = headers_of(request);
    const char *type = NULL;

    memset(out, 0, sizeof(*out));
    ck_assert_ptr_nonnull(curl);
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_WITHIN_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out->body);
    if (request->socket)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->socket);
    if (request->body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    if (request->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (curl_easy_perform(curl) == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
        curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    }
    snprintf(out->content_type, sizeof(out->content_type), "%s", type ? type : "");
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

void mr_http_reply_fini(struct mr_http_reply *answer)
{
    mr_buf_fini(&answer->body);
}

static void ask_over(const char *socket, const char *method, const char *path, const char *body,
                     struct mr_http_reply *out)
{
    char url[512];

    snprintf(url, sizeof(url), "http://localhost%s", path);
    mr_http_ask(&(struct mr_http){.socket = socket, .url = url, .method = method, .body = body},
                out);
}

long mr_http_status(const char *socket, const char *path)
{
    struct mr_http_reply answer;

    ask_over(socket, NULL, path, NULL, &answer);
    mr_http_reply_fini(&answer);
    return answer.status;
}

json_t *mr_http_json(const char *socket, const char *method, const char *path, const char *body,
                     long status)
{
    struct mr_http_reply answer;
    json_t *json = NULL;
    json_error_t error;

    ask_over(socket, method, path, body, &answer);
    ck_assert_msg(answer.status == status, "%s: status %ld, not %ld: %s", path, answer.status,
                  status, answer.body.at ? answer.body.at : "");
    if (answer.body.len) {
        json = json_loadb(answer.body.at, answer.body.len, JSON_DECODE_ANY, &error);
        ck_assert_msg(json != NULL, "%s: not JSON (%s): %s", path, error.text, answer.body.at);
    }
    mr_http_reply_fini(&answer);
    return json;
}
