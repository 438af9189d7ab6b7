#include "jobs/services/s3_sign.h"

#include "proto/base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { SUM = 32, DAY = 8, QUERY_MAX = 16 };

/* ---- sums ---- */

void mr_s3_sha256(const void *bytes, size_t len, char out[MR_S3_HEX_ROOM])
{
    unsigned char sum[SUM] = {0};

    EVP_Digest(bytes, len, sum, NULL, EVP_sha256(), NULL);
    mr_str_print_hex(sum, sizeof(sum), out);
}

static void hmac(const void *key, size_t key_len, const char *text, unsigned char out[SUM])
{
    HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out, NULL);
}

void mr_s3_date(time_t at, char out[MR_S3_DATE_ROOM])
{
    struct tm tm;

    strftime(out, MR_S3_DATE_ROOM, "%Y%m%dT%H%M%SZ", gmtime_r(&at, &tm));
}

/* ---- spelling ---- */

/* Every byte but RFC 3986's unreserved ones; a path keeps its slashes. */
static void encode(struct mr_buf *out, const char *text, bool keeps_slashes)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c < 0x80 && isalnum(*c)) || strchr("-._~", *c) || (keeps_slashes && *c == '/'))
            mr_buf_char(out, (char)*c);
        else
            mr_buf_printf(out, "%%%02X", *c);
}

static int by_name(const void *a, const void *b)
{
    const struct mr_s3_pair *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : strcmp(x->value, y->value);
}

/* Encoded first, sorted then: that is not the same where a name holds a byte above 'z' or below '0'. */
static void add_query(struct mr_buf *out, const struct mr_s3_pair *query, size_t n)
{
    struct mr_s3_pair spelled[QUERY_MAX];
    char *texts[2 * QUERY_MAX];

    assert(n <= QUERY_MAX);
    for (size_t i = 0; i < n; i++) {
        struct mr_buf name = {0}, value = {0};

        encode(&name, query[i].name, false);
        encode(&value, query[i].value, false);
        spelled[i].name = texts[2 * i] = mr_buf_steal(&name);
        spelled[i].value = texts[2 * i + 1] = mr_buf_steal(&value);
    }
    qsort(spelled, n, sizeof(*spelled), by_name);
    for (size_t i = 0; i < n; i++)
        mr_buf_printf(out, "%s%s=%s", i ? "&" : "", spelled[i].name, spelled[i].value);
    for (size_t i = 0; i < 2 * n; i++)
        free(texts[i]);
}

void mr_s3_target(const struct mr_s3_ask *ask, struct mr_buf *out)
{
    encode(out, ask->path, true);
    if (ask->n_query > 0)
        mr_buf_char(out, '?');
    add_query(out, ask->query, ask->n_query);
}

/* Without blanks around it, and with single ones within. */
static void add_trimmed(struct mr_buf *out, const char *value)
{
    bool blank = false;
    size_t from = out->len;

    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            blank = true;
            continue;
        }
        if (blank && out->len > from)
            mr_buf_char(out, ' ');
        blank = false;
        mr_buf_char(out, *value);
    }
}

/* ---- the signature ---- */

/* The headers that are signed, sorted. */
struct signed_headers {
    struct mr_s3_pair pairs[MR_S3_HEADERS_MAX];
    size_t n;
};

static void add_header(struct signed_headers *headers, const char *name, const char *value)
{
    assert(headers->n < MR_S3_HEADERS_MAX);
    headers->pairs[headers->n++] = (struct mr_s3_pair){name, value};
}

static void add_headers(struct signed_headers *headers, const struct mr_s3_ask *ask)
{
    add_header(headers, "host", ask->host);
    for (size_t i = 0; i < ask->n_headers; i++)
        add_header(headers, ask->headers[i].name, ask->headers[i].value);
}

static void sort_headers(struct signed_headers *headers)
{
    qsort(headers->pairs, headers->n, sizeof(*headers->pairs), by_name);
}

static void list_names(const struct signed_headers *headers, struct mr_buf *out)
{
    for (size_t i = 0; i < headers->n; i++)
        mr_buf_printf(out, "%s%s", i ? ";" : "", headers->pairs[i].name);
}

/* "20130524/us-east-1/s3/aws4_request" */
static void add_scope(struct mr_buf *out, const struct mr_s3_identity *who, const char *date)
{
    mr_buf_printf(out, "%.*s/%s/s3/aws4_request", DAY, date, who->region);
}

static void canonical(const struct mr_s3_ask *ask, const struct mr_s3_pair *query, size_t n,
                      const struct signed_headers *headers, struct mr_buf *out)
{
    mr_buf_printf(out, "%s\n", ask->method);
    encode(out, ask->path, true);
    mr_buf_char(out, '\n');
    add_query(out, query, n);
    mr_buf_char(out, '\n');
    for (size_t i = 0; i < headers->n; i++) {
        mr_buf_printf(out, "%s:", headers->pairs[i].name);
        add_trimmed(out, headers->pairs[i].value);
        mr_buf_char(out, '\n');
    }
    mr_buf_char(out, '\n');
    list_names(headers, out);
    mr_buf_printf(out, "\n%s", ask->sha256);
}

static void derive_key(const struct mr_s3_identity *who, const char *date,
                       unsigned char key[SUM])
{
    char day[DAY + 1], *secret = mr_asprintf("AWS4%s", who->secret);

    snprintf(day, sizeof(day), "%s", date);
    hmac(secret, strlen(secret), day, key);
    OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
    hmac(key, SUM, who->region, key);
    hmac(key, SUM, "s3", key);
    hmac(key, SUM, "aws4_request", key);
}

/* Of the canonical request. */
static void add_signature(const struct mr_s3_identity *who, const char *date,
                          const struct mr_buf *request, struct mr_buf *out)
{
    char hex[MR_S3_HEX_ROOM];
    unsigned char key[SUM];
    struct mr_buf text = {0};

    mr_s3_sha256(request->at, request->len, hex);
    mr_buf_printf(&text, ALGORITHM "\n%s\n", date);
    add_scope(&text, who, date);
    mr_buf_printf(&text, "\n%s", hex);
    derive_key(who, date, key);
    hmac(key, sizeof(key), text.at, key);
    mr_str_print_hex(key, sizeof(key), hex);
    mr_buf_text(out, hex);
    mr_buf_fini(&text);
}

void mr_s3_sign(const struct mr_s3_identity *who, const struct mr_s3_ask *ask, const char *date,
                struct mr_buf *out)
{
    struct signed_headers headers = {.n = 0};
    struct mr_buf request = {0};

    add_headers(&headers, ask);
    add_header(&headers, "x-amz-content-sha256", ask->sha256);
    add_header(&headers, "x-amz-date", date);
    if (who->token)
        add_header(&headers, "x-amz-security-token", who->token);
    sort_headers(&headers);
    canonical(ask, ask->query, ask->n_query, &headers, &request);
    mr_buf_printf(out, ALGORITHM " Credential=%s/", who->key);
    add_scope(out, who, date);
    mr_buf_text(out, ",SignedHeaders=");
    list_names(&headers, out);
    mr_buf_text(out, ",Signature=");
    add_signature(who, date, &request, out);
    mr_buf_fini(&request);
}

void mr_s3_presign(const struct mr_s3_identity *who, const struct mr_s3_ask *ask,
                   const char *date, unsigned seconds, struct mr_buf *out)
{
    struct mr_s3_pair query[QUERY_MAX];
    struct signed_headers headers = {.n = 0};
    struct mr_buf credential = {0}, names = {0}, request = {0};
    char span[16];
    size_t n = 0;

    add_headers(&headers, ask);
    sort_headers(&headers);
    list_names(&headers, &names);
    mr_buf_printf(&credential, "%s/", who->key);
    add_scope(&credential, who, date);
    snprintf(span, sizeof(span), "%u", seconds);
    assert(ask->n_query + 6 <= QUERY_MAX);
    for (; n < ask->n_query; n++)
        query[n] = ask->query[n];
    query[n++] = (struct mr_s3_pair){"X-Amz-Algorithm", ALGORITHM};
    query[n++] = (struct mr_s3_pair){"X-Amz-Credential", credential.at};
    query[n++] = (struct mr_s3_pair){"X-Amz-Date", date};
    query[n++] = (struct mr_s3_pair){"X-Amz-Expires", span};
    query[n++] = (struct mr_s3_pair){"X-Amz-SignedHeaders", names.at};
    if (who->token)
        query[n++] = (struct mr_s3_pair){"X-Amz-Security-Token", who->token};
    canonical(ask, query, n, &headers, &request);
    encode(out, ask->path, true);
    mr_buf_char(out, '?');
    add_query(out, query, n);
    mr_buf_text(out, "&X-Amz-Signature=");
    add_signature(who, date, &request, out);
    mr_buf_fini(&credential);
    mr_buf_fini(&names);
    mr_buf_fini(&request);
}
