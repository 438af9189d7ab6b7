#include "tests/support/sink.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { START_MS = 20000, ARGS_MAX = 32 };

void mr_sink_start(struct mr_sink *sink, const char *dir, const char *const *args)
{
    const char *argv[ARGS_MAX] = {"/usr/bin/python3", MR_SOURCE_ROOT "/tests/peers/smtp.py",
                                  "--out", sink->out};
    char log[160], line[80];

    snprintf(sink->out, sizeof(sink->out), "%s/mails", dir);
    snprintf(log, sizeof(log), "%s/sink.log", dir);
    for (size_t i = 0; args && args[i]; i++) {
        ck_assert_uint_lt(4 + i + 1, ARGS_MAX);
        argv[4 + i] = args[i];
    }
    unlink(log); /* of one before: its port */
    sink->in = mr_proc_start_fed(&sink->proc, argv, NULL, log);
    mr_proc_line(&sink->proc, "{\"port\": ", START_MS, line, sizeof(line));
    sink->port = atoi(line + strlen("{\"port\": "));
    ck_assert_int_gt(sink->port, 0);
}

void mr_sink_stop(struct mr_sink *sink)
{
    close(sink->in);
    mr_proc_kill(&sink->proc);
}

json_t *mr_sink_mails(const struct mr_sink *sink)
{
    json_t *mails = json_array();
    FILE *file = fopen(sink->out, "re");
    json_t *mail;

    /* A line that is still being written does not parse yet. */
    while (file && (mail = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)))
        json_array_append_new(mails, mail);
    if (file)
        fclose(file);
    return mails;
}

size_t mr_sink_count(const struct mr_sink *sink)
{
    json_t *mails = mr_sink_mails(sink);
    size_t n = json_array_size(mails);

    json_decref(mails);
    return n;
}

void mr_sink_certify(const char *dir, const char *name)
{
    char command[512];

    snprintf(
        command, sizeof(command),
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=%s -addext subjectAltName=IP:127.0.0.1 -keyout %s/%s.key -out %s/%s.crt "
        "2>/dev/null",
        name, dir, name, dir, name);
    ck_assert_msg(system(command) == 0, "openssl made no certificate: %s", command);
}
