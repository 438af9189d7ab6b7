/* What the files of the HTTP client share, and nobody else includes: the client and one exchange from the inside. */
#ifndef MR_JOBS_SERVICES_HTTP_OWN_H
#define MR_JOBS_SERVICES_HTTP_OWN_H

#include "jobs/services/http_client.h"
#include "jobs/services/http_resolve.h"
#include "proto/base/list.h"

#include <curl/curl.h>

enum { MR_HTTP_URL_MAX = 8192 }; /* bytes */

/* Where one hop of an exchange goes, as read from its url by the parser that curl itself connects by. */
struct mr_http_target {
    char *origin; /* "https://api.example.org:443": what a peer is called, also for people */
    char *host;   /* without the brackets of IPv6 */
    unsigned port;
    bool tls;
};

/*
 * All of a request but its headers, its body and its numbers, copied and checked. Requests that are alike share one, with the handles that curl
 * has been told all of it already: to a peer that is asked again and again the same way nothing is parsed, copied or set up twice. Never
 * changed while somebody shares it.
 */
struct mr_http_shape {
    struct mr_list node; /* in the client's; the one asked for last is the first */
    struct mr_http_client *client;
    unsigned refs;     /* the calls that have it, and the client unless it forgot it */
    bool known;        /* in the client's list */
    struct mr_buf key; /* what it was read from, byte by byte */
    char *method;
    bool has_body;
    CURLU *url; /* without user and password */
    struct mr_http_target target;
    char *username, *password, *ca_file;
    char **allow; /* NULL-ended */
    bool from_payload;
    struct mr_list idle; /* its handles that no call has */
    unsigned n_idle;
};

/* A request; what a redirect changes, it changes here. */
struct mr_http_wanted {
    struct mr_http_shape *shape;
    struct curl_slist *headers;
    struct mr_bytes body; /* owned */
    unsigned peer_max, redirects_max;
    struct mr_http_limits limits;
    uint64_t wait_ms, timeout_ms;
    size_t body_max;
};

/* curl's side of one transfer at a time, told all of a shape, which it points into. */
struct mr_http_handle {
    struct mr_list node; /* in its shape's idle ones */
    CURL *easy;
    struct curl_slist *connect_to, *addresses;
    uint64_t addressed_at_ms; /* when curl was given these; 0: never */
    char alias[64];           /* what they are called towards it */
};

/* An answer while it comes; one for each hop. */
struct mr_http_arriving {
    struct mr_buf headers, body;
    size_t header_bytes, body_max;
    bool headers_over, truncated;
};

struct mr_http_curl;
struct mr_http_inbox;

struct mr_http_call {
    struct mr_list node; /* in its peer's waiting ones */
    struct mr_http_client *client;
    struct mr_http_peer *peer; /* NULL: not in a queue and not under way */
    struct mr_http_wanted wanted;
    struct mr_http_arriving arriving;
    struct mr_http_handle *handle; /* NULL: not under way */
    char curl_says[CURL_ERROR_SIZE];
    bool sent;           /* bytes may have left, on this hop or one before */
    unsigned n_attempts; /* of this hop: curl repeats what a reused connection did not take */
    unsigned n_redirects;
    bool acted; /* a hop before this one may have had an effect, though it said: go elsewhere */
    bool begun; /* it had its first turn: the time of the exchange runs */
    bool probe; /* this hop asks for all, whether the peer is back */
    bool cancelled, over; /* over: answer says what is known, and done is about to be called */
    uv_timer_t timer; /* of the wait, then of the exchange; at once when cancelled or over */
    struct mr_http_answer answer;
    mr_http_done_fn *done;
    void *arg;
};

/* One scheme, host and port: who waits for a turn there, how many have one, and how it has behaved. */
struct mr_http_peer {
    struct mr_list node;
    struct mr_http_client *client;
    char *origin, *host;
    struct mr_list waiting; /* calls, the first first */
    unsigned n_waiting, n_active;
    struct mr_bucket bucket;
    uint64_t promised_ns; /* the latest moment that one who was sent away was told */
    struct mr_circuit circuit;
    const char *opened_by; /* the section whose gauge it counts in; NULL: in none */
    bool looking_up;
    uint64_t found_at_ms; /* when these were found; 0: never */
    struct mr_http_addresses found;
    char alias
        [64]; /* what this set of addresses is called towards curl: no other is ever called so */
};

struct mr_http_client {
    uv_loop_t *loop;
    struct mr_host *host; /* NULL in tests: nothing is logged or counted */
    struct mr_http_curl *curl;
    struct mr_http_resolver *resolver;
    struct mr_http_inbox *inbox;
    struct mr_list peers;
    struct mr_list shapes;
    unsigned n_shapes;
    uv_timer_t turns; /* when the next token of a peer is there */
    unsigned n_peers, n_calls;
    uint64_t n_aliases;
};

/* ---- http_client.c: a call's life ---- */

/* For tests too: without a host, and with another way of finding addresses (NULL: getaddrinfo). */
enum mr_code mr_http_client_new(uv_loop_t *loop, mr_http_getaddrinfo_fn *find,
                                struct mr_http_client **out, struct mr_err *err);
/* No exchange may be under way. Its handles close in the loop's next turn. */
void mr_http_client_close(struct mr_http_client *client);

/* What its answer will say. */
void mr_http_call_say(struct mr_http_call *call, enum mr_http_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* How it ends when no answer comes any more. */
enum mr_http_end mr_http_call_end(const struct mr_http_call *call);
/* The same where it may not be sent on. */
enum mr_http_end mr_http_call_refusal(const struct mr_http_call *call);
/* The same where we hold it back: come again in back_ms, unless something of it has left. */
void mr_http_call_hold(struct mr_http_call *call, uint64_t back_ms);
/* Its turn has come: from here on the time of the exchange runs. Again for each hop. */
void mr_http_call_begin(struct mr_http_call *call);
/* What has been said is told in the loop's next turn: who calls us may be the caller himself. */
void mr_http_call_finish_soon(struct mr_http_call *call);

/* ---- http_queue.c: turns at each peer ---- */

void mr_http_queue_open(struct mr_http_client *client);
/* It waits for its turn and for the peer's addresses, then begins. Answers nobody from inside. */
void mr_http_queue_enter(struct mr_http_call *call);
/* Out of the queue or out of curl, with an answer that says how it ended; the next one may begin. */
void mr_http_queue_leave(struct mr_http_call *call);
/* Frees the peers, and with its last handle the client. No call may be in a queue. */
void mr_http_queue_close(struct mr_http_client *client);

/* ---- http_circuit.c ---- */

/* A call is about to begin. */
void mr_http_circuit_begin(struct mr_http_call *call);
/* A call that had begun is over for its peer, as its answer says. */
void mr_http_circuit_end(struct mr_http_call *call);
/* Its circuit is open no more, or is not known any more. */
void mr_http_circuit_forget(struct mr_http_peer *peer);
/* Why nobody is let in just now: call's answer becomes that. */
void mr_http_circuit_hold(struct mr_http_call *call, const struct mr_http_peer *peer);

/* ---- http_exchange.c: where threads leave what they want of the loop ---- */

struct mr_http_inbox *mr_http_inbox_new(uv_loop_t *loop, struct mr_http_client *client);
/* No thread may be waiting. */
void mr_http_inbox_close(struct mr_http_inbox *inbox);

/* ---- http_shape.c ---- */

/* The client's one for requests like this, or a new one; the caller's until put. MR_EINVAL: err is for a person. */
enum mr_code mr_http_shape_get(struct mr_http_client *client,
                               const struct mr_http_request *request,
                               struct mr_http_shape **out, struct mr_err *err);
void mr_http_shape_put(struct mr_http_shape *shape);
/* In place of a shape that may be shared one that is not, to change at will. */
struct mr_http_shape *mr_http_shape_part(struct mr_http_shape *shape);
/* Gives a handle back to be used again by the next call of this shape, or by nobody when it has enough. */
void mr_http_shape_keep(struct mr_http_shape *shape, struct mr_http_handle *handle);
/* An idle one, the caller's; NULL when there is none. */
struct mr_http_handle *mr_http_shape_take(struct mr_http_shape *shape);
/* What the client still knows. No call may be left. */
void mr_http_shapes_close(struct mr_http_client *client);

/* ---- http_request.c ---- */

/* Fills an empty shape; one that fails is to be put all the same. */
enum mr_code mr_http_shape_read(struct mr_http_shape *shape,
                                const struct mr_http_request *request, struct mr_err *err);
/* What shape holds besides its handles. */
void mr_http_shape_clear(struct mr_http_shape *shape);
/* Into an empty one. */
void mr_http_shape_copy(struct mr_http_shape *shape, const struct mr_http_shape *from);
/* out is empty when it fails; err is for a person. */
enum mr_code mr_http_wanted_init(struct mr_http_wanted *out, struct mr_http_client *client,
                                 const struct mr_http_request *request, struct mr_err *err);
void mr_http_wanted_fini(struct mr_http_wanted *wanted);
/* Whether it only asks to be shown something (RFC 9110, 9.2.1). */
bool mr_http_shape_is_safe(const struct mr_http_shape *shape);
/* Whether sending it twice does the same as sending it once (RFC 9110, 9.2.2). */
bool mr_http_shape_is_idempotent(const struct mr_http_shape *shape);

/* ---- http_redirect.c ---- */

/*
 * Turns it into the request that answers a redirect (RFC 9110, 15.4). To another origin go neither credentials nor the headers that the
 * caller gave. MR_EINVAL when the location is none that may be followed.
 */
enum mr_code mr_http_wanted_redirect(struct mr_http_wanted *wanted, long status,
                                     struct mr_bytes location, struct mr_err *err);
/* Pieces of http_request.c that it needs. */
enum mr_code mr_http_target_read(CURLU *url, struct mr_http_target *out, struct mr_err *err);
void mr_http_target_fini(struct mr_http_target *target);
bool mr_http_url_has_login(CURLU *url);
void mr_http_wanted_add_header(struct mr_http_wanted *wanted, const char *line);
void mr_http_wanted_add_own_headers(struct mr_http_wanted *wanted);

/* ---- http_transfer.c: one hop in curl's hands ---- */

/*
 * Gives call a handle with everything set; it connects to these addresses and no others. alias names the set: a connection is used again only
 * for the same one. False when libcurl has none.
 */
bool mr_http_transfer_open(struct mr_http_call *call, const struct mr_http_addresses *found,
                           const char *alias, uint64_t left_ms);
/* Takes it from call, out of curl's hands already; one that came to a good end may serve again. */
void mr_http_transfer_close(struct mr_http_call *call);
void mr_http_handle_free(struct mr_http_handle *handle);
/* Writes call's answer, from how the transfer ended. */
void mr_http_transfer_judge(struct mr_http_call *call, CURLcode result);

/* ---- http_answer.c ---- */

/* curl's callbacks, arg is a struct mr_http_arriving. */
size_t mr_http_on_header(char *bytes, size_t size, size_t n, void *arg);
size_t mr_http_on_body(char *bytes, size_t size, size_t n, void *arg);
void mr_http_arriving_clear(struct mr_http_arriving *arriving);
/* Of a Retry-After's value at this unix time; -1 when it says nothing. */
int64_t mr_http_retry_after_ms(struct mr_bytes value, uint64_t now_ms);

#endif
