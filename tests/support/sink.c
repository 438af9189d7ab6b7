#include "tests/support/sink.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

void mr_sink_start(struct mr_peer *sink, const char *dir, const char *const *args)
{
    mr_peer_run(sink, "smtp.py", dir, "mails", -1, args);
}

size_t mr_sink_count(const struct mr_peer *sink)
{
    json_t *mails = mr_peer_lines(sink);
    size_t n = json_array_size(mails);

    json_decref(mails);
    return n;
}

size_t mr_sink_connections(const struct mr_peer *sink)
{
    json_t *mails = mr_peer_lines(sink), *peers = json_object(), *mail;
    size_t i;

    json_array_foreach(mails, i, mail)
    {
        char peer[24];

        snprintf(peer, sizeof(peer), "%lld",
                 (long long)json_integer_value(json_object_get(mail, "peer")));
        json_object_set_new(peers, peer, json_true());
    }
    size_t n = json_object_size(peers);
    json_decref(peers);
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
