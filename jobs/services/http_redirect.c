#include "jobs/services/http_own.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Anybody may see these; whatever else the caller gave may be a secret. */
static bool is_harmless(const char *header)
{
    static const char *const harmless[] = {"Accept:", "Content-Type:", "User-Agent:"};

    for (size_t i = 0; i < MR_COUNT(harmless); i++)
        if (strncasecmp(header, harmless[i], strlen(harmless[i])) == 0)
            return true;
    return false;
}

static bool is_not_of_body(const char *header)
{
    return strncasecmp(header, "Content-", strlen("Content-")) != 0;
}

static void keep_headers(struct mr_http_wanted *w, bool (*keeps)(const char *header))
{
    struct curl_slist *all = w->headers;

    w->headers = NULL;
    for (const struct curl_slist *h = all; h; h = h->next)
        if (keeps(h->data))
            mr_http_wanted_add_header(w, h->data);
    curl_slist_free_all(all);
}

static void drop_login(struct mr_http_shape *s)
{
    free(s->username);
    free(s->password);
    s->username = s->password = NULL;
}

/* What was asked becomes "show me that". */
static void become_get(struct mr_http_wanted *w)
{
    free(w->shape->method);
    w->shape->method = mr_strdup("GET");
    w->shape->has_body = false;
    free((char *)w->body.at);
    w->body = (struct mr_bytes){0};
    keep_headers(w, is_not_of_body);
}

static bool changes_method(const struct mr_http_shape *s, long status)
{
    if (status == 303)
        return strcmp(s->method, "GET") != 0 && strcmp(s->method, "HEAD") != 0;
    return (status == 301 || status == 302) && strcmp(s->method, "POST") == 0;
}

/* Of shape, as location changes it; out is the caller's. */
static enum mr_code read_location(struct mr_http_shape *s, struct mr_bytes location,
                                  struct mr_http_target *out, struct mr_err *err)
{
    char *text = mr_strndup(location.at, location.len);
    struct mr_err why = {0};

    CURLUcode set = location.len > MR_HTTP_URL_MAX
                        ? CURLUE_MALFORMED_INPUT
                        : curl_url_set(s->url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    free(text);
    if (set != CURLUE_OK)
        return mr_fail(err, MR_EINVAL, "redirected to what is no url");
    if (mr_http_url_has_login(s->url))
        return mr_fail(err, MR_EINVAL, "redirected to a url with a user or a password");
    if (mr_http_target_read(s->url, out, &why) != MR_OK)
        return mr_fail(err, MR_EINVAL, "redirected to a url that is refused: %s", why.text);
    return MR_OK;
}

enum mr_code mr_http_wanted_redirect(struct mr_http_wanted *wanted, long status,
                                     struct mr_bytes location, struct mr_err *err)
{
    struct mr_http_shape *s = wanted->shape = mr_http_shape_part(wanted->shape);
    struct mr_http_target target = {0};
    enum mr_code code = read_location(s, location, &target, err);

    if (code != MR_OK)
        return code;
    bool same = strcasecmp(target.origin, s->target.origin) == 0;
    bool weaker = s->target.tls && !target.tls;
    mr_http_target_fini(&s->target);
    s->target = target;
    if (weaker)
        return mr_fail(err, MR_EINVAL, "redirected out of https");
    if (!same) {
        drop_login(s);
        keep_headers(wanted, is_harmless);
    }
    if (changes_method(s, status))
        become_get(wanted);
    mr_http_wanted_add_own_headers(wanted);
    return MR_OK;
}
