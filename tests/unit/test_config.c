#include "proto/config.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a test is about: a file's text, the variables, what came out. */
static struct mr_config *config;
static struct mr_config_errors errors;
static const char *const no_variables[] = {"HOME=/root", NULL};

static void load_good(const char *yaml, const char *const *environment)
{
    enum mr_code code = mr_scratch_load(yaml, environment, &config, &errors);

    ck_assert_msg(code == MR_OK, "%s", errors.n_lines ? errors.lines[0] : "?");
    ck_assert_uint_eq(errors.n_lines, 0);
}

static void done(void)
{
    mr_config_free(config);
    config = NULL;
    mr_config_errors_fini(&errors);
}

START_TEST(nothing_configured_is_one_pool_and_the_defaults)
{
    ck_assert_int_eq(mr_config_load(NULL, no_variables, &config, &errors), MR_OK);
    ck_assert_str_eq(config->source, "environment");
    ck_assert_str_eq(config->redis.url, "redis://127.0.0.1:6379/0");
    ck_assert_str_eq(config->redis.prefix, "");
    ck_assert_ptr_null(config->redis.password);
    ck_assert_uint_eq(config->lease_ms, 10000);
    ck_assert_uint_eq(config->grace_ms, 30000);
    ck_assert_uint_eq(config->limits.payload_bytes, 8 << 20);
    ck_assert_uint_eq(config->limits.depth, 64);
    ck_assert_int_eq(config->log.level, MR_LOG_INFO);
    ck_assert_int_eq(config->log.format, MR_LOG_TEXT);
    ck_assert_ptr_null(config->control.listen);
    ck_assert(!config->debug_jobs);
    ck_assert_uint_eq(config->dead.keep_ms, UINT64_C(180) * 86400 * 1000);
    ck_assert_uint_eq(config->dead.max, 100000);
    ck_assert_uint_eq(config->n_modules, 0);
    ck_assert_uint_eq(config->n_pools, 1);
    const struct mr_pool_config *pool = mr_config_pool(config, "default");
    ck_assert_ptr_eq(pool, &config->pools[0]);
    ck_assert_uint_eq(pool->n_queues, 1);
    ck_assert_str_eq(pool->queues[0], "default");
    ck_assert_uint_eq(pool->weights[0], 1);
    ck_assert_uint_eq(pool->max_wait_ms, 60000);
    ck_assert_uint_eq(pool->processes, 1);
    ck_assert_uint_eq(pool->concurrency, 10);
    ck_assert_uint_eq(pool->threads, 10);
    ck_assert_uint_eq(pool->policy.tries, 3);
    ck_assert_uint_eq(pool->policy.timeout_ms, 60000);
    ck_assert_uint_eq(pool->policy.backoff.base_ms, 1000);
    ck_assert_uint_eq(pool->policy.backoff.cap_ms, 3600000);
    ck_assert_uint_eq(pool->policy.backoff.jitter_pct, 100);
    ck_assert_uint_eq(pool->policy.n_backoff, 0);
    ck_assert_uint_eq(pool->policy.max_crashes, 3);
    ck_assert_int_eq(pool->nice, 0);
    ck_assert_int_eq(pool->balance, MR_BALANCE_STRICT);
    ck_assert_ptr_null(mr_config_pool(config, "high"));
    done();
}
END_TEST

static const char full[] =
    "redis: {url: \"redis://u:p%40ss@h:6380/2\", prefix: askproai_, username: app,\n"
    "        password: 'a \"b\" \\ $${c}', connect_timeout: 2s, reply_timeout: 1m30s}\n"
    "lease: 20s\n"
    "grace: 5\n"
    "pools:\n"
    "  high:    {queues: [critical, high], processes: 3, concurrency: 40, nice: -5}\n"
    "  default: {processes: 5, concurrency: 20, threads: 7, tries: 0, timeout: 0}\n"
    "  low:     {queues: [\"low:3\", reports, '{tag}:2'], balance_queues: weighted,\n"
    "            processes: 2, backoff: [10, 30, 1m], max_wait: 30s, max_jobs: 1000,\n"
    "            max_age: 1h, max_rss: 512MiB, max_crashes: 2, preload: [email]}\n"
    "limits: {payload: 1MiB, depth: 32}\n"
    "control: {socket: /tmp/s, listen: 127.0.0.1:9090, token: t0ken}\n"
    "log: {level: debug, format: json}\n"
    "runtime_dir: /tmp/r\n"
    "worker_program: /bin/w\n"
    "modules: [/a.so, /b.so]\n"
    "debug_jobs: true\n"
    "dead: {keep: 1d, max: 5}\n"
    "jobs:\n"
    "  import.csv: {command: [php, 'a b', ''], ok: [0, 3], retry: 75, timeout: 5m, tries: 4,\n"
    "               env: {TOKEN: s3cret}, dir: /srv}\n"
    "  App\\Jobs\\X: {handler: mine}\n"
    "email: {url: \"smtp://me:pw@mail:25\", from: a@b, tls: off, timeout: 10s, password: pw2}\n"
    "mysql: {pool: {min: 1, max: 2}}\n"
    "storage: {path: /data}\n"
    "reports: {dir: /rep}\n";

static void check_root_of_full(void)
{
    ck_assert_str_eq(config->redis.url, "redis://u:p%40ss@h:6380/2");
    ck_assert_str_eq(config->redis.prefix, "askproai_");
    ck_assert_str_eq(config->redis.username, "app");
    ck_assert_str_eq(config->redis.password, "a \"b\" \\ ${c}");
    ck_assert_uint_eq(config->redis.connect_timeout_ms, 2000);
    ck_assert_uint_eq(config->redis.reply_timeout_ms, 90000);
    ck_assert_uint_eq(config->lease_ms, 20000);
    ck_assert_uint_eq(config->grace_ms, 5000);
    ck_assert_uint_eq(config->limits.payload_bytes, 1 << 20);
    ck_assert_uint_eq(config->limits.depth, 32);
    ck_assert_str_eq(config->control.socket, "/tmp/s");
    ck_assert_str_eq(config->control.listen, "127.0.0.1:9090");
    ck_assert_str_eq(config->control.token, "t0ken");
    ck_assert(!config->control.insecure);
    ck_assert_int_eq(config->log.level, MR_LOG_DEBUG);
    ck_assert_int_eq(config->log.format, MR_LOG_JSON);
    ck_assert_str_eq(config->runtime_dir, "/tmp/r");
    ck_assert_str_eq(config->worker_program, "/bin/w");
    ck_assert_uint_eq(config->n_modules, 2);
    ck_assert_str_eq(config->modules[1], "/b.so");
    ck_assert(config->debug_jobs);
    ck_assert_uint_eq(config->dead.keep_ms, 86400000);
    ck_assert_uint_eq(config->dead.max, 5);
}

static void check_pools_of_full(void)
{
    ck_assert_uint_eq(config->n_pools, 3);
    const struct mr_pool_config *high = &config->pools[0], *middle = &config->pools[1],
                                *low = &config->pools[2];

    ck_assert_str_eq(high->name, "high");
    ck_assert_uint_eq(high->n_queues, 2);
    ck_assert_str_eq(high->queues[0], "critical");
    ck_assert_str_eq(high->queues[1], "high");
    ck_assert_uint_eq(high->processes, 3);
    ck_assert_uint_eq(high->concurrency, 40);
    ck_assert_uint_eq(high->threads, 20);
    ck_assert_int_eq(high->nice, -5);
    ck_assert_str_eq(middle->name, "default");
    ck_assert_str_eq(middle->queues[0], "default");
    ck_assert_uint_eq(middle->threads, 7);
    ck_assert_uint_eq(middle->policy.tries, 0);
    ck_assert_uint_eq(middle->policy.timeout_ms, 0);
    ck_assert_str_eq(low->queues[0], "low");
    ck_assert_str_eq(low->queues[2], "{tag}");
    ck_assert_uint_eq(low->weights[0], 3);
    ck_assert_uint_eq(low->weights[1], 1);
    ck_assert_uint_eq(low->weights[2], 2);
    ck_assert_int_eq(low->balance, MR_BALANCE_WEIGHTED);
    ck_assert_uint_eq(low->policy.n_backoff, 3);
    ck_assert_uint_eq(low->policy.backoff_s[2], 60);
    ck_assert_uint_eq(low->max_wait_ms, 30000);
    ck_assert_uint_eq(low->max_jobs, 1000);
    ck_assert_uint_eq(low->max_age_ms, 3600000);
    ck_assert_uint_eq(low->max_rss_bytes, UINT64_C(512) << 20);
    ck_assert_uint_eq(low->policy.max_crashes, 2);
    ck_assert_uint_eq(low->n_preload, 1);
    ck_assert_str_eq(low->preload[0], "email");
}

START_TEST(everything_configured_arrives)
{
    load_good(full, no_variables);
    check_root_of_full();
    check_pools_of_full();
    done();
}
END_TEST

START_TEST(a_job_without_a_command_may_have_its_own_policy)
{
    load_good("jobs: {email.send: {tries: 5, timeout: 5s}}\n", no_variables);
    char *got = json_dumps(json_object_get(config->sections, "jobs"), JSON_SORT_KEYS);
    ck_assert_str_eq(got,
                     "{\"email.send\": {\"ok\": [0], \"timeout_ms\": 5000, \"tries\": 5}}");
    free(got);
    done();
}
END_TEST

/* One row: a section, and what a module finds in it. */
static const struct {
    const char *section, *want;
} sections[] = {
    {"email",     "{\"again_ms\":60000,\"auth\":\"auto\",\"circuit\":{\"failures\":3,"
              "\"open_for_ms\":10000},\"connect_timeout_ms\":10000,\"connections\":4,"
              "\"from\":\"a@b\",\"max_recipients\":100,\"max_size_bytes\":26214400,"
              "\"password\":\"pw2\",\"timeout_ms\":10000,\"tls\":\"off\","
              "\"unknown\":\"retry\",\"url\":\"smtp://me:pw@mail:25\"}"},
    {"jobs",      "{\"App\\\\Jobs\\\\X\":{\"handler\":\"mine\",\"ok\":[0]},\"import.csv\":{"
             "\"command\":[\"php\","
             "\"a "
             "b\",\"\"],\"dir\":\"/"
             "srv\",\"env\":{\"TOKEN\":\"s3cret\"},\"handler\":\"exec\",\"ok\":[0,3],"
             "\"retry\":[75],\"timeout_ms\":300000,\"tries\":4}}"       },
    {"storage",   "{\"kind\":\"local\",\"path\":\"/data\",\"quota_bytes\":0,\"s3\":{"
                "\"part_size_bytes\":67108864,\"path_style\":false,\"region\":\"us-east-1\","
                "\"spool\":\"/var/tmp\",\"timeout_ms\":30000}}"      },
    {"billing",   "{\"catch_up\":\"each\",\"credit_series\":\"CN\",\"dunning\":[3,7,14],"
                "\"mail_template\":\"invoice\","
                "\"number\":\"{series}-{number:6}\",\"series\":\"INV\",\"timezone\":\"UTC\","
                "\"yearly\":false}"                                  },
    {"templates", "null"                                                            },
};

START_TEST(modules_see_sections_with_units_and_defaults)
{
    load_good(full, no_variables);
    json_t *section = json_object_get(config->sections, sections[_i].section);
    char *got = section ? json_dumps(section, JSON_SORT_KEYS | JSON_COMPACT) : NULL;

    ck_assert_str_eq(got ? got : "null", sections[_i].want);
    free(got);
    done();
}
END_TEST

START_TEST(variables_and_files_are_resolved_as_text)
{
    char secret[] = "/tmp/test_secret_XXXXXX", yaml[512];
    const char *const environment[] = {"A=x: [y", "EMPTY=", "DIR=/tmp", NULL};
    int fd = mkstemp(secret);

    ck_assert_int_eq(write(fd, "p: {w}\r\n", 8), 8);
    close(fd);
    snprintf(yaml, sizeof(yaml),
             "redis: {prefix: '<${A}|${NONE:-d}|${EMPTY:-e}|$${A}|$5>', password: file:%s,\n"
             "        username: '${EMPTY}'}\n"
             "email: {url: 'smtp://file:/x', password: 'file:${DIR}%s'}\n"
             "storage: {path: 'file:///x'}\n",
             secret, secret + 4);
    load_good(yaml, environment);
    unlink(secret);
    ck_assert_str_eq(config->redis.prefix, "<x: [y|d|e|${A}|$5>");
    ck_assert_str_eq(config->redis.password, "p: {w}");
    ck_assert_ptr_null(config->redis.username);
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(config->sections, "email"), "password")),
                     "p: {w}");
    ck_assert_str_eq(json_string_value(
                         json_object_get(json_object_get(config->sections, "storage"), "path")),
                     "file:///x");
    done();
}
END_TEST

START_TEST(the_environment_wins_over_the_file)
{
    const char *const environment[] = {"MILLRACE_REDIS_URL=redis://other",
                                       "MILLRACE_REDIS_PASSWORD=a${b",
                                       "MILLRACE_REDIS_CONNECT_TIMEOUT=1s",
                                       "MILLRACE_LEASE=",
                                       "MILLRACE_LOG_LEVEL=warn",
                                       "MILLRACE_MODULES=/a.so, /b.so",
                                       "MILLRACE_EMAIL_TLS=tls",
                                       "MILLRACE_POOLS_US_EAST_1_PROCESSES=4",
                                       "MILLRACE_POOLS_LOW_QUEUES=low,reports",
                                       "MILLRACE_POOLS_LOW_MAX_WAIT=9s",
                                       "MILLRACE_POOLS_LOW_BACKOFF=10,30",
                                       "XMILLRACE_GRACE=1s",
                                       NULL};

    load_good("redis: {url: redis://one, prefix: p_}\nlease: 5s\n"
              "pools: {us-east.1: {processes: 1, tries: 9}}\n",
              environment);
    ck_assert_str_eq(config->redis.url, "redis://other");
    ck_assert_str_eq(config->redis.prefix, "p_");
    ck_assert_str_eq(config->redis.password, "a${b");
    ck_assert_uint_eq(config->redis.connect_timeout_ms, 1000);
    ck_assert_uint_eq(config->lease_ms, 5000);
    ck_assert_uint_eq(config->grace_ms, 30000);
    ck_assert_int_eq(config->log.level, MR_LOG_WARN);
    ck_assert_uint_eq(config->n_modules, 2);
    ck_assert_str_eq(config->modules[1], "/b.so");
    ck_assert_str_eq(
        json_string_value(json_object_get(json_object_get(config->sections, "email"), "tls")),
        "tls");
    ck_assert_uint_eq(config->n_pools, 2);
    ck_assert_uint_eq(mr_config_pool(config, "us-east.1")->processes, 4);
    ck_assert_uint_eq(mr_config_pool(config, "us-east.1")->policy.tries, 9);
    ck_assert_uint_eq(mr_config_pool(config, "low")->n_queues, 2);
    ck_assert_uint_eq(mr_config_pool(config, "low")->max_wait_ms, 9000);
    ck_assert_uint_eq(mr_config_pool(config, "low")->policy.n_backoff, 2);
    done();
}
END_TEST

START_TEST(millrace_pools_alone_makes_one_pool)
{
    const char *const environment[] = {"MILLRACE_POOLS=critical, high", "MILLRACE_PROCESSES=3",
                                       "MILLRACE_CONCURRENCY=7", NULL};

    load_good("pools: {other: {}}\n", environment);
    ck_assert_uint_eq(config->n_pools, 1);
    ck_assert_str_eq(config->pools[0].name, "critical");
    ck_assert_uint_eq(config->pools[0].n_queues, 2);
    ck_assert_str_eq(config->pools[0].queues[1], "high");
    ck_assert_uint_eq(config->pools[0].processes, 3);
    ck_assert_uint_eq(config->pools[0].concurrency, 7);
    done();
}
END_TEST

START_TEST(a_pools_own_variable_wins_over_the_common_one)
{
    const char *const environment[] = {"MILLRACE_POOLS_DEFAULT_PROCESSES=4",
                                       "MILLRACE_PROCESSES=3", NULL};

    load_good("", environment);
    ck_assert_uint_eq(mr_config_pool(config, "default")->processes, 4);
    done();
}
END_TEST

START_TEST(variables_of_others_are_let_be)
{
    const char *const environment[] = {"MILLRACE_SOCKET=/x",
                                       "MILLRACE_UUID=x",
                                       "MILLRACE_PORT=tcp://10.0.0.1:9090",
                                       "MILLRACE_PORT_9090_TCP_ADDR=10.0.0.1",
                                       "MILLRACE_REDIS_SERVICE_HOST=10.0.0.1",
                                       "MILLRACE_REDIS_PORT=tcp://10.0.0.1:6379",
                                       "MILLRACE_SOMETHING_ELSE=1",
                                       "MILLRACE_SMTP_URL=smtp://mail",
                                       NULL};

    load_good("email: {url: '${MILLRACE_SMTP_URL}'}\n", environment);
    done();
}
END_TEST

static struct mr_config *parse(const char *text, size_t len)
{
    struct mr_config *parsed = NULL;

    enum mr_code code = mr_config_parse(text, len, "fd 5", &parsed, &errors);
    ck_assert_msg(code == MR_OK, "%s", errors.n_lines ? errors.lines[0] : "?");
    return parsed;
}

START_TEST(what_is_printed_reads_back_exactly)
{
    struct mr_buf once = {0}, twice = {0};

    load_good(_i ? full : "", no_variables);
    mr_config_print(config, true, &once);
    struct mr_config *again = parse(once.at, once.len);
    ck_assert(json_equal(again->values, config->values));
    ck_assert(json_equal(again->sections, config->sections));
    ck_assert_uint_eq(mr_config_compare(config, again, NULL), MR_CONFIG_SAME);
    mr_config_print(again, true, &twice);
    ck_assert_str_eq(once.at, twice.at);
    mr_config_free(config);
    config = again;
    if (_i) {
        check_root_of_full();
        check_pools_of_full();
    }
    mr_buf_fini(&once);
    mr_buf_fini(&twice);
    done();
}
END_TEST

START_TEST(no_secret_is_printed_for_people)
{
    static const char *const secrets[] = {"p%40ss", "a \\\"b", "t0ken", "s3cret", "pw"};
    struct mr_buf out = {0};

    load_good(full, no_variables);
    mr_config_print(config, false, &out);
    for (size_t i = 0; i < MR_COUNT(secrets); i++)
        ck_assert_msg(!strstr(out.at, secrets[i]), "%s in\n%s", secrets[i], out.at);
    ck_assert_ptr_nonnull(strstr(out.at, "  url: \"redis://u:***@h:6380/2\"\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "  url: \"smtp://me:***@mail:25\"\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "  token: \"***\"\n"));
    mr_buf_fini(&out);
    done();
}
END_TEST

START_TEST(urls_hide_their_password_only)
{
    static const struct {
        const char *url, *printed;
    } rows[] = {
        {"redis://h:6379/0",    "\"redis://h:6379/0\""   },
        {"redis://user@h:6379", "\"redis://user@h:6379\""},
        {"redis://:pw@h",       "\"redis://:***@h\""     },
        {"redis://u:p@w/x@h/1", "\"redis://u:***@h/1\""  },
        {"unix:/run/r.sock",    "\"unix:/run/r.sock\""   },
    };
    struct mr_buf out = {0};
    char yaml[128], want[128];

    snprintf(yaml, sizeof(yaml), "redis: {url: '%s'}\n", rows[_i].url);
    snprintf(want, sizeof(want), "  url: %s\n", rows[_i].printed);
    load_good(yaml, no_variables);
    mr_config_print(config, false, &out);
    ck_assert_msg(strstr(out.at, want) != NULL, "%s", out.at);
    mr_buf_fini(&out);
    done();
}
END_TEST

START_TEST(nothing_is_resolved_where_a_worker_reads)
{
    static const char text[] = "redis: {prefix: '${HOME}', password: 'file:/no/such'}\n";

    config = parse(text, strlen(text));
    ck_assert_str_eq(config->redis.prefix, "${HOME}");
    ck_assert_str_eq(config->redis.password, "file:/no/such");
    done();
}
END_TEST

static const struct {
    const char *now;
    unsigned change;
    const char *names;
    bool pool_a, pool_b;
} changes[] = {
    {"pools: {a: {}, b: {}}",                              MR_CONFIG_SAME,                     "",                  false, false},
    {"pools: {b: {}, a: {tries: 3}}\nlease: 10000ms",      MR_CONFIG_SAME,                     "",                  false, false},
    {"pools: {a: {processes: 9}, b: {}}",                  MR_CONFIG_LIVE,                     "pools.a.processes", false, false},
    {"pools: {a: {tries: 9}, b: {}}",                      MR_CONFIG_WORKERS,                  "pools.a.tries",     true,  false},
    {"pools: {a: {}, b: {}}\nredis: {prefix: x}",          MR_CONFIG_RESTART,                  "redis.prefix",      false,
     false                                                                                                                      },
    {"pools: {a: {}, b: {}}\njobs: {j: {command: [x]}}",   MR_CONFIG_WORKERS,                  "jobs",              true,  true },
    {"pools: {a: {}, b: {}}\nemail: {password: x}",        MR_CONFIG_WORKERS,                  "email.password",    true,
     true                                                                                                                       },
    {"pools: {a: {}, b: {}}\nlease: 20s",                  MR_CONFIG_LIVE | MR_CONFIG_WORKERS, "lease",             true,
     true                                                                                                                       },
    {"pools: {a: {}, c: {}}\ngrace: 1s\ndebug_jobs: true", MR_CONFIG_LIVE | MR_CONFIG_WORKERS,
     "grace, debug_jobs, pools.b, pools.c",                                                                         true,  false},
};

START_TEST(a_reload_knows_what_changed)
{
    struct mr_buf names = {0};

    load_good(changes[_i].now, no_variables);
    struct mr_config *now = config;
    load_good("pools: {a: {}, b: {}}\n", no_variables);
    ck_assert_uint_eq(mr_config_compare(config, now, &names), changes[_i].change);
    ck_assert_str_eq(names.at ? names.at : "", changes[_i].names);
    ck_assert_int_eq(mr_config_pool_changed(config, now, "a"), changes[_i].pool_a);
    ck_assert_int_eq(mr_config_pool_changed(config, now, "b"), changes[_i].pool_b);
    mr_config_free(now);
    mr_buf_fini(&names);
    done();
}
END_TEST

START_TEST(what_needs_a_restart_is_kept_until_then)
{
    struct mr_buf names = {0}, text = {0};

    load_good(
        "redis: {url: \"redis://new/1\"}\ncontrol: {listen: \"127.0.0.1:9\"}\ngrace: 7s\n",
        no_variables);
    struct mr_config *now = config;
    load_good("redis: {prefix: p_}\n", no_variables);
    mr_config_keep(&now, config, &names);
    ck_assert_str_eq(names.at, "redis.url, redis.prefix, control.listen");
    ck_assert_str_eq(now->redis.url, "redis://127.0.0.1:6379/0");
    ck_assert_str_eq(now->redis.prefix, "p_");
    ck_assert_ptr_null(now->control.listen);
    ck_assert_uint_eq(now->grace_ms, 7000);
    mr_config_print(now, true, &text); /* what workers get */
    ck_assert_ptr_null(strstr(text.at, "redis://new"));
    mr_config_free(now);
    mr_buf_fini(&names);
    mr_buf_fini(&text);
    done();
}
END_TEST

START_TEST(the_documentation_names_options_and_variables)
{
    struct mr_buf docs = {0};

    mr_config_docs(&docs);
    ck_assert_ptr_nonnull(strstr(docs.at, "\nlease\n    life of an unrenewed lease"));
    ck_assert_ptr_nonnull(strstr(docs.at, "span of time, 2s..1h; default 10s; "));
    ck_assert_ptr_nonnull(strstr(docs.at, "MILLRACE_REDIS_CONNECT_TIMEOUT\n"));
    ck_assert_ptr_nonnull(strstr(docs.at, "\npools.NAME.processes\n"));
    ck_assert_ptr_nonnull(strstr(docs.at, "MILLRACE_POOLS_NAME_PROCESSES\n"));
    ck_assert_ptr_nonnull(strstr(docs.at, "\njobs.NAME.command\n"));
    mr_buf_fini(&docs);
}
END_TEST

START_TEST(a_bucket_can_come_from_the_environment_alone)
{
    const char *const environment[] = {"MILLRACE_STORAGE_KIND=s3",
                                       "MILLRACE_STORAGE_S3_BUCKET=shop",
                                       "MILLRACE_STORAGE_S3_KEY=AKIA",
                                       "MILLRACE_STORAGE_S3_SECRET=canary+w9",
                                       "MILLRACE_STORAGE_S3_ENDPOINT=http://minio:9000",
                                       "MILLRACE_STORAGE_S3_PATH_STYLE=true",
                                       "MILLRACE_STORAGE_S3_PART_SIZE=16MiB",
                                       NULL};
    struct mr_buf shown = {0};

    load_good("", environment);
    json_t *s3 = json_object_get(json_object_get(config->sections, "storage"), "s3");
    ck_assert_str_eq(json_string_value(json_object_get(s3, "bucket")), "shop");
    ck_assert_str_eq(json_string_value(json_object_get(s3, "secret")), "canary+w9");
    ck_assert(json_is_true(json_object_get(s3, "path_style")));
    ck_assert_int_eq(json_integer_value(json_object_get(s3, "part_size_bytes")), 16 << 20);
    mr_config_print(config, false, &shown);
    ck_assert_ptr_null(strstr(shown.at, "canary"));
    mr_buf_fini(&shown);
    done();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {nothing_configured_is_one_pool_and_the_defaults, 0                 },
        {everything_configured_arrives,                   0                 },
        {a_job_without_a_command_may_have_its_own_policy, 0                 },
        {modules_see_sections_with_units_and_defaults,    MR_COUNT(sections)},
        {variables_and_files_are_resolved_as_text,        0                 },
        {the_environment_wins_over_the_file,              0                 },
        {millrace_pools_alone_makes_one_pool,             0                 },
        {a_pools_own_variable_wins_over_the_common_one,   0                 },
        {variables_of_others_are_let_be,                  0                 },
        {what_is_printed_reads_back_exactly,              2                 },
        {no_secret_is_printed_for_people,                 0                 },
        {urls_hide_their_password_only,                   5                 },
        {nothing_is_resolved_where_a_worker_reads,        0                 },
        {a_reload_knows_what_changed,                     MR_COUNT(changes) },
        {what_needs_a_restart_is_kept_until_then,         0                 },
        {the_documentation_names_options_and_variables,   0                 },
        {a_bucket_can_come_from_the_environment_alone,    0                 },
    };

    return mr_suite_run("config", tests);
}
