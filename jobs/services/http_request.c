#include "jobs/services/http_own.h"
#include "jobs/services/http_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { URL_MAX = 8192, PEER_MAX = 20 };

/* ---- the url ---- */

static void target_fini(struct mr_http_target *target)
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

static enum mr_code read_target(CURLU *url, struct mr_http_target *out, struct mr_err *err)
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

static bool has_login(CURLU *url)
{
    char *user = part_of(url, CURLUPART_USER, 0);
    char *password = part_of(url, CURLUPART_PASSWORD, 0);
    bool has = user || password;

    free(user);
    free(password);
    return has;
}

/* A configured url may hold user and password; they go where the others are. */
static void take_login(struct mr_http_wanted *w)
{
    if (!w->username) {
        w->username = part_of(w->url, CURLUPART_USER, CURLU_URLDECODE);
        w->password = part_of(w->url, CURLUPART_PASSWORD, CURLU_URLDECODE);
    }
    curl_url_set(w->url, CURLUPART_USER, NULL, 0);
    curl_url_set(w->url, CURLUPART_PASSWORD, NULL, 0);
}

static enum mr_code read_url(struct mr_http_wanted *w, const char *url, struct mr_err *err)
{
    struct mr_err why = {0};

    if (!url || strlen(url) > URL_MAX)
        return mr_fail(err, MR_EINVAL, url ? "the url is longer than %d bytes" : "no url",
                       URL_MAX);
    CURLUcode code = curl_url_set(w->url, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (code != CURLUE_OK)
        return mr_fail(err, MR_EINVAL, "the url is refused: %s", curl_url_strerror(code));
    if (w->from_payload && has_login(w->url))
        return mr_fail(err, MR_EINVAL,
                       "the url is refused: it holds a user or a password; a header can");
    take_login(w);
    if (read_target(w->url, &w->target, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "the url is refused: %s", why.text);
    return MR_OK;
}

enum mr_code mr_http_url_host(const char *url, char **out_host, unsigned *out_port,
                              struct mr_err *err)
{
    struct mr_http_wanted w = {.url = new_url()};
    enum mr_code code = read_url(&w, url, err);

    if (code == MR_OK) {
        *out_host = mr_strdup(w.target.host);
        *out_port = w.target.port;
    }
    mr_http_wanted_fini(&w);
    return code;
}

/* ---- method and headers ---- */

static void add_header(struct mr_http_wanted *w, const char *line)
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
        add_header(w, line);
        return MR_OK;
    }
    char *empty = mr_asprintf("%.*s;", (int)(colon - line), line); /* so curl spells no value */
    add_header(w, empty);
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
static void add_own_headers(struct mr_http_wanted *w)
{
    if (!has_header(w, "Expect"))
        add_header(w, "Expect:");
    if (!has_header(w, "Content-Type"))
        add_header(w, "Content-Type:");
    if (!has_header(w, "User-Agent"))
        add_header(w, "User-Agent: millrace/" MR_VERSION);
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
        add_own_headers(w);
    return code;
}

static enum mr_code read_method(struct mr_http_wanted *w, const char *method,
                                struct mr_err *err)
{
    if (!method)
        method = w->body.at ? "POST" : "GET";
    if (!mr_http_is_token(method, strlen(method)) || strlen(method) > 20 ||
        strcasecmp(method, "CONNECT") == 0)
        return mr_fail(err, MR_EINVAL, "no such method");
    w->method = mr_strdup(method);
    return MR_OK;
}

/* ---- the whole ---- */

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

static void copy_values(struct mr_http_wanted *w, const struct mr_http_request *request)
{
    w->url = new_url();
    if (request->body.at)
        w->body = (struct mr_bytes){mr_strndup(request->body.at, request->body.len),
                                    request->body.len};
    w->username = mr_strdup(request->username);
    w->password = mr_strdup(request->password);
    w->ca_file = mr_strdup(request->ca_file);
    w->allow = copy_texts(request->allow);
    w->peer_max = request->peer_max ? request->peer_max : PEER_MAX;
    w->redirects_max = request->redirects_max;
    w->limits = request->limits;
    w->wait_ms = request->limits.wait_ms ? request->limits.wait_ms : request->timeout_ms;
    w->timeout_ms = request->timeout_ms;
    w->body_max = request->body_max;
    w->from_payload = request->from_payload;
}

enum mr_code mr_http_wanted_init(struct mr_http_wanted *out,
                                 const struct mr_http_request *request, struct mr_err *err)
{
    *out = (struct mr_http_wanted){0};
    copy_values(out, request);
    enum mr_code code = read_method(out, request->method, err);
    if (code == MR_OK)
        code = read_url(out, request->url, err);
    if (code == MR_OK)
        code = read_headers(out, request, err);
    if (code != MR_OK)
        mr_http_wanted_fini(out);
    return code;
}

static void drop_body(struct mr_http_wanted *w)
{
    free((char *)w->body.at);
    w->body = (struct mr_bytes){0};
}

static void drop_login(struct mr_http_wanted *w)
{
    free(w->username);
    free(w->password);
    w->username = w->password = NULL;
}

void mr_http_wanted_fini(struct mr_http_wanted *wanted)
{
    for (size_t i = 0; wanted->allow && wanted->allow[i]; i++)
        free(wanted->allow[i]);
    free(wanted->allow);
    drop_body(wanted);
    drop_login(wanted);
    free(wanted->ca_file);
    free(wanted->method);
    curl_slist_free_all(wanted->headers);
    target_fini(&wanted->target);
    curl_url_cleanup(wanted->url);
    *wanted = (struct mr_http_wanted){0};
}

/* ---- a redirect ---- */

/* Anybody may see these; whatever else the caller gave may be a secret. */
static void keep_harmless_headers(struct mr_http_wanted *w)
{
    static const char *const harmless[] = {"Accept:", "Content-Type:", "User-Agent:"};
    struct curl_slist *all = w->headers;

    w->headers = NULL;
    for (const struct curl_slist *h = all; h; h = h->next)
        for (size_t i = 0; i < MR_COUNT(harmless); i++)
            if (strncasecmp(h->data, harmless[i], strlen(harmless[i])) == 0)
                add_header(w, h->data);
    curl_slist_free_all(all);
}

/* What was asked becomes "show me that". */
static void become_get(struct mr_http_wanted *w)
{
    struct curl_slist *all = w->headers;

    free(w->method);
    w->method = mr_strdup("GET");
    drop_body(w);
    w->headers = NULL;
    for (const struct curl_slist *h = all; h; h = h->next)
        if (strncasecmp(h->data, "Content-", strlen("Content-")) != 0)
            add_header(w, h->data);
    curl_slist_free_all(all);
}

static bool changes_method(const struct mr_http_wanted *w, long status)
{
    if (status == 303)
        return strcmp(w->method, "GET") != 0 && strcmp(w->method, "HEAD") != 0;
    return (status == 301 || status == 302) && strcmp(w->method, "POST") == 0;
}

enum mr_code mr_http_wanted_redirect(struct mr_http_wanted *wanted, long status,
                                     struct mr_bytes location, struct mr_err *err)
{
    char *text = mr_strndup(location.at, location.len);
    struct mr_http_target target = {0};
    struct mr_err why = {0};

    CURLUcode set = location.len > URL_MAX ? CURLUE_MALFORMED_INPUT
                                           : curl_url_set(wanted->url, CURLUPART_URL, text,
                                                          CURLU_NON_SUPPORT_SCHEME);
    free(text);
    if (set != CURLUE_OK)
        return mr_fail(err, MR_EINVAL, "redirected to what is no url");
    if (has_login(wanted->url))
        return mr_fail(err, MR_EINVAL, "redirected to a url with a user or a password");
    if (read_target(wanted->url, &target, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "redirected to a url that is refused: %s", why.text);
    bool same = strcasecmp(target.origin, wanted->target.origin) == 0;
    bool weaker = wanted->target.tls && !target.tls;
    target_fini(&wanted->target);
    wanted->target = target;
    if (weaker)
        return mr_fail(err, MR_EINVAL, "redirected out of https");
    if (!same) {
        drop_login(wanted);
        keep_harmless_headers(wanted);
    }
    if (changes_method(wanted, status))
        become_get(wanted);
    add_own_headers(wanted);
    return MR_OK;
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

bool mr_http_wanted_is_safe(const struct mr_http_wanted *wanted)
{
    return is_one_of(wanted->method, idempotent, SAFE);
}

bool mr_http_wanted_is_idempotent(const struct mr_http_wanted *wanted)
{
    return is_one_of(wanted->method, idempotent, MR_COUNT(idempotent));
}
