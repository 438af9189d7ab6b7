/* An HTTP client without a worker: its loop, servers for it to call, names of its own, and what became of each call. */
#ifndef MR_TESTS_HTTP_SCENE_H
#define MR_TESTS_HTTP_SCENE_H

#include "jobs/services/http_client.h"
#include "tests/support/canned.h"
#include "tests/support/peer.h"

#include <uv.h>

enum { MR_HTTP_SCENE_CALLS = 64 };

struct mr_http_scene_result {
    struct mr_http_scene *scene;
    bool over;
    unsigned order; /* in which they ended, from 1 */
    struct mr_http_answer answer;
};

/* Zero-initialised; one a test. */
struct mr_http_scene {
    uv_loop_t loop;
    struct mr_http_client *client;
    struct mr_peer peer;
    struct mr_canned canned;
    char dir[32];
    unsigned n_asked, n_over;
    struct mr_http_scene_result results[MR_HTTP_SCENE_CALLS];
};

/*
 * The client alone. It finds one.test at 127.0.0.1; two.test there and at 127.0.0.9, where nobody listens; mixed.test there and at a
 * private address; hung.test never, until it is told to; and no other name.
 */
void mr_http_scene_open(struct mr_http_scene *scene);
/* Fails the test when a handle stays open. */
void mr_http_scene_close(struct mr_http_scene *scene);
/* A folder of the test's own. */
void mr_http_scene_make_dir(struct mr_http_scene *scene);
/* The same with tests/peers/web.py; args as it takes them. Makes the folder, unless there is one. */
void mr_http_scene_start(struct mr_http_scene *scene, const char *const *args);
void mr_http_scene_stop(struct mr_http_scene *scene);
/* The same with a peer that says these bytes. */
void mr_http_scene_start_canned(struct mr_http_scene *scene, const char *const *replies);
void mr_http_scene_stop_canned(struct mr_http_scene *scene);

/* One who asks for hung.test gets his answer. */
void mr_http_scene_answer_name(void);
/* How many names were looked up so far. */
unsigned mr_http_scene_lookups(void);

/* "http://127.0.0.1:<port><path>"; the last 8 of them are valid. */
const char *mr_http_scene_url(int port, const char *path);
/* With 10 s and room for 1 MiB. */
struct mr_http_request mr_http_scene_request(const char *url);
/* Sends it as number n; its result is results[n]. */
struct mr_http_call *mr_http_scene_begin(struct mr_http_scene *scene, unsigned n,
                                         const struct mr_http_request *request);
/* Turns the loop until n calls are over, in all; the test's own time limit bounds it. */
void mr_http_scene_await(struct mr_http_scene *scene, unsigned n);
/* Sends it and waits. For tests that number no calls themselves. */
const struct mr_http_answer *mr_http_scene_ask(struct mr_http_scene *scene,
                                               const struct mr_http_request *request);
/* It ended so, with these words in its trouble. */
void mr_http_scene_expect(const struct mr_http_answer *answer, enum mr_http_end end,
                          const char *words);

#endif
