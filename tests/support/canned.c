#include "tests/support/canned.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long the whole request is, once its head is there; else more than there is. */
static size_t whole(const char *text, size_t len)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *body = strcasestr(text, "\r\ncontent-length:");

    if (!end)
        return len + 1;
    return (size_t)(end + 4 - text) +
           (body && body < end ? (size_t)atol(body + strlen("\r\ncontent-length:")) : 0);
}

/* False at the end of the connection. */
static int read_request(struct mr_canned *canned, int fd)
{
    char *text = canned->requests[canned->n_requests % MR_CANNED_MAX];
    size_t len = 0, size = sizeof(canned->requests[0]);

    text[0] = '\0';
    while (len < whole(text, len)) {
        ssize_t n = recv(fd, text + len, size - 1 - len, 0);

        if (n <= 0)
            return 0;
        len += (size_t)n;
        text[len] = '\0';
    }
    canned->n_requests++;
    return 1;
}

static void serve(struct mr_canned *canned, int fd)
{
    while (read_request(canned, fd)) {
        unsigned n = canned->n_requests - 1;
        const char *reply = canned->replies[n < canned->n_replies ? n : canned->n_replies - 1];
        size_t len = strlen(reply);
        int bye = len == 0 || reply[len - 1] == MR_CANNED_BYE[0];

        for (size_t at = 0, end = len - (len > 0 && bye); at < end;) {
            ssize_t sent = send(fd, reply + at, end - at, MSG_NOSIGNAL);

            if (sent <= 0)
                return;
            at += (size_t)sent;
        }
        if (bye)
            return;
    }
}

static void *thread_main(void *arg)
{
    struct mr_canned *canned = arg;
    int fd;

    while ((fd = accept(canned->listener, NULL, NULL)) >= 0) {
        canned->n_connections++;
        serve(canned, fd);
        close(fd);
    }
    return NULL;
}

int mr_canned_listen(int *out_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *out_port = ntohs(at.sin_port);
    return listener;
}

void mr_canned_start(struct mr_canned *canned, const char *const *replies)
{
    memset(canned, 0, sizeof(*canned));
    while (replies[canned->n_replies]) {
        ck_assert_uint_lt(canned->n_replies, MR_CANNED_MAX);
        canned->replies[canned->n_replies] = replies[canned->n_replies];
        canned->n_replies++;
    }
    canned->listener = mr_canned_listen(&canned->port);
    ck_assert_int_eq(pthread_create(&canned->thread, NULL, thread_main, canned), 0);
}

/* Whoever called must have hung up. */
void mr_canned_stop(struct mr_canned *canned)
{
    shutdown(canned->listener, SHUT_RDWR);
    pthread_join(canned->thread, NULL);
    close(canned->listener);
}
