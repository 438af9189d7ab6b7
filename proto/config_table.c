#include "proto/config_table.h"

#include "proto/base/mem.h"
#include "proto/config.h"
#include "proto/config_types.h"

/* Short words, so that a row is a line. */
#define TEXT &mr_option_text
#define URL &mr_option_url
#define MS &mr_option_ms
#define BYTES &mr_option_bytes
#define COUNT &mr_option_count
#define INT &mr_option_int
#define BOOL &mr_option_bool
#define CHOICE &mr_option_choice
#define TEXTS &mr_option_texts
#define RATE &mr_config_rate
#define STATUSES &mr_config_statuses
#define CONDITIONS &mr_config_conditions
#define LIVE MR_CONFIG_LIVE
#define WORKERS MR_CONFIG_WORKERS
#define RESTART MR_CONFIG_RESTART
#define SECRET MR_OPTION_SECRET
#define AT(member) MR_OPTION_AT(struct mr_config, member)
#define LIST_AT(member, counter) MR_OPTION_LIST_AT(struct mr_config, member, counter)
#define POOL(member) MR_OPTION_AT(struct mr_pool_config, member)
#define POOL_LIST(member, counter) MR_OPTION_LIST_AT(struct mr_pool_config, member, counter)
#define TREE MR_OPTION_TREE

/* clang-format off */
static const struct mr_option pool_rows[] = {
    {"queues", &mr_config_queues, POOL_LIST(queues, n_queues), NULL, NULL, WORKERS,
     "queues served, in order of priority, as a list or with commas; name:weight when "
     "balance_queues is weighted (default: one queue named as the pool)"},
    {"processes", COUNT, POOL(processes), "1", "0..1000", LIVE,
     "worker processes; `workerctl scale` changes the number at run time"},
    {"concurrency", COUNT, POOL(concurrency), "10", "1..10000", WORKERS,
     "jobs that one process runs at once"},
    {"threads", COUNT, POOL(threads), NULL, "1..1000", WORKERS,
     "threads of one process for blocking handlers (default: concurrency, at most 20)"},
    {"tries", COUNT, POOL(policy.tries), "3", "0..1000000", WORKERS,
     "attempts before a job is dead, unless it says otherwise; 0: without end"},
    {"timeout", MS, POOL(policy.timeout_ms), "60s", "0..30d", WORKERS,
     "deadline of one attempt, unless the job says otherwise; 0: none"},
    {"backoff", &mr_config_backoff, POOL(policy.backoff), "1s..1h", NULL, WORKERS,
     "wait before a retry: 1s..1h doubles between the two with full jitter; 10,30 or [10, 30] "
     "are Laravel's seconds, the last for ever"},
    {"max_wait", MS, POOL(max_wait_ms), "1m", "0..1d", WORKERS,
     "a lower queue that waited longer goes first; 0: never"},
    {"max_jobs", COUNT, POOL(max_jobs), "0", "0..1000000000000", WORKERS,
     "jobs after which a process is replaced; 0: never"},
    {"max_age", MS, POOL(max_age_ms), "0", "0..365d", WORKERS,
     "age at which a process is replaced; 0: never"},
    {"max_rss", BYTES, POOL(max_rss_bytes), "0", "0..1TiB", WORKERS,
     "resident memory above which a process is replaced; 0: never"},
    {"max_crashes", COUNT, POOL(policy.max_crashes), "3", "1..100", WORKERS,
     "crashes of its process after which a job is dead"},
    {"nice", INT, POOL(nice), "0", "-20..19", WORKERS,
     "priority of the processes for the kernel; higher is more modest"},
    {"balance_queues", CHOICE, POOL(balance), "strict", "strict|weighted", WORKERS,
     "strict serves the queues in their order, weighted in proportion to their weights"},
    {"preload", TEXTS, POOL_LIST(preload, n_preload), NULL, NULL, WORKERS,
     "modules loaded at the start of a process rather than with their first job"},
};

const struct mr_option_table mr_pool_table = {pool_rows, MR_COUNT(pool_rows)};

static const struct mr_option job_rows[] = {
    {"handler", TEXT, TREE, NULL, NULL, WORKERS,
     "the handler that runs this job (default: exec where there is a command, else the one of its name)"},
    {"command", &mr_config_command, TREE, NULL, NULL, WORKERS,
     "program and arguments; the job's data comes on its standard input"},
    {"ok", &mr_config_codes, TREE, "0", "0..255", WORKERS, "exit statuses that mean done"},
    {"retry", &mr_config_codes, TREE, NULL, "0..255", WORKERS,
     "exit statuses that mean try again, and all others failed for good (default: every status that is not ok)"},
    {"timeout", MS, TREE, NULL, "1ms..30d", WORKERS,
     "deadline of one attempt (default: the pool's)"},
    {"tries", COUNT, TREE, NULL, "0..1000000", WORKERS,
     "attempts before it is dead (default: the pool's)"},
    {"env", &mr_config_text_map, TREE, NULL, NULL, WORKERS | SECRET,
     "variables added to the program's environment"},
    {"dir", TEXT, TREE, NULL, NULL, WORKERS, "working directory of the program"},
};

static const struct mr_option_table job_table = {job_rows, MR_COUNT(job_rows)};

static const struct mr_option provider_rows[] = {
    {"kind", CHOICE, TREE, "twilio", "twilio|http", WORKERS,
     "twilio: an API of Twilio's shape; http: any other that takes one request for one message"},
    {"url", URL, TREE, NULL, "http://|https://", WORKERS,
     "of the API; of kind http that of the request, in which the values of body may stand"},
    {"account", TEXT, TREE, NULL, NULL, WORKERS, "account; of kind http the user of basic authentication"},
    {"token", TEXT, TREE, NULL, NULL, WORKERS | SECRET, "its token or password"},
    {"from", TEXT, TREE, NULL, NULL, WORKERS, "sender of messages that name none (default: sms.from)"},
    {"whatsapp_from", TEXT, TREE, NULL, NULL, WORKERS,
     "sender of WhatsApp messages that name none (default: sms.whatsapp_from)"},
    {"channels", CHOICE, TREE, NULL, "sms|whatsapp|both", WORKERS,
     "what it carries (default: both of kind twilio, sms of kind http)"},
    {"method", CHOICE, TREE, "POST", "POST|PUT|GET", WORKERS, "of kind http: the request's method"},
    {"headers", &mr_config_text_map, TREE, NULL, NULL, WORKERS | SECRET,
     "of kind http: headers of the request; in their values may stand what may in body"},
    {"format", CHOICE, TREE, "json", "json|form", WORKERS,
     "of kind http: what body is, so how values are escaped and which Content-Type is sent"},
    {"body", TEXT, TREE, NULL, NULL, WORKERS,
     "of kind http: template of the body; {{to}}, {{to_digits}}, {{from}}, {{text}}, {{uuid}}, {{channel}}, "
     "{{segments}}, {{callback}}"},
    {"ok", STATUSES, TREE, NULL, NULL, WORKERS,
     "of kind http: statuses of an answer that says the message is taken (default: any 2xx)"},
    {"ok_when", CONDITIONS, TREE, NULL, NULL, WORKERS,
     "of kind http: and one of these members of its JSON has this value (default: any body will do)"},
    {"refused", STATUSES, TREE, NULL, NULL, WORKERS,
     "of kind http: statuses that say no provider will ever take the message (default: none)"},
    {"refused_when", CONDITIONS, TREE, NULL, NULL, WORKERS,
     "of kind http: or one of these members of the JSON has this value"},
    {"id", TEXT, TREE, NULL, NULL, WORKERS, "of kind http: path of the member that names the message"},
    {"code", TEXT, TREE, NULL, NULL, WORKERS, "of kind http: path of the member that says what was wrong"},
    {"timeout", MS, TREE, NULL, "100ms..10m", WORKERS, "(default: sms.timeout)"},
    {"connections", COUNT, TREE, NULL, "1..1000", WORKERS, "(default: sms.connections)"},
    {"wait", MS, TREE, NULL, "1ms..10m", WORKERS, "(default: sms.wait)"},
    {"rate", RATE, TREE, NULL, NULL, WORKERS, "(default: sms.rate)"},
    {"circuit.failures", COUNT, TREE, NULL, "0..1000", WORKERS, "(default: sms.circuit.failures)"},
    {"circuit.open_for", MS, TREE, NULL, "1s..1h", WORKERS, "(default: sms.circuit.open_for)"},
    {"circuit.share", COUNT, TREE, NULL, "0..100", WORKERS, "(default: sms.circuit.share)"},
    {"circuit.least", COUNT, TREE, NULL, "1..1000000", WORKERS, "(default: sms.circuit.least)"},
    {"circuit.window", MS, TREE, NULL, "1s..1m", WORKERS, "(default: sms.circuit.window)"},
    {"ca_file", TEXT, TREE, NULL, NULL, WORKERS,
     "authorities that vouch for it (default: sms.ca_file)"},
};

static const struct mr_option_table provider_table = {provider_rows, MR_COUNT(provider_rows)};

static const struct mr_option_type pools = {
    .name = "map of pools",
    .read = mr_options_read_entries,
    .entries = &mr_pool_table,
    .is_name = mr_str_is_queue_name,
    .name_rule = "pools are called by 1 to 100 of A-Z a-z 0-9 _ . { } -",
};

static const struct mr_option_type jobs = {
    .name = "map of jobs",
    .read = mr_options_read_entries,
    .entries = &job_table,
    .is_name = mr_str_is_job_name,
    .name_rule = "jobs are called by 1 to 200 of A-Z a-z 0-9 _ . \\ @ -",
};

#define RELAY_USERNAME "user at the mail server"
#define RELAY_PASSWORD "password at the mail server, or its token with auth: xoauth2"
#define RELAY_TOKEN_FILE                                                                       \
    "file that holds the password or token; read again when it has changed"
#define RELAY_AUTH "how to log in; auto: as the server offers it, with the password"
#define RELAY_TLS                                                                              \
    "off: in clear; starttls: refused where the server does not offer it; opportunistic: in "  \
    "clear where it does not; tls: from the first byte"
#define RELAY_CA_FILE "authorities that vouch for the mail server (default: the system's)"
#define RELAY_CONNECTIONS "connections that one process has open at the mail server at most"

static const struct mr_option relay_rows[] = {
    {"url", URL, TREE, NULL, "smtp://|smtps://", WORKERS, "the mail server: smtp://host:port"},
    {"username", TEXT, TREE, NULL, NULL, WORKERS, RELAY_USERNAME},
    {"password", TEXT, TREE, NULL, NULL, WORKERS | SECRET, RELAY_PASSWORD},
    {"token_file", TEXT, TREE, NULL, NULL, WORKERS, RELAY_TOKEN_FILE},
    {"auth", CHOICE, TREE, "auto", "auto|plain|login|xoauth2", WORKERS, RELAY_AUTH},
    {"tls", CHOICE, TREE, "starttls", "off|starttls|opportunistic|tls", WORKERS, RELAY_TLS},
    {"ca_file", TEXT, TREE, NULL, NULL, WORKERS, RELAY_CA_FILE},
    {"connections", COUNT, TREE, "4", "1..1000", WORKERS, RELAY_CONNECTIONS},
};

static const struct mr_option_table relay_table = {relay_rows, MR_COUNT(relay_rows)};

static const struct mr_option_type relays = {
    .name = "map of mail servers",
    .read = mr_options_read_entries,
    .entries = &relay_table,
    .is_name = mr_str_is_queue_name,
    .name_rule = "mail servers are called by 1 to 100 of A-Z a-z 0-9 _ . { } -",
};

static const struct mr_option mail_queue_rows[] = {
    {"unknown", CHOICE, TREE, NULL, "retry|hold", WORKERS,
     "what becomes of its mails that a server may have taken (default: email.unknown)"},
};

static const struct mr_option_table mail_queue_table = {mail_queue_rows,
                                                        MR_COUNT(mail_queue_rows)};

static const struct mr_option_type mail_queues = {
    .name = "map of queues",
    .read = mr_options_read_entries,
    .entries = &mail_queue_table,
    .is_name = mr_str_is_queue_name,
    .name_rule = "queues are called by 1 to 100 of A-Z a-z 0-9 _ . { } -",
};

static const struct mr_option_type providers = {
    .name = "map of SMS providers",
    .read = mr_options_read_entries,
    .entries = &provider_table,
    .is_name = mr_str_is_queue_name,
    .name_rule = "providers are called by 1 to 100 of A-Z a-z 0-9 _ . { } -",
};

static const struct mr_option config_rows[] = {
    {"redis.url", &mr_config_redis_url, AT(redis.url), "redis://127.0.0.1:6379/0", NULL, RESTART,
     "where the queues are"},
    {"redis.prefix", TEXT, AT(redis.prefix), "", NULL, RESTART,
     "stands before every key, as in Laravel's database.redis.options.prefix"},
    {"redis.username", TEXT, AT(redis.username), NULL, NULL, RESTART,
     "ACL user; wins over the url's"},
    {"redis.password", TEXT, AT(redis.password), NULL, NULL, RESTART | SECRET,
     "wins over the url's"},
    {"redis.connect_timeout", MS, AT(redis.connect_timeout_ms), "5s", "10ms..5m", RESTART,
     "for finding, reaching and greeting the server"},
    {"redis.reply_timeout", MS, AT(redis.reply_timeout_ms), "10s", "100ms..5m", RESTART,
     "silence after which a connection that owes a reply is dropped"},
    {"lease", MS, AT(lease_ms), "10s", "2s..1h", LIVE | WORKERS,
     "life of an unrenewed lease: how soon the jobs of a lost host come back"},
    {"grace", MS, AT(grace_ms), "30s", "0..1h", LIVE | WORKERS,
     "time that running jobs get to end when a worker is told to stop"},
    {"pools", &pools, TREE, NULL, NULL, LIVE,
     "the pools of workers by name (default: one pool named default that serves the queue "
     "default)"},
    {"limits.payload", BYTES, AT(limits.payload_bytes), "8MiB", "1KiB..512MiB", LIVE | WORKERS,
     "the longest job that is run; a longer one is dead, kept whole"},
    {"limits.depth", COUNT, AT(limits.depth), "64", "4..1000", LIVE | WORKERS,
     "the deepest nesting in a job that is run"},
    {"control.socket", TEXT, AT(control.socket), NULL, NULL, RESTART,
     "unix socket of the control API (default: control.sock in runtime_dir)"},
    {"control.listen", TEXT, AT(control.listen), NULL, NULL, RESTART,
     "host:port of the control API and the metrics on TCP (default: no TCP)"},
    {"control.token", TEXT, AT(control.token), NULL, NULL, RESTART | SECRET,
     "bearer token asked on TCP for all but /metrics, /health and /ready"},
    {"control.insecure", BOOL, AT(control.insecure), "false", NULL, RESTART,
     "allows control.listen to be reached from other machines without TLS"},
    {"log.level", CHOICE, AT(log.level), "info", "error|warn|info|debug", LIVE | WORKERS,
     "the least that is logged"},
    {"log.format", CHOICE, AT(log.format), "text", "text|json", LIVE | WORKERS,
     "one line of words, or one JSON object a line"},
    {"runtime_dir", TEXT, AT(runtime_dir), NULL, NULL, RESTART,
     "pages, lock and control socket; best on tmpfs (default: /run/millrace for root, "
     "$XDG_RUNTIME_DIR/millrace, else /tmp/millrace-<uid>)"},
    {"worker_program", TEXT, AT(worker_program), NULL, NULL, LIVE | WORKERS,
     "the worker's program (default: the one that came with the dispatcher)"},
    {"modules", TEXTS, LIST_AT(modules, n_modules), NULL, NULL, WORKERS,
     "your own shared modules with job handlers"},
    {"debug_jobs", BOOL, AT(debug_jobs), "false", NULL, WORKERS,
     "whether the jobs debug.* are run; for tests and demonstrations"},
    {"dead.keep", MS, AT(dead.keep_ms), "180d", "1m..3650d", LIVE | WORKERS,
     "age at which a dead letter is dropped"},
    {"dead.max", COUNT, AT(dead.max), "100000", "1..100000000", LIVE | WORKERS,
     "dead letters kept for each queue; the oldest go first"},
    {"jobs", &jobs, TREE, NULL, NULL, WORKERS,
     "jobs by name that run a program, or have a deadline and tries of their own"},
    {"email.url", URL, TREE, NULL, "smtp://|smtps://", WORKERS,
     "the mail server: smtp://host:port; with email.relays the first of them, called default"},
    {"email.username", TEXT, TREE, NULL, NULL, WORKERS, RELAY_USERNAME},
    {"email.password", TEXT, TREE, NULL, NULL, WORKERS | SECRET, RELAY_PASSWORD},
    {"email.token_file", TEXT, TREE, NULL, NULL, WORKERS, RELAY_TOKEN_FILE},
    {"email.auth", CHOICE, TREE, "auto", "auto|plain|login|xoauth2", WORKERS, RELAY_AUTH},
    {"email.tls", CHOICE, TREE, "starttls", "off|starttls|opportunistic|tls", WORKERS, RELAY_TLS},
    {"email.ca_file", TEXT, TREE, NULL, NULL, WORKERS, RELAY_CA_FILE},
    {"email.connections", COUNT, TREE, "4", "1..1000", WORKERS, RELAY_CONNECTIONS},
    {"email.relays", &relays, TREE, NULL, NULL, WORKERS,
     "mail servers by name; a mail goes to the first that is there and lets us in, and to the "
     "next where one says \"not now\" before it has the mail"},
    {"email.from", TEXT, TREE, NULL, NULL, WORKERS, "sender of mails that name none"},
    {"email.max_recipients", COUNT, TREE, "100", "1..10000", WORKERS,
     "recipients of one mail at most; a mail with more is dead"},
    {"email.max_size", BYTES, TREE, "25MiB", "1KiB..1GiB", WORKERS,
     "the largest mail, as it travels: files in it take a third more than on a disk; a larger one "
     "is dead"},
    {"email.timeout", MS, TREE, "30s", "1s..1h", WORKERS,
     "for one mail at one server, from connecting to the last answer; waiting for one of its "
     "connections does not count"},
    {"email.connect_timeout", MS, TREE, "10s", "100ms..5m", WORKERS,
     "for a mail server to be reached, to greet and to let us in"},
    {"email.ehlo", TEXT, TREE, NULL, NULL, WORKERS,
     "name given to the mail servers (default: the host's)"},
    {"email.circuit.failures", COUNT, TREE, "3", "0..1000", WORKERS,
     "failures in a row, messages without an answer among them, after which a mail server is passed "
     "over; 0: never"},
    {"email.circuit.open_for", MS, TREE, "10s", "10ms..1h", WORKERS,
     "for how long it is; then one mail tries it"},
    {"email.unknown", CHOICE, TREE, "retry", "retry|hold", WORKERS,
     "what becomes of a mail that a server may have taken without saying so; retry: it is sent "
     "again under the same Message-ID; hold: it is dead, and a person decides"},
    {"email.queues", &mail_queues, TREE, NULL, NULL, WORKERS,
     "queues by name whose mails are treated otherwise"},
    {"email.again", MS, TREE, "1m", "0..1d", WORKERS,
     "when recipients that were refused for now are asked again, where others have the mail"},
    {"sms.url", URL, TREE, NULL, "http://|https://", WORKERS, "the SMS provider's API"},
    {"sms.account", TEXT, TREE, NULL, NULL, WORKERS, "account at the SMS provider"},
    {"sms.token", TEXT, TREE, NULL, NULL, WORKERS | SECRET, "token at the SMS provider"},
    {"sms.from", TEXT, TREE, NULL, NULL, WORKERS, "sender of messages that name none"},
    {"sms.whatsapp_from", TEXT, TREE, NULL, NULL, WORKERS,
     "sender of WhatsApp messages that name none"},
    {"sms.max_segments", COUNT, TREE, "6", "1..10", WORKERS,
     "the longest message, in segments as the provider bills them; a longer one is dead"},
    {"sms.timeout", MS, TREE, "15s", "100ms..10m", WORKERS,
     "for one exchange with the SMS provider"},
    {"sms.connections", COUNT, TREE, "10", "1..1000", WORKERS,
     "requests that one process has open at the SMS provider at most"},
    {"sms.wait", MS, TREE, "5s", "1ms..10m", WORKERS,
     "for one's turn at the SMS provider (sms.connections, sms.rate), before sms.timeout begins; who would wait longer is "
     "released, and no attempt is spent"},
    {"sms.rate", RATE, TREE, NULL, NULL, WORKERS,
     "requests that one process sends to the SMS provider; 0: as many as there are (default: 0)"},
    {"sms.circuit.failures", COUNT, TREE, "10", "0..1000", WORKERS,
     "requests in a row without a whole answer, or with a 5xx, after which one process leaves the SMS provider alone and "
     "releases the jobs; 0: never"},
    {"sms.circuit.open_for", MS, TREE, "30s", "1s..1h", WORKERS,
     "how long it does, until one request tries again"},
    {"sms.circuit.share", COUNT, TREE, "50", "0..100", WORKERS,
     "it does so too when so many of a hundred requests have failed within sms.circuit.window; 0: however many"},
    {"sms.circuit.least", COUNT, TREE, "20", "1..1000000", WORKERS,
     "fewer requests within sms.circuit.window say nothing of the share"},
    {"sms.circuit.window", MS, TREE, "30s", "1s..1m", WORKERS,
     "how far back the share is looked at, in whole seconds"},
    {"sms.ca_file", TEXT, TREE, NULL, NULL, WORKERS,
     "authorities that vouch for the SMS provider (default: the system's)"},
    {"sms.providers", &providers, TREE, NULL, NULL, WORKERS,
     "further providers by name; the one that sms.url describes is called default"},
    {"sms.order", TEXTS, TREE, NULL, NULL, WORKERS,
     "providers by name, as they are asked: the next one only where it is sure that those before sent nothing "
     "(default: default, then sms.providers as they are written)"},
    {"sms.unknown", CHOICE, TREE, "retry", "retry|hold", WORKERS,
     "a message of which nobody knows whether it was sent: retry asks the same provider again under the same key, "
     "hold leaves it to a person as a dead letter"},
    {"sms.record", BOOL, TREE, "false", NULL, WORKERS,
     "whether each message has a row in the table millrace_notifications of mysql.database; then jobs need a uuid, and none is "
     "sent twice once the provider's answer is in its row"},
    {"sms.senders", TEXTS, TREE, NULL, NULL, WORKERS,
     "senders that a job may name (default: any)"},
    {"sms.per_number", RATE, TREE, NULL, NULL, WORKERS,
     "messages to one number; counted in millrace_notifications where sms.record is on, else by each process (default: 0)"},
    {"sms.per_sender", RATE, TREE, NULL, NULL, WORKERS,
     "messages from one sender, counted likewise (default: 0)"},
    {"sms.callback", URL, TREE, NULL, "http://|https://", WORKERS,
     "where the provider reports what became of a message; uuid and signature are added to it"},
    {"sms.secret", TEXT, TREE, NULL, NULL, WORKERS | SECRET,
     "key of the callback's signature and of the numbers' hashes in millrace_notifications"},
    {"payment.url", URL, TREE, NULL, "http://|https://", WORKERS, "the payment provider's API"},
    {"payment.key", TEXT, TREE, NULL, NULL, WORKERS | SECRET, "key at the payment provider"},
    {"payment.timeout", MS, TREE, "30s", "100ms..10m", WORKERS,
     "for one exchange with the payment provider"},
    {"payment.connections", COUNT, TREE, "10", "1..1000", WORKERS,
     "requests that one process has open at the payment provider at most"},
    {"payment.wait", MS, TREE, "5s", "1ms..10m", WORKERS,
     "for one's turn at the payment provider (payment.connections, payment.rate), before payment.timeout begins; who would wait longer is "
     "released, and no attempt is spent"},
    {"payment.rate", RATE, TREE, NULL, NULL, WORKERS,
     "requests that one process sends to the payment provider; 0: as many as there are (default: 0)"},
    {"payment.circuit.failures", COUNT, TREE, "10", "0..1000", WORKERS,
     "requests in a row without a whole answer, or with a 5xx, after which one process leaves the payment provider alone and "
     "releases the jobs; 0: never"},
    {"payment.circuit.open_for", MS, TREE, "30s", "1s..1h", WORKERS,
     "how long it does, until one request tries again"},
    {"payment.circuit.share", COUNT, TREE, "50", "0..100", WORKERS,
     "it does so too when so many of a hundred requests have failed within payment.circuit.window; 0: however many"},
    {"payment.circuit.least", COUNT, TREE, "20", "1..1000000", WORKERS,
     "fewer requests within payment.circuit.window say nothing of the share"},
    {"payment.circuit.window", MS, TREE, "30s", "1s..1m", WORKERS,
     "how far back the share is looked at, in whole seconds"},
    {"payment.key_life", MS, TREE, "23h", "1m..365d", WORKERS,
     "how long the payment provider remembers an idempotency key; a charge that is still unknown "
     "then waits for a person"},
    {"payment.ca_file", TEXT, TREE, NULL, NULL, WORKERS,
     "authorities that vouch for the payment provider (default: the system's)"},
    {"billing.series", TEXT, TREE, "INV", NULL, WORKERS,
     "series of invoice numbers of invoices that name none"},
    {"billing.seller", TEXT, TREE, NULL, NULL, WORKERS,
     "who issues the invoices, as printed on them; lines parted by line ends"},
    {"billing.number", &mr_config_number, TREE, "{series}-{number:6}", NULL, WORKERS,
     "how the number of an invoice is printed: {series}, {year}, {number} or {number:DIGITS}"},
    {"billing.yearly", BOOL, TREE, "false", NULL, WORKERS,
     "each series begins at 1 every year, by the invoices' dates; billing.number needs {year} then"},
    {"billing.timezone", &mr_config_zone, TREE, "UTC", NULL, WORKERS,
     "where invoices are written, as in Europe/Berlin: it decides their date"},
    {"billing.due", MS, TREE, NULL, "0..365d", WORKERS,
     "when an invoice that does not say is to be paid, from its date on, in days (default: not printed)"},
    {"billing.mail_template", TEXT, TREE, "invoice", NULL, WORKERS,
     "template of the mail that brings an invoice"},
    {"billing.mail_queue", TEXT, TREE, NULL, NULL, WORKERS,
     "queue of the mails that billing sends: invoices, refused charges (default: that of the job that sends them)"},
    {"billing.notes", TEXT, TREE, NULL, NULL, WORKERS,
     "printed below the lines of every invoice; lines parted by line ends"},
    {"billing.credit_series", TEXT, TREE, "CN", NULL, WORKERS,
     "series of numbers of credit notes that name none"},
    {"billing.catch_up", CHOICE, TREE, "each", "each|skip", WORKERS,
     "periods of a subscription that were missed: each is invoiced, or all but the one of today are skipped"},
    {"billing.dunning", &mr_config_days, TREE, "3,7,14", NULL, WORKERS,
     "days after the first refused charge of a subscription on which it is charged again; after the last it is suspended"},
    {"billing.renewal_mail", TEXT, TREE, NULL, NULL, WORKERS,
     "template of the mail that brings the invoice of a subscription's period (default: no mail)"},
    {"billing.dunning_mail", TEXT, TREE, NULL, NULL, WORKERS,
     "template of the mail about a refused charge that will be tried again (default: no mail)"},
    {"billing.suspended_mail", TEXT, TREE, NULL, NULL, WORKERS,
     "template of the mail about a subscription that is suspended (default: no mail)"},
    {"http.timeout", MS, TREE, "5s", "100ms..10m", WORKERS,
     "for one http.call, unless the job says otherwise"},
    {"http.connections", COUNT, TREE, "20", "1..1000", WORKERS,
     "requests that one process has open at one server at most"},
    {"http.wait", MS, TREE, "5s", "1ms..10m", WORKERS,
     "for one's turn at one server (http.connections, http.rate), before http.timeout begins; who would wait longer is "
     "released, and no attempt is spent"},
    {"http.rate", RATE, TREE, NULL, NULL, WORKERS,
     "requests that one process sends to one server; 0: as many as there are (default: 0)"},
    {"http.circuit.failures", COUNT, TREE, "10", "0..1000", WORKERS,
     "requests in a row without a whole answer, or with a 5xx, after which one process leaves one server alone and "
     "releases the jobs; 0: never"},
    {"http.circuit.open_for", MS, TREE, "30s", "1s..1h", WORKERS,
     "how long it does, until one request tries again"},
    {"http.circuit.share", COUNT, TREE, "50", "0..100", WORKERS,
     "it does so too when so many of a hundred requests have failed within http.circuit.window; 0: however many"},
    {"http.circuit.least", COUNT, TREE, "20", "1..1000000", WORKERS,
     "fewer requests within http.circuit.window say nothing of the share"},
    {"http.circuit.window", MS, TREE, "30s", "1s..1m", WORKERS,
     "how far back the share is looked at, in whole seconds"},
    {"http.token", TEXT, TREE, NULL, NULL, WORKERS | SECRET,
     "sent as X-Service-Token to the servers of http.token_hosts"},
    {"http.token_hosts", TEXTS, TREE, NULL, NULL, WORKERS,
     "host or host:port of the servers that get the token"},
    {"http.allow", TEXTS, TREE, NULL, NULL, WORKERS,
     "addresses that jobs may call although they are not public: 10.1.0.0/16, 127.0.0.1, fd00::/8"},
    {"http.body_max", BYTES, TREE, "1MiB", "0..64MiB", WORKERS,
     "the longest answer that is read; what is behind it is left"},
    {"http.ca_file", TEXT, TREE, NULL, NULL, WORKERS,
     "authorities that vouch for the servers (default: the system's)"},
    {"mysql.host", TEXT, TREE, "127.0.0.1", NULL, WORKERS, "the database server that is written to"},
    {"mysql.socket", TEXT, TREE, NULL, NULL, WORKERS,
     "its unix socket; wins over host and port"},
    {"mysql.port", COUNT, TREE, "3306", "1..65535", WORKERS, "its port"},
    {"mysql.read_hosts", TEXTS, TREE, NULL, NULL, WORKERS,
     "host, host:port or /socket of servers that reports read from (default: the one written to)"},
    {"mysql.database", TEXT, TREE, NULL, NULL, WORKERS, "the database"},
    {"mysql.user", TEXT, TREE, NULL, NULL, WORKERS, "user at the database server"},
    {"mysql.password", TEXT, TREE, NULL, NULL, WORKERS | SECRET,
     "password at the database server"},
    {"mysql.tls", CHOICE, TREE, "off", "off|on|verify", WORKERS,
     "over TCP; off: in clear; on: encrypted; verify: and the server must prove its name"},
    {"mysql.ca_file", TEXT, TREE, NULL, NULL, WORKERS,
     "authorities that vouch for the database server (default: the system's)"},
    {"mysql.pool.min", COUNT, TREE, "5", "0..1000", WORKERS,
     "connections that one process keeps at one server, once opened"},
    {"mysql.pool.max", COUNT, TREE, "20", "1..1000", WORKERS,
     "connections that one process opens at one server at most"},
    {"mysql.sticky", BOOL, TREE, "true", NULL, WORKERS,
     "a job that wrote reads from the server written to until it ends, not from mysql.read_hosts"},
    {"mysql.max_lag", MS, TREE, "30s", "0..30d", WORKERS,
     "a read host that is further behind, or no longer follows, is passed over; 0: not asked. "
     "mysql.user needs REPLICA MONITOR for it (MariaDB) or REPLICATION CLIENT (MySQL)"},
    {"mysql.unknown_lag", CHOICE, TREE, "use", "use|avoid", WORKERS,
     "a read host that does not tell how far it is behind: use it all the same, or avoid it"},
    {"mysql.connect_timeout", MS, TREE, "5s", "100ms..5m", WORKERS,
     "for reaching and greeting the database server"},
    {"mysql.lock_timeout", MS, TREE, "10s", "1s..1h", WORKERS,
     "a statement that waits longer for what another transaction holds gives up, and its "
     "transaction is tried again; whole seconds, and less than mysql.statement_timeout"},
    {"mysql.statement_timeout", MS, TREE, "30s", "100ms..1d", WORKERS,
     "a statement that runs longer is killed at the server, unless a report says otherwise"},
    {"storage.kind", CHOICE, TREE, "local", "local|s3", WORKERS,
     "where the files that jobs make are kept: below storage.path, or in the bucket of storage.s3"},
    {"storage.path", TEXT, TREE, NULL, NULL, WORKERS, "directory of the files that jobs make"},
    {"storage.quota", BYTES, TREE, "0", "0..1024TiB", WORKERS,
     "what all files below storage.path may have together; a file that would need more is refused; 0: no bound"},
    {"storage.url", URL, TREE, NULL, "http://|https://", WORKERS,
     "where a web server shows storage.path: links to files begin with it (default: such files have no links)"},
    {"storage.s3.key", TEXT, TREE, NULL, NULL, WORKERS, "access key (AWS_ACCESS_KEY_ID)"},
    {"storage.s3.secret", TEXT, TREE, NULL, NULL, WORKERS | SECRET,
     "its secret (AWS_SECRET_ACCESS_KEY)"},
    {"storage.s3.token", TEXT, TREE, NULL, NULL, WORKERS | SECRET,
     "session token that belongs to a temporary key"},
    {"storage.s3.region", TEXT, TREE, "us-east-1", NULL, WORKERS,
     "region of the bucket (AWS_DEFAULT_REGION)"},
    {"storage.s3.bucket", TEXT, TREE, NULL, NULL, WORKERS, "the bucket (AWS_BUCKET)"},
    {"storage.s3.endpoint", URL, TREE, NULL, "http://|https://", WORKERS,
     "scheme, host and port of the server (AWS_ENDPOINT; default: Amazon's in that region)"},
    {"storage.s3.path_style", BOOL, TREE, "false", NULL, WORKERS,
     "whether the bucket stands in the path, not before the host (AWS_USE_PATH_STYLE_ENDPOINT)"},
    {"storage.s3.prefix", TEXT, TREE, NULL, NULL, WORKERS,
     "what the names of all objects begin with, as in shop/"},
    {"storage.s3.ca_file", TEXT, TREE, NULL, NULL, WORKERS,
     "authorities that vouch for the server (default: the system's)"},
    {"storage.s3.timeout", MS, TREE, "30s", "1s..10m", WORKERS,
     "silence after which a request to the server is given up"},
    {"storage.s3.part_size", BYTES, TREE, "64MiB", "5MiB..5GiB", WORKERS,
     "a larger file is sent in parts of this size, each of which can be sent again; at most 10000"},
    {"storage.s3.spool", TEXT, TREE, "/var/tmp", NULL, WORKERS,
     "directory on this machine where a part waits until it is sent: part_size for each file that is being written"},
    {"reports.dir", TEXT, TREE, NULL, NULL, WORKERS, "directory of the reports' definitions"},
    {"reports.tmpdir", TEXT, TREE, "/tmp", NULL, WORKERS,
     "directory for the pieces of XLSX files until they are whole"},
    {"reports.max_rows", COUNT, TREE, "1000000", "1..1000000000", WORKERS,
     "a report with more rows fails, unless its definition says otherwise"},
    {"reports.max_size", BYTES, TREE, "256MiB", "1KiB..1TiB", WORKERS,
     "a report whose file would grow larger fails, unless its definition says otherwise"},
    {"templates.dir", TEXT, TREE, NULL, NULL, WORKERS,
     "directory of the templates of mails and messages"},
};
/* clang-format on */

const struct mr_option_table mr_config_table = {config_rows, MR_COUNT(config_rows)};
