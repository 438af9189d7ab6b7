#include "jobs/services/http_own.h"
#include "jobs/services/http_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PEER_MAX = 20 };

/* ---- the url ---- */

void mr_http_target_fini(struct mr_http_target *target)
{
    free(target->origin);
    free(target->host);
    *target = (struct mr_http_target){0};
}

/* A part of the url, the caller's to free; NULL when there is none. */
static char *part_of(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL, *copy;

    if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
        return NULL;
    copy = mr_strdup(text);
    curl_free(text);
    return copy;
}

#ifdef CURLU_PUNYCODE
enum { HOST_FLAGS = CURLU_PUNYCODE };
#else
enum { HOST_FLAGS = 0 };
#endif

enum mr_code mr_http_target_read(CURLU *url, struct mr_http_target *out, struct mr_err *err)
{
    char *scheme = part_of(url, CURLUPART_SCHEME, 0), *host = NULL, *port = NULL, *zone = NULL;
    enum mr_code code = MR_OK;

    if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        code = mr_fail(err, MR_EINVAL, "its scheme is neither http nor https");
        goto out;
    }
    host = part_of(url, CURLUPART_HOST, HOST_FLAGS);
    port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    zone = part_of(url, CURLUPART_ZONEID, 0);
    if (!host || !port || zone || strlen(host) > 255) {
        code = mr_fail(err, MR_EINVAL, "its host is none that can be called");
        goto out;
    }
    out->origin = mr_asprintf("%s://%s:%s", scheme, host, port);
    out->host = *host == '[' ? mr_strndup(host + 1, strlen(host) - 2) : mr_strdup(host);
    out->port = (unsigned)atoi(port);
    out->tls = strcmp(scheme, "https") == 0;
out:
    free(scheme);
    free(host);
    free(port);
    free(zone);
    return code;
}

static CURLU *new_url(void)
{
    CURLU *url = curl_url();

    if (!url)
        abort(); /* out of memory, as in mr_zalloc */
    return url;
}

bool mr_http_url_has_login(CURLU *url)
{
    char *user = part_of(url, CURLUPART_USER, 0);
    char *password = part_of(url, CURLUPART_PASSWORD, 0);
    bool has = user || password;

    free(user);
    free(password);
    return has;
}

/* A configured url may hold user and password; they go where the others are. */
static void take_login(struct mr_http_shape *s)
{
    if (!s->username) {
        s->username = part_of(s->url, CURLUPART_USER, CURLU_URLDECODE);
        s->password = part_of(s->url, CURLUPART_PASSWORD, CURLU_URLDECODE);
    }
    curl_url_set(s->url, CURLUPART_USER, NULL, 0);
    curl_url_set(s->url, CURLUPART_PASSWORD, NULL, 0);
}

static enum mr_code read_url(struct mr_http_shape *s, const char *url, struct mr_err *err)
{
    struct mr_err why = {0};

    if (!url || strlen(url) > MR_HTTP_URL_MAX)
        return mr_fail(err, MR_EINVAL, url ? "the url is longer than %d bytes" : "no url",
                       MR_HTTP_URL_MAX);
    CURLUcode code = curl_url_set(s->url, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (code != CURLUE_OK)
        return mr_fail(err, MR_EINVAL, "the url is refused: %s", curl_url_strerror(code));
    if (s->from_payload && mr_http_url_has_login(s->url))
        return mr_fail(err, MR_EINVAL,
                       "the url is refused: it holds a user or a password; a header can");
    take_login(s);
    if (mr_http_target_read(s->url, &s->target, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "the url is refused: %s", why.text);
    return MR_OK;
}

enum mr_code mr_http_url_host(const char *url, char **out_host, unsigned *out_port,
                              struct mr_err *err)
{
    struct mr_http_shape s = {.url = new_url()};
    enum mr_code code = read_url(&s, url, err);

    if (code == MR_OK) {
        *out_host = mr_strdup(s.target.host);
        *out_port = s.target.port;
    }
    mr_http_shape_clear(&s);
    return code;
}

/* ---- headers ---- */

void mr_http_wanted_add_header(struct mr_http_wanted *w, const char *line)
{
    struct curl_slist *list = curl_slist_append(w->headers, line);

    if (!list)
        abort(); /* out of memory, as in mr_zalloc */
    w->headers = list;
}

static enum mr_code check_and_add(struct mr_http_wanted *w, const char *line,
                                  struct mr_err *err)
{
    const char *colon = strchr(line, ':');

    if (!colon || !mr_http_is_token(line, (size_t)(colon - line)))
        return mr_fail(err, MR_EINVAL, "a header has no name in front of a colon");
    if (!mr_http_is_value(colon + 1))
        return mr_fail(err, MR_EINVAL, "header %.*s holds a line end or another control byte",
                       (int)(colon - line < 60 ? colon - line : 60), line);
    if (colon[1 + strspn(colon + 1, " \t")] != '\0') {
        mr_http_wanted_add_header(w, line);
        return MR_OK;
    }
    char *empty = mr_asprintf("%.*s;", (int)(colon - line), line); /* so curl spells no value */
    mr_http_wanted_add_header(w, empty);
    free(empty);
    return MR_OK;
}

static bool has_header(const struct mr_http_wanted *w, const char *name)
{
    size_t len = strlen(name);

    for (const struct curl_slist *h = w->headers; h; h = h->next)
        if (strncasecmp(h->data, name, len) == 0 &&
            (h->data[len] == ':' || h->data[len] == ';'))
            return true;
    return false;
}

/* What curl would add by itself and we do not want: waiting for a 100, and a type that nobody named. */
void mr_http_wanted_add_own_headers(struct mr_http_wanted *w)
{
    if (!has_header(w, "Expect"))
        mr_http_wanted_add_header(w, "Expect:");
    if (!has_header(w, "Content-Type"))
        mr_http_wanted_add_header(w, "Content-Type:");
    if (!has_header(w, "User-Agent"))
        mr_http_wanted_add_header(w, "User-Agent: millrace/" MR_VERSION);
}

static enum mr_code read_headers(struct mr_http_wanted *w,
                                 const struct mr_http_request *request, struct mr_err *err)
{
    enum mr_code code = MR_OK;

    for (size_t i = 0; code == MR_OK && request->headers && request->headers[i]; i++)
        code = check_and_add(w, request->headers[i], err);
    if (code == MR_OK && request->bearer) {
        char *line = mr_asprintf("Authorization: Bearer %s", request->bearer);

        code = check_and_add(w, line, err);
        free(line);
    }
    if (code == MR_OK)
        mr_http_wanted_add_own_headers(w);
    return code;
}

/* ---- the shape ---- */

static enum mr_code read_method(struct mr_http_shape *s, const char *method, struct mr_err *err)
{
    if (!method)
        method = s->has_body ? "POST" : "GET";
    if (!mr_http_is_token(method, strlen(method)) || strlen(method) > 20 ||
        strcasecmp(method, "CONNECT") == 0)
        return mr_fail(err, MR_EINVAL, "no such method");
    s->method = mr_strdup(method);
    return MR_OK;
}

static char **copy_texts(const char *const *texts)
{
    size_t n = 0;

    while (texts && texts[n])
        n++;
    char **copy = mr_zalloc_array(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = mr_strdup(texts[i]);
    return copy;
}

enum mr_code mr_http_shape_read(struct mr_http_shape *s, const struct mr_http_request *request,
                                struct mr_err *err)
{
    s->url = new_url();
    s->has_body = request->body.at != NULL;
    s->username = mr_strdup(request->username);
    s->password = mr_strdup(request->password);
    s->ca_file = mr_strdup(request->ca_file);
    s->allow = copy_texts(request->allow);
    s->from_payload = request->from_payload;
    enum mr_code code = read_method(s, request->method, err);
    if (code == MR_OK)
        code = read_url(s, request->url, err);
    return code;
}

void mr_http_shape_copy(struct mr_http_shape *s, const struct mr_http_shape *from)
{
    s->url = curl_url_dup(from->url);
    if (!s->url)
        abort(); /* out of memory, as in mr_zalloc */
    s->target = (struct mr_http_target){.origin = mr_strdup(from->target.origin),
                                        .host = mr_strdup(from->target.host),
                                        .port = from->target.port,
                                        .tls = from->target.tls};
    s->method = mr_strdup(from->method);
    s->has_body = from->has_body;
    s->username = mr_strdup(from->username);
    s->password = mr_strdup(from->password);
    s->ca_file = mr_strdup(from->ca_file);
    s->allow = copy_texts((const char *const *)from->allow);
    s->from_payload = from->from_payload;
}

void mr_http_shape_clear(struct mr_http_shape *s)
{
    for (size_t i = 0; s->allow && s->allow[i]; i++)
        free(s->allow[i]);
    free(s->allow);
    free(s->username);
    free(s->password);
    free(s->ca_file);
    free(s->method);
    mr_http_target_fini(&s->target);
    curl_url_cleanup(s->url);
}

static const char *const idempotent[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
enum { SAFE = 4 }; /* the first of them */

static bool is_one_of(const char *method, const char *const *methods, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

bool mr_http_shape_is_safe(const struct mr_http_shape *shape)
{
    return is_one_of(shape->method, idempotent, SAFE);
}

bool mr_http_shape_is_idempotent(const struct mr_http_shape *shape)
{
    return is_one_of(shape->method, idempotent, MR_COUNT(idempotent));
}

/* ---- the whole ---- */

enum mr_code mr_http_wanted_init(struct mr_http_wanted *out, struct mr_http_client *client,
                                 const struct mr_http_request *request, struct mr_err *err)
{
    *out = (struct mr_http_wanted){
        .peer_max = request->peer_max ? request->peer_max : PEER_MAX,
        .redirects_max = request->redirects_max,
        .limits = request->limits,
        .wait_ms = request->limits.wait_ms ? request->limits.wait_ms : request->timeout_ms,
        .timeout_ms = request->timeout_ms,
        .body_max = request->body_max,
    };
    enum mr_code code = mr_http_shape_get(client, request, &out->shape, err);
    if (code == MR_OK)
        code = read_headers(out, request, err);
    if (code == MR_OK && request->body.at)
        out->body = (struct mr_bytes){mr_strndup(request->body.at, request->body.len),
                                      request->body.len};
    if (code != MR_OK)
        mr_http_wanted_fini(out);
    return code;
}

void mr_http_wanted_fini(struct mr_http_wanted *wanted)
{
    if (wanted->shape)
        mr_http_shape_put(wanted->shape);
    curl_slist_free_all(wanted->headers);
    free((char *)wanted->body.at);
    *wanted = (struct mr_http_wanted){0};
}
