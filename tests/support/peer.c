#include "tests/support/peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { START_MS = 20000, ARGS_MAX = 32 };

void mr_peer_run(struct mr_peer *peer, const char *program, const char *dir, const char *name,
                 int fd, const char *const *args)
{
    bool is_script = strcmp(strrchr(program, '.'), ".js") == 0;
    char path[256], log[160], line[80], number[16];
    const char *argv[ARGS_MAX] = {"/usr/bin/env", is_script ? "node" : "/usr/bin/python3", path,
                                  "--out", peer->out};
    size_t n = 5;

    snprintf(path, sizeof(path), MR_SOURCE_ROOT "/tests/peers/%s", program);
    snprintf(peer->out, sizeof(peer->out), "%s/%s", dir, name);
    snprintf(log, sizeof(log), "%s.log", peer->out);
    if (fd >= 0) {
        snprintf(number, sizeof(number), "%d", fd);
        argv[n++] = "--fd";
        argv[n++] = number;
    }
    for (size_t i = 0; args && args[i]; i++) {
        ck_assert_uint_lt(n + 1, ARGS_MAX);
        argv[n++] = args[i];
    }
    unlink(log); /* of one before: its port */
    peer->in = mr_proc_start_fed(&peer->proc, argv, NULL, log);
    mr_proc_line(&peer->proc, "{\"port\": ", START_MS, line, sizeof(line));
    peer->port = atoi(line + strlen("{\"port\": "));
    ck_assert_int_gt(peer->port, 0);
}

void mr_peer_stop(struct mr_peer *peer)
{
    close(peer->in);
    mr_proc_kill(&peer->proc);
}

/* A line that does not parse is still being written, or its writer was killed over it. */
json_t *mr_peer_lines(const struct mr_peer *peer)
{
    json_t *lines = json_array();
    FILE *file = fopen(peer->out, "re");
    char *text = NULL;
    size_t room = 0;

    while (file && getline(&text, &room, file) > 0) {
        json_t *line = json_loads(text, 0, NULL);

        if (line)
            json_array_append_new(lines, line);
    }
    free(text);
    if (file)
        fclose(file);
    return lines;
}

/* ---- web.py ---- */

void mr_peer_start(struct mr_peer *peer, const char *dir, const char *const *args)
{
    mr_peer_run(peer, "web.py", dir, "requests", -1, args);
}

void mr_peer_restart(struct mr_peer *peer, const char *const *args)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)peer->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* inherited: no close-on-exec */
    int on = 1;

    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    char dir[128];
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(peer->out, '/') - peer->out), peer->out);
    mr_peer_run(peer, "web.py", dir, "requests", fd, args);
    close(fd);
}

static const char *text(const json_t *request, const char *member)
{
    const char *value = json_string_value(json_object_get(request, member));

    return value ? value : "";
}

json_t *mr_peer_requests(const struct mr_peer *peer, const char *kind)
{
    json_t *lines = mr_peer_lines(peer), *requests = json_array();
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line) if (!kind || !strcmp(text(line, "kind"), kind))
        json_array_append(requests, line);
    json_decref(lines);
    return requests;
}

const char *mr_peer_seen(json_t *requests, size_t n, const char *name)
{
    json_t *line = json_array_get(requests, n);
    const char *value = json_string_value(json_object_get(line, name));

    if (!value)
        value = json_string_value(json_object_get(json_object_get(line, "headers"), name));
    return value ? value : "(none)";
}

size_t mr_peer_count(const struct mr_peer *peer, const char *kind)
{
    json_t *requests = mr_peer_requests(peer, kind);
    size_t n = json_array_size(requests);

    json_decref(requests);
    return n;
}

size_t mr_peer_effects(const struct mr_peer *peer, const char *kind, const char *key)
{
    json_t *requests = mr_peer_requests(peer, kind);
    json_t *request;
    size_t i, n = 0;

    json_array_foreach(requests, i, request)
    {
        bool meant =
            !key || !strcmp(text(request, "key"), key) || !strcmp(text(request, "uuid"), key);

        n += meant && json_is_true(json_object_get(request, "effect"));
    }
    json_decref(requests);
    return n;
}

size_t mr_peer_connections(const struct mr_peer *peer, const char *kind)
{
    json_t *requests = mr_peer_requests(peer, kind), *seen = json_object();
    json_t *request;
    size_t i, n;
    char number[24];

    json_array_foreach(requests, i, request)
    {
        snprintf(number, sizeof(number), "%lld",
                 (long long)json_integer_value(json_object_get(request, "connection")));
        json_object_set_new(seen, number, json_true());
    }
    n = json_object_size(seen);
    json_decref(seen);
    json_decref(requests);
    return n;
}

size_t mr_peer_most_open(const struct mr_peer *peer, const char *kind)
{
    json_t *requests = mr_peer_requests(peer, kind);
    json_t *request;
    size_t i, most = 0;

    json_array_foreach(requests, i, request)
    {
        size_t open = (size_t)json_integer_value(json_object_get(request, "open"));

        if (open > most)
            most = open;
    }
    json_decref(requests);
    return most;
}
