#include "jobs/services/http_own.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 256 * 1024, DAY_S = 24 * 60 * 60 };

/* A status line begins anew: what came before it was provisional. Trailers, behind the body, are nobody's headers. */
size_t mr_http_on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct mr_http_arriving *a = arg;
    size_t len = size * n, kept = len;

    a->header_bytes += len;
    if (a->header_bytes > HEADERS_MAX)
        return 0; /* ends the transfer */
    while (kept > 0 && (bytes[kept - 1] == '\r' || bytes[kept - 1] == '\n'))
        kept--;
    if (kept > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        mr_buf_clear(&a->headers);
        a->headers_over = false;
    } else if (kept == 0) {
        a->headers_over = true;
    } else if (!a->headers_over) {
        mr_buf_add(&a->headers, bytes, kept);
        mr_buf_text(&a->headers, "\r\n");
    }
    return len;
}

size_t mr_http_on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct mr_http_arriving *a = arg;
    size_t len = size * n, room = a->body_max - a->body.len;

    mr_buf_add(&a->body, bytes, len < room ? len : room);
    a->truncated = len > room;
    return a->truncated ? 0 : len;
}

void mr_http_arriving_clear(struct mr_http_arriving *arriving)
{
    mr_buf_clear(&arriving->headers);
    mr_buf_clear(&arriving->body);
    arriving->header_bytes = 0;
    arriving->headers_over = arriving->truncated = false;
}

static struct mr_bytes trimmed(struct mr_bytes text)
{
    while (text.len > 0 && (*text.at == ' ' || *text.at == '\t'))
        text.at++, text.len--;
    while (text.len > 0 && strchr(" \t\r\n", text.at[text.len - 1]))
        text.len--;
    return text;
}

struct mr_bytes mr_http_header(const struct mr_http_answer *answer, const char *name)
{
    size_t name_len = strlen(name);
    const char *line = answer->headers.at;

    while (line && *line) {
        const char *end = strstr(line, "\r\n");
        size_t len = end ? (size_t)(end - line) : strlen(line);

        if (len > name_len && line[name_len] == ':' && strncasecmp(line, name, name_len) == 0)
            return trimmed((struct mr_bytes){line + name_len + 1, len - name_len - 1});
        line = end ? end + 2 : NULL;
    }
    return (struct mr_bytes){0};
}

/* Decimal digits and nothing else; clamped, however many there are. -1: not that. */
static int64_t read_seconds(const char *text)
{
    int64_t seconds = 0;

    if (!*text || text[strspn(text, "0123456789")] != '\0')
        return -1;
    for (; *text && seconds < DAY_S; text++)
        seconds = seconds * 10 + (*text - '0');
    return seconds < DAY_S ? seconds : DAY_S;
}

int64_t mr_http_retry_after_ms(struct mr_bytes value, uint64_t now_ms)
{
    char text[64];

    if (!value.at || value.len == 0 || value.len >= sizeof(text))
        return -1;
    memcpy(text, value.at, value.len);
    text[value.len] = '\0';
    int64_t wait_s = read_seconds(text);
    /* All three forms of a date begin with the day of the week; curl would take much else for one. */
    if (wait_s < 0 && ((text[0] | 0x20) < 'a' || (text[0] | 0x20) > 'z'))
        return -1;
    if (wait_s < 0) {
        int64_t at_s = curl_getdate(text, NULL);

        if (at_s < 0)
            return -1;
        wait_s = at_s - (int64_t)(now_ms / 1000);
    }
    if (wait_s < 0)
        return 0;
    return (wait_s < DAY_S ? wait_s : DAY_S) * 1000;
}

void mr_http_answer_fini(struct mr_http_answer *answer)
{
    free((char *)answer->body.at); /* ours, as mr_http_exchange gave it */
    mr_buf_fini(&answer->headers);
    answer->body = (struct mr_bytes){0};
}
