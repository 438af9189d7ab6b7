#include "dispatcher/http.h"

#include "dispatcher/auth.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/listen.h"
#include "dispatcher/request.h"
#include "dispatcher/routes.h"
#include "dispatcher/sizes.h"
#include "proto/base/list.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum {
    SERVERS = 2, /* the unix socket, and TCP when asked */
    CONNECTIONS_MAX = 256,
    CONNECTIONS_PER_HOST = 64,
    CONNECTION_BYTES = 32 * 1024, /* a longer head is answered with 431 */
    IDLE_S = 20,
    TOKEN_LEAST = 16
};

/* One listening socket: a libmicrohttpd daemon without a thread, turned by our loop. */
struct server {
    struct MHD_Daemon *daemon; /* NULL: not in use; owns the listening descriptor */
    struct mr_request_source source;
    uv_poll_t readable; /* on the daemon's epoll descriptor */
    uv_timer_t timer;   /* the daemon's own next deadline */
    bool again;         /* a request was resumed: the library does not wake our loop for it */
};

struct mr_http {
    struct mr_dispatcher *dispatcher;
    struct mr_access access;
    struct mr_sizes *sizes;
    struct mr_list held;
    struct server servers[SERVERS];
    char *socket_path, *port_path; /* files of ours; NULL: none */
    uv_timer_t stopper; /* the stop begins in a turn of its own, never inside a request */
    unsigned n_open;    /* uv handles that are not closed yet */
    void (*on_stopped)(void *arg);
    void *arg;
};

/* ---- turning ---- */

static void on_timer(uv_timer_t *timer);

static void turn(struct server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;

    server->again = false;
    MHD_run(server->daemon);
    if (server->again)
        uv_timer_start(&server->timer, on_timer, 0, 0);
    else if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
        uv_timer_start(&server->timer, on_timer, wait_ms, 0);
    else
        uv_timer_stop(&server->timer);
}

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    turn(poll->data);
}

/* Not at once: the answer may come out of a turn of this very server. */
static void on_resumed(void *arg)
{
    struct server *server = arg;

    server->again = true;
    uv_timer_start(&server->timer, on_timer, 0, 0);
}

/* ---- start ---- */

static void on_library_error(void *cls, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* The library's own words about a connection; they may quote the peer, so they are escaped like any value. */
static void on_library_error(void *cls, const char *format, va_list args)
{
    char line[512];

    (void)cls;
    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    mr_log_debug("http.library", "said=%s", line);
}

/* Escapes stay as they are: a path is split at its slashes before they are decoded. */
static size_t leave_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct server *server, int fd)
{
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET,           fd,                                              NULL           },
        {MHD_OPTION_CONNECTION_LIMIT,        CONNECTIONS_MAX,                                 NULL           },
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->source.local ? 0 : CONNECTIONS_PER_HOST,
         NULL                                                                                                },
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,                                NULL           },
        {MHD_OPTION_CONNECTION_TIMEOUT,      IDLE_S,                                          NULL           },
        {MHD_OPTION_STRICT_FOR_CLIENT,       1,                                               NULL           },
        {MHD_OPTION_NOTIFY_COMPLETED,        (intptr_t)mr_request_on_completed,               &server->source},
        {MHD_OPTION_UNESCAPE_CALLBACK,       (intptr_t)leave_escapes,                         NULL           },
        {MHD_OPTION_END,                     0,                                               NULL           },
    };

    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                            NULL, NULL, mr_request_on_access, &server->source,
                            MHD_OPTION_EXTERNAL_LOGGER, on_library_error, NULL,
                            MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/* Takes fd. */
static enum mr_code open_server(struct mr_http *http, struct server *server, int fd, bool local,
                                struct mr_err *err)
{
    server->source = (struct mr_request_source){
        .dispatcher = http->dispatcher,
        .sizes = http->sizes,
        .access = &http->access,
        .held = &http->held,
        .local = local,
        .run = mr_routes_run,
        .resumed = on_resumed,
        .arg = server,
    };
    struct MHD_Daemon *daemon = start_daemon(server, fd);
    if (!daemon) {
        close(fd);
        return mr_fail(err, MR_EIO, "control: the HTTP server cannot start: %s",
                       strerror(errno));
    }
    server->daemon = daemon;

    int epoll_fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    uv_timer_init(http->dispatcher->loop, &server->timer);
    uv_poll_init(http->dispatcher->loop, &server->readable, epoll_fd);
    server->timer.data = server->readable.data = server;
    uv_poll_start(&server->readable, UV_READABLE, on_readable);
    return MR_OK;
}

static enum mr_code open_local(struct mr_http *http, struct mr_err *err)
{
    const struct mr_config *config = http->dispatcher->config;
    char *path = config->control.socket ? mr_strdup(config->control.socket)
                                        : mr_asprintf("%s/control.sock", config->runtime_dir);
    int fd = -1;
    enum mr_code code = mr_listen_unix(path, &fd, err);

    if (code != MR_OK) {
        free(path);
        return code;
    }
    http->socket_path = path;
    code = open_server(http, &http->servers[0], fd, true, err);
    if (code == MR_OK)
        mr_log_info("control.listening", "socket=%s", path);
    return code;
}

/* For whoever asked for port 0: tests, and two demos on one machine. */
static void write_port(struct mr_http *http, unsigned port)
{
    http->port_path = mr_asprintf("%s/control.port", http->dispatcher->config->runtime_dir);
    int fd = open(http->port_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || dprintf(fd, "%u\n", port) < 0)
        mr_log_warn("control.port_unwritten", "path=%s error=%s", http->port_path,
                    strerror(errno));
    if (fd >= 0)
        close(fd);
}

static enum mr_code check_exposure(const struct mr_config *config,
                                   const struct mr_listen_address *address, struct mr_err *err)
{
    if (address->loopback)
        return MR_OK;
    if (!config->control.token || !config->control.token[0])
        return mr_fail(err, MR_EINVAL,
                       "control.listen: %s can be reached from outside; set control.token, or "
                       "listen on 127.0.0.1",
                       config->control.listen);
    if (strlen(config->control.token) < TOKEN_LEAST)
        return mr_fail(err, MR_EINVAL,
                       "control.token: %d characters at least where it can be tried from "
                       "outside; openssl rand -hex 16 makes one",
                       TOKEN_LEAST);
    if (!config->control.insecure)
        return mr_fail(err, MR_EINVAL,
                       "control.listen: %s can be reached from outside and the token would "
                       "travel without TLS; listen on 127.0.0.1 behind a proxy that speaks "
                       "TLS, or say control.insecure: true",
                       config->control.listen);
    return MR_OK;
}

static enum mr_code open_tcp(struct mr_http *http, struct mr_err *err)
{
    const struct mr_config *config = http->dispatcher->config;
    struct mr_listen_address address;
    unsigned port = 0;
    int fd = -1;
    enum mr_code code = mr_listen_resolve(config->control.listen, &address, err);

    if (code == MR_OK)
        code = check_exposure(config, &address, err);
    if (code == MR_OK)
        code = mr_listen_tcp(&address, &fd, &port, err);
    if (code == MR_OK) {
        http->access.listen_host = mr_strdup(address.host);
        code = open_server(http, &http->servers[1], fd, false, err);
    }
    if (code == MR_OK) {
        write_port(http, port);
        mr_log_info("control.listening", "host=%s port=%u token=%s",
                    address.host[0] ? address.host : "*", port,
                    http->access.token ? "needed" : "none");
    }
    return code;
}

/* ---- stop ---- */

static void remove_file(char *path)
{
    if (path)
        unlink(path);
    free(path);
}

static void on_closed(uv_handle_t *handle)
{
    struct mr_http *http = handle->data;

    if (--http->n_open > 0)
        return;
    void (*on_stopped)(void *arg) = http->on_stopped;
    void *arg = http->arg;
    mr_access_fini(&http->access);
    free(http);
    if (on_stopped)
        on_stopped(arg);
}

static void close_handle(struct mr_http *http, uv_handle_t *handle)
{
    handle->data = http;
    http->n_open++;
    uv_close(handle, on_closed);
}

/* What was answered a moment ago is written, then the daemon goes with its descriptors. */
static void close_server(struct mr_http *http, struct server *server)
{
    if (!server->daemon)
        return;
    MHD_run(server->daemon);
    uv_poll_stop(&server->readable);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    close_handle(http, (uv_handle_t *)&server->readable);
    close_handle(http, (uv_handle_t *)&server->timer);
}

static void stop_now(struct mr_http *http)
{
    /* Our lock on the runtime directory keeps others from having put theirs there meanwhile. */
    remove_file(http->socket_path);
    remove_file(http->port_path);
    mr_request_abandon_all(&http->held);
    for (unsigned i = 0; i < SERVERS; i++)
        close_server(http, &http->servers[i]);
    mr_sizes_free(http->sizes);
    close_handle(http, (uv_handle_t *)&http->stopper);
}

static void on_stopper(uv_timer_t *timer)
{
    stop_now(timer->data);
}

static bool is_set(const char *text)
{
    return text && text[0];
}

enum mr_code mr_http_start(struct mr_dispatcher *dispatcher, struct mr_http **out,
                           struct mr_err *err)
{
    const struct mr_config *config = dispatcher->config;
    struct mr_http *http = mr_zalloc(sizeof(*http));

    http->dispatcher = dispatcher;
    http->sizes = mr_sizes_new(dispatcher);
    http->access.token =
        is_set(config->control.token) ? mr_strdup(config->control.token) : NULL;
    http->access.own_host = mr_strdup(dispatcher->host);
    mr_list_init(&http->held);
    uv_timer_init(dispatcher->loop, &http->stopper);
    http->stopper.data = http;

    enum mr_code code = open_local(http, err);
    if (code == MR_OK && is_set(config->control.listen))
        code = open_tcp(http, err);
    if (code != MR_OK) {
        stop_now(http);
        return code;
    }
    *out = http;
    return MR_OK;
}

void mr_http_stop(struct mr_http *http, void (*on_stopped)(void *arg), void *arg)
{
    http->on_stopped = on_stopped;
    http->arg = arg;
    uv_timer_start(&http->stopper, on_stopper, 0, 0);
}
