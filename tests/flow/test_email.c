/* email.send against a real SMTP server: what arrives, what is refused, what is tried again. */
#include "tests/support/mill.h"
#include "tests/support/scratch.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAIL_TO(address)                                                                       \
    "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":\"" address                     \
    "\",\"subject\":\"s\",\"text\":\"t\"}}"
#define PASSWORD "canary-9vX2"

static struct mr_mill mill;
static struct mr_peer sink;
static char yaml[1024];

/* A mill whose mail goes to port; more: further options of email. */
static void dispatch(int port, const char *more)
{
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], concurrency: 20, backoff: 50ms..100ms } }\n"
             "email: { url: \"smtp://127.0.0.1:%d\", from: \"Shop <shop@example.org>\", "
             "circuit: { open_for: 50ms }, %s }\n",
             port, more);
    mr_mill_dispatch(&mill, 0, 1);
}

static void start(const char *const *sink_args, const char *more)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_sink_start(&sink, mill.redis.dir, sink_args);
    dispatch(sink.port, more);
}

static void stop(void)
{
    mr_mill_stop(&mill);
    mr_peer_stop(&sink);
}

static void push(const char *payload)
{
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
}

static void await_mails(size_t n)
{
    mr_wait_for(mr_sink_count(&sink) >= n && mr_mill_is_empty(&mill, "main"), 15000);
    ck_assert_uint_eq(mr_sink_count(&sink), n);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
}

/* A member of mail n; the array holds it. */
static const char *text_of(json_t *mails, size_t n, const char *member)
{
    const char *text = json_string_value(json_object_get(json_array_get(mails, n), member));

    return text ? text : "(none)";
}

static const char *header_of(json_t *mails, size_t n, const char *name)
{
    json_t *header;
    size_t i;

    json_array_foreach(json_object_get(json_array_get(mails, n), "headers"), i, header)
    {
        if (strcasecmp(json_string_value(json_array_get(header, 0)), name) == 0)
            return json_string_value(json_array_get(header, 1));
    }
    return "(none)";
}

/* ---- what arrives ---- */

static const struct {
    const char *body, *parts;
} bodies[] = {
    {"\"text\":\"one\\ntwo \xc3\xbc\"",                                             "[[\"text/plain\", \"one\\r\\ntwo \xc3\xbc\"]]"},
    {"\"html\":\"<p>Gr\xc3\xbc\xc3\x9f"
     "e =20</p>\"",                                                            "[[\"text/html\", \"<p>Gr\xc3\xbc\xc3\x9f"
     "e =20</p>\"]]"                                                                                       },
    {"\"text\":\".\\n..\\n\\u4f60\\u597d \xf0\x9f\x90\x8e\",\"html\":\"<b>b</b>\"",
     "[[\"text/plain\", \".\\r\\n..\\r\\n\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x90\x8e\"], "
     "[\"text/html\", \"<b>b</b>\"]]"                                                                                              },
    {"\"text\":\"\"",                                                               "[[\"text/plain\", \"\"]]"                     },
};

START_TEST(a_mail_arrives_as_it_was_asked_for)
{
    char payload[600];

    start(NULL, "tls: off");
    snprintf(payload, sizeof(payload),
             "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":[\"Ann "
             "<ann@example.org>\",\"bob@example.org\"],\"bcc\":\"eve@example.org\","
             "\"reply_to\":\"help@example.org\",\"subject\":\"Gr\xc3\xbc\xc3\x9f"
             "e an alle\",%s}}",
             bodies[_i].body);
    push(payload);
    await_mails(1);
    json_t *mails = mr_peer_lines(&sink);
    ck_assert_str_eq(text_of(mails, 0, "from"), "shop@example.org");
    char *to = json_dumps(json_object_get(json_array_get(mails, 0), "to"), 0);
    ck_assert_str_eq(to, "[\"ann@example.org\", \"bob@example.org\", \"eve@example.org\"]");
    ck_assert_str_eq(header_of(mails, 0, "From"), "Shop <shop@example.org>");
    ck_assert_str_eq(header_of(mails, 0, "To"), "Ann <ann@example.org>, bob@example.org");
    ck_assert_str_eq(header_of(mails, 0, "Bcc"), "(none)");
    ck_assert_str_eq(header_of(mails, 0, "Reply-To"), "help@example.org");
    ck_assert_str_eq(header_of(mails, 0, "Subject"), "Gr\xc3\xbc\xc3\x9f"
                                                     "e an alle");
    ck_assert_str_eq(header_of(mails, 0, "Message-ID"), "<m-1@example.org>");
    ck_assert_str_eq(header_of(mails, 0, "X-Millrace-Uuid"), "m-1");
    char *parts = json_dumps(json_object_get(json_array_get(mails, 0), "parts"), 0);
    ck_assert_str_eq(parts, bodies[_i].parts);
    free(parts);
    free(to);
    json_decref(mails);
    stop();
}
END_TEST

START_TEST(many_mails_share_few_connections)
{
    enum { MAILS = 200, CONNECTIONS = 4 };
    char payload[200];

    start(NULL, "tls: off");
    for (int n = 0; n < MAILS; n++) {
        snprintf(
            payload, sizeof(payload),
            "{\"uuid\":\"m-%d\",\"job\":\"email.send\",\"data\":{\"to\":\"u%d@example.org\","
            "\"subject\":\"s\",\"text\":\"t\"}}",
            n, n);
        push(payload);
    }
    await_mails(MAILS);
    ck_assert_uint_le(mr_sink_connections(&sink), CONNECTIONS);
    stop();
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *payload, *class, *reason;
} refused[] = {
    {MAIL_TO("reject@example.org"),                                                   "failed",    "550 5.1.1 no such user here"},
    {MAIL_TO("refuse-data@example.org"),                                              "failed",    "554 5.6.0 message refused"  },
    {MAIL_TO("defer@example.org"),                                                    "exhausted", "451 4.3.0 come back later"  },
    {MAIL_TO("ann@example.org\\r\\nRCPT TO:<eve@example.org>"),                       "failed",
     "data.to must not hold a line end"                                                                                         },
    {"{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":\"a@b.c\",\"text\":\"t\","
     "\"subject\":\"s\\r\\nBcc: eve@example.org\"}}",                            "failed",    "data.subject must not hold" },
    {"{\"uuid\":\"m-1\\r\\nX: y\",\"job\":\"email.send\",\"data\":{\"to\":\"a@b.c\","
     "\"subject\":\"s\",\"text\":\"t\"}}",                                       "failed",    "uuid: only letters"         },
    {"{\"job\":\"email.send\",\"data\":{\"to\":7,\"subject\":\"s\",\"text\":\"t\"}}", "failed",
     "data.to must be a string"                                                                                                 },
    {"{\"job\":\"email.send\"}",                                                      "failed",    "data must be an object"     },
};

START_TEST(what_can_never_be_sent_is_dead_with_the_reason)
{
    start(NULL, "tls: off");
    push(refused[_i].payload);
    mr_mill_await_letter(&mill, "main", refused[_i].class, refused[_i].reason);
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    stop();
}
END_TEST

START_TEST(without_a_server_configured_a_mail_says_so)
{
    static const char no_email[] =
        "pools: { main: { queues: [main], backoff: 50ms..100ms } }\n";

    mr_mill_start(&mill, no_email, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push(MAIL_TO("ann@example.org"));
    mr_mill_await_letter(&mill, "main", "exhausted", "email.url is not configured");
    mr_mill_stop(&mill);
}
END_TEST

/* ---- templates ---- */

/* The mill's own folder holds the templates. */
static void start_with_templates(void)
{
    char options[200];

    mr_mill_start(&mill, yaml, NULL);
    mr_sink_start(&sink, mill.redis.dir, NULL);
    mr_scratch_put(mill.redis.dir, "booking.subject.mustache",
                   "Booking {{number}} confirmed\n");
    mr_scratch_put(mill.redis.dir, "booking.text.mustache",
                   "Dear {{name}},\n{{#nights}}\n- {{.}}\n{{/nights}}\n{{>footer}}\n");
    mr_scratch_put(mill.redis.dir, "booking.html.mustache",
                   "<p>Dear {{name}}</p>\n{{>footer}}\n");
    mr_scratch_put(mill.redis.dir, "footer.text.mustache", "The shop\n");
    mr_scratch_put(mill.redis.dir, "footer.html.mustache", "<hr>\n");
    snprintf(options, sizeof(options), "tls: off }\ntemplates: { dir: \"%s\"", mill.redis.dir);
    dispatch(sink.port, options);
}

START_TEST(a_template_makes_the_mail)
{
    start_with_templates();
    push("{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":\"ann@example.org\","
         "\"template\":\"booking\",\"vars\":{\"name\":\"Ann <3\",\"number\":42,"
         "\"nights\":[\"Mon\",\"Tue\"]}}}");
    await_mails(1);
    json_t *mails = mr_peer_lines(&sink);
    ck_assert_str_eq(header_of(mails, 0, "Subject"), "Booking 42 confirmed");
    char *parts = json_dumps(json_object_get(json_array_get(mails, 0), "parts"), 0);
    ck_assert_str_eq(
        parts, "[[\"text/plain\", \"Dear Ann <3,\\r\\n- Mon\\r\\n- Tue\\r\\nThe shop\\r\\n\"], "
               "[\"text/html\", \"<p>Dear Ann &lt;3</p>\\r\\n<hr>\\r\\n\"]]");
    free(parts);
    json_decref(mails);
    stop();
}
END_TEST

static const struct {
    const char *members, *class, *reason;
} without_mail[] = {
    {"\"template\":\"booking\",\"vars\":{\"number\":1}",                  "failed",
     "booking.text.mustache:1:6: {{name}} has no value"                                                           },
    {"\"template\":\"booking\",\"vars\":{\"number\":\"1\\nBcc: a@b.c\"}", "failed",
     "which would forge a header"                                                                                 },
    {"\"template\":\"boking\"",                                           "exhausted", "did you mean \"booking\"?"},
};

START_TEST(a_mail_with_holes_is_not_sent)
{
    char payload[300];

    start_with_templates();
    snprintf(
        payload, sizeof(payload),
        "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":\"ann@example.org\",%s}}",
        without_mail[_i].members);
    push(payload);
    mr_mill_await_letter(&mill, "main", without_mail[_i].class, without_mail[_i].reason);
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    stop();
}
END_TEST

START_TEST(without_a_folder_of_templates_a_mail_says_so)
{
    start(NULL, "tls: off");
    push("{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":\"ann@example.org\","
         "\"template\":\"booking\"}}");
    mr_mill_await_letter(&mill, "main", "exhausted", "templates.dir is not configured");
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    stop();
}
END_TEST

/* ---- what is tried again ---- */

START_TEST(a_mail_refused_for_now_is_sent_later_and_once)
{
    start(NULL, "tls: off");
    push(MAIL_TO("defer1-ann@example.org"));
    await_mails(1);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "451 4.3.0 come back later"));
    stop();
}
END_TEST

/* Bound and not listening: nobody answers, and nobody else can take the port. */
static int reserve_port(int *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

START_TEST(a_server_that_is_away_gets_the_mail_when_it_comes)
{
    char number[16];
    const char *const args[] = {"--fd", number, NULL};
    int port, fd = reserve_port(&port);

    mr_mill_start(&mill, yaml, NULL);
    dispatch(port, "tls: off");
    push("{\"uuid\":\"m-1\",\"job\":\"email.send\",\"maxTries\":200,\"data\":{"
         "\"to\":\"ann@example.org\",\"subject\":\"s\",\"text\":\"t\"}}");
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "could not be reached"), 10000);
    fcntl(fd, F_SETFD, 0);
    snprintf(number, sizeof(number), "%d", fd);
    mr_sink_start(&sink, mill.redis.dir, args);
    ck_assert_int_eq(sink.port, port);
    await_mails(1);
    stop();
    close(fd);
}
END_TEST

START_TEST(a_connection_cut_after_the_message_repeats_the_same_mail)
{
    start(NULL, "tls: off");
    push(MAIL_TO("drop1-ann@example.org"));
    await_mails(2); /* the server had kept the first one as well */
    json_t *mails = mr_peer_lines(&sink);
    ck_assert_str_eq(text_of(mails, 0, "message_id"), "<m-1@example.org>");
    ck_assert_str_eq(text_of(mails, 1, "message_id"), "<m-1@example.org>");
    json_decref(mails);
    stop();
}
END_TEST

START_TEST(a_slow_server_meets_the_jobs_deadline)
{
    start(NULL, "tls: off");
    push("{\"uuid\":\"m-1\",\"job\":\"email.send\",\"timeout\":1,\"maxTries\":1,\"data\":{"
         "\"to\":\"slow20000-ann@example.org\",\"subject\":\"s\",\"text\":\"t\"}}");
    uint64_t from_ms = mr_wait_now_ms();
    mr_mill_await_letter(&mill, "main", "timed_out", "ran longer than its 1s");
    ck_assert_uint_lt(mr_wait_now_ms() - from_ms, 8000);
    stop();
}
END_TEST

START_TEST(a_slow_server_meets_the_configured_timeout)
{
    start(NULL, "tls: off, timeout: 1s");
    push("{\"uuid\":\"m-1\",\"job\":\"email.send\",\"maxTries\":1,\"data\":{"
         "\"to\":\"slow20000-ann@example.org\",\"subject\":\"s\",\"text\":\"t\"}}");
    mr_mill_await_letter(&mill, "main", "exhausted", "timeout");
    stop();
}
END_TEST

START_TEST(a_server_that_hangs_holds_no_leaving_worker)
{
    start(NULL, "tls: off");
    push(MAIL_TO("ann@example.org"));
    await_mails(1); /* its connection stays open for the next mail */
    mr_proc_signal(&sink.proc, SIGSTOP);
    mr_mill_drain(&mill, 0, 8000);
    stop();
}
END_TEST

/* ---- who may see and send it ---- */

/* A password is in no log, and in nothing that Redis keeps but the jobs' own data. */
static void expect_no_password(void)
{
    ck_assert(!mr_proc_said(&mill.dispatchers[0], PASSWORD));
    redisReply *letters =
        mr_redis_ask(&mill.redis, "HVALS " MR_MILL_PREFIX "queues:main:dead:jobs");
    for (size_t i = 0; i < letters->elements; i++)
        ck_assert_ptr_null(strstr(letters->element[i]->str, PASSWORD));
    freeReplyObject(letters);
}

static const char *const with_login[] = {"--user", "shop", "--password", PASSWORD, NULL};

START_TEST(the_right_password_opens_the_door)
{
    start(with_login, "tls: off, username: shop, password: " PASSWORD);
    push(MAIL_TO("ann@example.org"));
    await_mails(1);
    json_t *mails = mr_peer_lines(&sink);
    ck_assert(json_is_true(json_object_get(json_array_get(mails, 0), "authenticated")));
    json_decref(mails);
    expect_no_password();
    stop();
}
END_TEST

static const char *const bad_logins[] = {
    "tls: off, username: shop, password: x" PASSWORD,
    "tls: off, username: stranger, password: " PASSWORD,
    "tls: off",
};

START_TEST(without_the_right_password_nothing_is_sent)
{
    start(with_login, bad_logins[_i]);
    push(MAIL_TO("ann@example.org"));
    mr_mill_await_letter(&mill, "main", "exhausted",
                         "does not let us in (email.tls, email.username");
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    expect_no_password();
    stop();
}
END_TEST

/* One row: how the server is started, what we are configured to, and the words of the refusal; NULL: the mail arrives. */
static const struct {
    const char *server, *email, *reason;
} encryptions[] = {
    {"--require-tls", "tls: starttls, ca_file: good",      NULL                       },
    {"--tls",         "tls: tls, ca_file: good",           NULL                       },
    {"--require-tls", "tls: starttls, ca_file: evil",      "no trusted TLS"           },
    {"--tls",         "tls: tls, ca_file: evil",           "no trusted TLS"           },
    {"--require-tls", "tls: starttls",                     "no trusted TLS"           },
    {NULL,            "tls: starttls, ca_file: good",      "no trusted TLS"           },
    {NULL,            "ca_file: good",                     "no trusted TLS"           },
    {NULL,            "tls: tls, ca_file: good",           ""                         },
    {"--require-tls", "tls: off",                          "530 Must issue a STARTTLS"},
    {"--require-tls", "tls: opportunistic, ca_file: good", NULL                       },
    {"--require-tls", "tls: opportunistic, ca_file: evil", "no trusted TLS"           },
};

/* "good" and "evil" stand for the files of certificates in the mill's folder. */
static void encryption_options(const char *email, char *out, size_t size)
{
    const char *ca = strstr(email, "ca_file: ");

    if (!ca)
        snprintf(out, size, "%s", email);
    else
        snprintf(out, size, "%.*sca_file: \"%s/%s.crt\"", (int)(ca - email), email,
                 mill.redis.dir, ca + strlen("ca_file: "));
}

START_TEST(a_mail_travels_as_safely_as_configured_or_not_at_all)
{
    char key[96], certificate[96], email[300];
    const char *const args[] = {"--cert", certificate, "--key", key, encryptions[_i].server,
                                NULL};

    mr_mill_start(&mill, yaml, NULL);
    mr_sink_certify(mill.redis.dir, "good");
    mr_sink_certify(mill.redis.dir, "evil");
    snprintf(key, sizeof(key), "%s/good.key", mill.redis.dir);
    snprintf(certificate, sizeof(certificate), "%s/good.crt", mill.redis.dir);
    mr_sink_start(&sink, mill.redis.dir, encryptions[_i].server ? args : NULL);
    encryption_options(encryptions[_i].email, email, sizeof(email));
    dispatch(sink.port, email);
    push(MAIL_TO("ann@example.org"));
    if (encryptions[_i].reason) {
        mr_mill_await_letter(&mill, "main", "exhausted", encryptions[_i].reason);
        ck_assert_uint_eq(mr_sink_count(&sink), 0);
    } else {
        await_mails(1);
        json_t *mails = mr_peer_lines(&sink);
        ck_assert(json_is_true(json_object_get(json_array_get(mails, 0), "tls")));
        json_decref(mails);
    }
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_mail_arrives_as_it_was_asked_for,                       MR_COUNT(bodies)      },
        {many_mails_share_few_connections,                         0                     },
        {what_can_never_be_sent_is_dead_with_the_reason,           MR_COUNT(refused)     },
        {without_a_server_configured_a_mail_says_so,               0                     },
        {a_template_makes_the_mail,                                0                     },
        {a_mail_with_holes_is_not_sent,                            MR_COUNT(without_mail)},
        {without_a_folder_of_templates_a_mail_says_so,             0                     },
        {a_mail_refused_for_now_is_sent_later_and_once,            0                     },
        {a_server_that_is_away_gets_the_mail_when_it_comes,        0                     },
        {a_connection_cut_after_the_message_repeats_the_same_mail, 0                     },
        {a_slow_server_meets_the_jobs_deadline,                    0                     },
        {a_slow_server_meets_the_configured_timeout,               0                     },
        {a_server_that_hangs_holds_no_leaving_worker,              0                     },
        {the_right_password_opens_the_door,                        0                     },
        {without_the_right_password_nothing_is_sent,               MR_COUNT(bad_logins)  },
        {a_mail_travels_as_safely_as_configured_or_not_at_all,     MR_COUNT(encryptions) },
    };

    return mr_suite_run_slow("email", tests, 60);
}
