#include "tests/support/smtp_scene.h"

#include "tests/support/canned.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* One connection. */
struct line_reader {
    int fd;
    char bytes[MR_SMTP_SCENE_BYTES];
    size_t len;
};

static bool say_bytes(int fd, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t sent = send(fd, bytes + at, len - at, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    return true;
}

/* Until the client hangs up; every pause_ms it is sent what. */
static void go_on(int fd, const char *what, int pause_ms)
{
    struct pollfd hung_up = {.fd = fd, .events = POLLRDHUP};

    while (poll(&hung_up, 1, pause_ms) == 0 && (!what || say_bytes(fd, what, strlen(what))))
        continue;
}

/* False: this connection is over. */
static bool say(int fd, const char *reply, const char *usual)
{
    const char *text = reply ? reply : usual;

    if (strcmp(text, MR_SMTP_HANG_UP) == 0)
        return false;
    if (strcmp(text, MR_SMTP_SILENCE) == 0)
        go_on(fd, NULL, -1);
    else if (strcmp(text, MR_SMTP_ENDLESS) == 0)
        go_on(fd, "250-and so on and so on and so on\r\n", 0);
    else if (strcmp(text, MR_SMTP_DRIBBLE) == 0)
        go_on(fd, "2", 20);
    else
        return say_bytes(fd, text, strlen(text));
    return false;
}

/* Up to and with the next end; false at the end of the connection. The caller takes it out by drop(). */
static bool read_to(struct line_reader *reader, const char *end, size_t *out_len)
{
    for (;;) {
        const char *at = memmem(reader->bytes, reader->len, end, strlen(end));

        if (at) {
            *out_len = (size_t)(at - reader->bytes) + strlen(end);
            return true;
        }
        ssize_t n = recv(reader->fd, reader->bytes + reader->len,
                         sizeof(reader->bytes) - reader->len, 0);
        if (n <= 0)
            return false;
        reader->len += (size_t)n;
    }
}

static void drop(struct line_reader *reader, size_t len)
{
    reader->len -= len;
    memmove(reader->bytes, reader->bytes + len, reader->len);
}

static bool take_message(struct mr_smtp_scene *scene, struct line_reader *reader)
{
    size_t len;

    if (!read_to(reader, "\r\n.\r\n", &len))
        return false;
    scene->n_messages++;
    scene->n_mails++;
    snprintf(scene->message, sizeof(scene->message), "%.*s", (int)len, reader->bytes);
    drop(reader, len);
    return say(reader->fd, scene->script.dot, "250 2.0.0 taken\r\n");
}

static bool answer_data(struct mr_smtp_scene *scene, struct line_reader *reader)
{
    const char *reply = scene->script.data ? scene->script.data : "354 go on\r\n";

    if (scene->script.body) {
        say(reader->fd, reply, NULL);
        say(reader->fd, scene->script.body, NULL);
        return false;
    }
    return say(reader->fd, reply, NULL) &&
           (strncmp(reply, "354", 3) != 0 || take_message(scene, reader));
}

/* LOGIN asks twice, the others once. */
static bool answer_auth(struct mr_smtp_scene *scene, struct line_reader *reader,
                        const char *line)
{
    int questions = strcasecmp(line, "AUTH LOGIN") == 0 ? 2 : 1;
    size_t at = (size_t)snprintf(scene->login, sizeof(scene->login), "%s", line), len;

    for (int n = 0; n < questions; n++) {
        if (!say(reader->fd, "334 \r\n", NULL) || !read_to(reader, "\r\n", &len))
            return false;
        at += (size_t)snprintf(scene->login + at, sizeof(scene->login) - at, " %.*s",
                               (int)len - 2, reader->bytes);
        drop(reader, len);
    }
    return say(reader->fd, scene->script.auth, "235 welcome\r\n");
}

static bool answer(struct mr_smtp_scene *scene, struct line_reader *reader, const char *line)
{
    const struct mr_smtp_script *script = &scene->script;
    bool again = scene->n_mails > 0 && script->second_mail;

    if (strncasecmp(line, "EHLO", 4) == 0)
        return say(reader->fd, script->ehlo, "250-scene\r\n250 SIZE 100000\r\n");
    if (strncasecmp(line, "HELO", 4) == 0)
        return say(reader->fd, script->ehlo, "250 scene\r\n");
    if (strncasecmp(line, "AUTH", 4) == 0)
        return answer_auth(scene, reader, line);
    if (strncasecmp(line, "MAIL", 4) == 0) {
        scene->n_rcpts = 0;
        return say(reader->fd, again ? script->second_mail : script->mail, "250 ok\r\n");
    }
    if (strncasecmp(line, "RCPT", 4) == 0) {
        unsigned n = scene->n_rcpts++;
        const char *reply = n < MR_SMTP_SCENE_RCPTS ? script->rcpt[n] : NULL;

        return say(reader->fd, reply, "250 ok\r\n");
    }
    if (strncasecmp(line, "DATA", 4) == 0)
        return answer_data(scene, reader);
    say(reader->fd, script->quit, "221 bye\r\n");
    return false;
}

static void serve(struct mr_smtp_scene *scene, int fd)
{
    struct line_reader reader = {.fd = fd};
    size_t len;

    scene->n_mails = 0;
    if (!say(fd, scene->script.banner, "220 scene\r\n"))
        return;
    while (read_to(&reader, "\r\n", &len)) {
        char *line = strndup(reader.bytes, len - 2);

        drop(&reader, len);
        bool goes_on = answer(scene, &reader, line);
        free(line);
        if (!goes_on)
            return;
    }
}

static void *thread_main(void *arg)
{
    struct mr_smtp_scene *scene = arg;
    int fd;

    while ((fd = accept(scene->listener, NULL, NULL)) >= 0) {
        scene->n_connections++;
        serve(scene, fd);
        close(fd);
    }
    return NULL;
}

void mr_smtp_scene_start(struct mr_smtp_scene *scene, const struct mr_smtp_script *script)
{
    *scene = (struct mr_smtp_scene){.script = *script};
    scene->listener = mr_canned_listen(&scene->port);
    ck_assert_int_eq(pthread_create(&scene->thread, NULL, thread_main, scene), 0);
}

void mr_smtp_scene_stop(struct mr_smtp_scene *scene)
{
    shutdown(scene->listener, SHUT_RDWR);
    pthread_join(scene->thread, NULL);
    close(scene->listener);
}
