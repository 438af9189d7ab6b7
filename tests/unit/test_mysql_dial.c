/* Connecting to a server that does not let us in and does not send us away. */
#include "jobs/services/mysql_connect.h"
#include "tests/support/canned.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 1500, TRICKLE_US = 100000 };

/* What it says: first, then once after each word of ours, then byte by byte for as long as we listen. */
struct manners {
    struct mr_bytes greeting, answer;
    bool trickles;
    bool hears; /* our login arrives */
};

struct peer {
    const struct manners *manners;
    pthread_t thread;
    int listener, port;
    bool heard, saw_the_end;
};

#define BYTES(text)                                                                            \
    {                                                                                          \
        text, sizeof(text) - 1                                                                 \
    }
/* Version 10 of the protocol; the first four bytes are the length of the rest, and a number. */
#define GREETING                                                                               \
    "\x4a\0\0\0\x0a"                                                                           \
    "8.0.36\0\x07\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\x0f\x80\x15\0\0\0\0\0\0\0\0\0\0"           \
    "abcdefghijkl\0mysql_native_password\0"
/* An error of 512 bytes, of which the beginning comes. */
#define HALF_A_WORD "\0\x02\0\x02"

static const struct manners rows[] = {
    {{"", 0},         {"", 0},            false, false},
    {BYTES(GREETING), {"", 0},            false, true },
    {{"", 0},         {"", 0},            true,  false},
    {BYTES(GREETING), BYTES(HALF_A_WORD), true,  true },
};

static void say(int fd, struct mr_bytes words)
{
    if (words.len > 0)
        ck_assert_int_eq(send(fd, words.at, words.len, MSG_NOSIGNAL), (ssize_t)words.len);
}

/* A packet without end, of 64 KiB and then some. */
static void trickle(int fd)
{
    while (send(fd, "\x0a", 1, MSG_NOSIGNAL) == 1)
        usleep(TRICKLE_US);
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    char room[1024];
    int fd = accept(peer->listener, NULL, NULL);

    say(fd, peer->manners->greeting);
    if (peer->manners->hears)
        peer->heard = recv(fd, room, sizeof(room), 0) > 0;
    say(fd, peer->manners->answer);
    if (peer->manners->trickles)
        trickle(fd);
    while (recv(fd, room, sizeof(room), 0) > 0)
        continue;
    peer->saw_the_end = true;
    close(fd);
    return NULL;
}

START_TEST(who_is_silent_or_slow_is_left_in_time)
{
    struct peer peer = {.manners = &rows[_i]};
    const struct mr_mysql_login login = {
        .database = "d", .user = "u", .password = "secret", .connect_timeout_ms = WAIT_MS};
    struct mr_mysql_server server = {0};
    struct mr_err err = {0};
    MYSQL *mysql = NULL;

    peer.listener = mr_canned_listen(&peer.port);
    ck_assert_int_eq(mr_mysql_server_parse("127.0.0.1", (unsigned)peer.port, &server, &err),
                     MR_OK);
    pthread_create(&peer.thread, NULL, serve, &peer);
    ck_assert_int_eq(mr_mysql_dial(&server, &login, WAIT_MS, 0, &mysql, &err), MR_EDOWN);
    pthread_join(peer.thread, NULL); /* it ends when it was left */
    ck_assert(peer.saw_the_end);
    ck_assert_int_eq(peer.heard, rows[_i].hears);
    ck_assert_ptr_null(mysql);
    ck_assert_ptr_nonnull(strstr(err.text, server.name));
    ck_assert_ptr_nonnull(strstr(err.text, "not connected within 1500 ms"));
    close(peer.listener);
    mr_mysql_server_fini(&server);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {who_is_silent_or_slow_is_left_in_time, (int)MR_COUNT(rows)},
    };

    return mr_suite_run("mysql_dial", tests);
}
