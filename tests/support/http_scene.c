#include "tests/support/http_scene.h"

#include "jobs/services/http_own.h"

#include <check.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names: those who ask are threads that know nothing of the scene ---- */

static atomic_uint n_lookups;
static sem_t name_server; /* lets those go who ask for hung.test */

static struct addrinfo *numeric(const char *text)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;

    ck_assert_int_eq(getaddrinfo(text, NULL, &hints, &list), 0);
    return list;
}

static int find(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    static const struct {
        const char *name, *first, *second;
    } names[] = {
        {"one.test",   "127.0.0.1", NULL       },
        {"two.test",   "127.0.0.9", "127.0.0.1"},
        {"mixed.test", "127.0.0.1", "10.0.0.1" },
        {"hung.test",  "127.0.0.1", NULL       },
    };

    (void)service, (void)hints;
    atomic_fetch_add(&n_lookups, 1);
    for (size_t i = 0; i < MR_COUNT(names); i++) {
        if (strcasecmp(node, names[i].name) != 0)
            continue;
        if (strcasecmp(node, "hung.test") == 0)
            sem_wait(&name_server);
        *out = numeric(names[i].first);
        (*out)->ai_next = names[i].second ? numeric(names[i].second) : NULL;
        return 0;
    }
    return EAI_NONAME;
}

void mr_http_scene_answer_name(void)
{
    sem_post(&name_server);
}

unsigned mr_http_scene_lookups(void)
{
    return atomic_load(&n_lookups);
}

/* ---- the client and its servers ---- */

void mr_http_scene_open(struct mr_http_scene *scene)
{
    struct mr_err err = {0};

    signal(SIGPIPE, SIG_IGN);
    sem_init(&name_server, 0, 0);
    ck_assert_int_eq(uv_loop_init(&scene->loop), 0);
    ck_assert_int_eq(mr_http_client_new(&scene->loop, find, &scene->client, &err), MR_OK);
}

void mr_http_scene_close(struct mr_http_scene *scene)
{
    mr_http_client_close(scene->client);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&scene->loop), 0);
    for (unsigned i = 0; i < MR_HTTP_SCENE_CALLS; i++)
        mr_http_answer_fini(&scene->results[i].answer);
}

void mr_http_scene_make_dir(struct mr_http_scene *scene)
{
    strcpy(scene->dir, "/tmp/mr-http-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scene->dir));
}

void mr_http_scene_start(struct mr_http_scene *scene, const char *const *args)
{
    if (scene->dir[0] == '\0')
        mr_http_scene_make_dir(scene);
    mr_peer_start(&scene->peer, scene->dir, args);
    mr_http_scene_open(scene);
}

void mr_http_scene_stop(struct mr_http_scene *scene)
{
    char command[64];

    mr_http_scene_close(scene);
    mr_peer_stop(&scene->peer);
    snprintf(command, sizeof(command), "rm -r -- %s", scene->dir);
    ck_assert_int_eq(system(command), 0);
}

void mr_http_scene_start_canned(struct mr_http_scene *scene, const char *const *replies)
{
    mr_canned_start(&scene->canned, replies);
    mr_http_scene_open(scene);
}

void mr_http_scene_stop_canned(struct mr_http_scene *scene)
{
    mr_http_scene_close(scene);
    mr_canned_stop(&scene->canned);
}

/* ---- calls ---- */

static void on_done(void *arg, const struct mr_http_answer *answer)
{
    struct mr_http_scene_result *result = arg;
    struct mr_http_answer *kept = &result->answer;

    ck_assert(!result->over);
    result->over = true;
    result->order = ++result->scene->n_over;
    *kept = *answer;
    if (answer->body.at)
        kept->body.at = mr_strndup(answer->body.at, answer->body.len);
    kept->headers = (struct mr_buf){0};
    mr_buf_add(&kept->headers, answer->headers.at, answer->headers.len);
}

const char *mr_http_scene_url(int port, const char *path)
{
    static char urls[8][400];
    static unsigned n;
    char *url = urls[n++ % MR_COUNT(urls)];

    snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%d%s", port, path);
    return url;
}

struct mr_http_request mr_http_scene_request(const char *url)
{
    return (struct mr_http_request){.url = url, .timeout_ms = 10000, .body_max = 1 << 20};
}

struct mr_http_call *mr_http_scene_begin(struct mr_http_scene *scene, unsigned n,
                                         const struct mr_http_request *request)
{
    scene->results[n].scene = scene;
    return mr_http_send(scene->client, request, on_done, &scene->results[n]);
}

void mr_http_scene_await(struct mr_http_scene *scene, unsigned n)
{
    while (scene->n_over < n)
        uv_run(&scene->loop, UV_RUN_ONCE);
}

const struct mr_http_answer *mr_http_scene_ask(struct mr_http_scene *scene,
                                               const struct mr_http_request *request)
{
    unsigned n = scene->n_asked++;

    mr_http_scene_begin(scene, n, request);
    mr_http_scene_await(scene, scene->n_over + 1);
    return &scene->results[n].answer;
}

void mr_http_scene_expect(const struct mr_http_answer *answer, enum mr_http_end end,
                          const char *words)
{
    ck_assert_msg(answer->end == end, "end %d, status %ld: %s", answer->end, answer->status,
                  answer->trouble);
    ck_assert_msg(strstr(answer->trouble, words), "'%s' is not in '%s'", words,
                  answer->trouble);
    ck_assert(end == MR_HTTP_ANSWERED || answer->status == 0);
}
