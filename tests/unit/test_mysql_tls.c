/* TLS to the database: encrypted where it was asked for, refused where it cannot be had. */
#include "tests/support/mysql_scene.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_mysql_scene scene;
static struct mr_delivery delivery;
static struct mr_err err;
static char dir[] = "/tmp/mr-XXXXXX";

/* with: the server has a certificate for 127.0.0.1 that vouches for itself. */
static void init(bool with)
{
    static char cert[64], key[64];
    const char *const tls[] = {cert, key, NULL}, *const none[] = {"--skip-ssl", NULL};

    ck_assert_ptr_nonnull(mkdtemp(dir));
    mr_sink_certify(dir, "server");
    mr_sink_certify(dir, "stranger");
    snprintf(cert, sizeof(cert), "--ssl-cert=%s/server.crt", dir);
    snprintf(key, sizeof(key), "--ssl-key=%s/server.key", dir);
    mr_mysql_scene_init(&scene, true, with ? tls : none);
}

static void fini(void)
{
    char command[64];

    mr_mysql_scene_fini(&scene);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

/* ca: whose certificate vouches, or NULL; more: further members of the section. */
static enum mr_code connect_with(const char *tls, const char *ca, const char *more,
                                 struct mr_mysql_conn **out)
{
    char options[256], file[96] = "";

    if (ca)
        snprintf(file, sizeof(file), ", \"ca_file\": \"%s/%s.crt\"", dir, ca);
    snprintf(options, sizeof(options), "{\"tls\": \"%s\"%s%s}", tls, file, more);
    mr_mysql_scene_use(&scene, options);
    return mr_mysql_take(scene.mysql, MR_MYSQL_WRITE, mr_mysql_scene_job(&delivery, 0), out,
                         &err);
}

static void is_served(const char *tls, const char *ca, bool encrypted)
{
    struct mr_mysql_conn *conn = NULL;

    ck_assert_msg(connect_with(tls, ca, "", &conn) == MR_OK, "%s", err.text);
    char *cipher =
        mr_mysql_scene_text(conn,
                            "SELECT variable_value FROM "
                            "information_schema.session_status WHERE variable_name = "
                            "'Ssl_cipher'",
                            NULL, 0);
    ck_assert_int_eq(cipher && *cipher, encrypted);
    free(cipher);
    mr_mysql_give(conn);
    ck_assert_ptr_eq(mr_mysql_scene_take(&scene, mr_mysql_scene_job(&delivery, 0)), conn);
    mr_mysql_give(conn); /* good to be lent again: TLS' own records are no sign of an end */
}

static void is_refused(const char *tls, const char *ca, const char *more)
{
    struct mr_mysql_conn *conn = NULL;

    ck_assert_int_eq(connect_with(tls, ca, more, &conn), MR_EFAULT);
    ck_assert_ptr_null(conn);
    ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1"));
}

START_TEST(off_is_in_clear)
{
    init(true);
    is_served("off", NULL, false);
    fini();
}
END_TEST

START_TEST(on_is_encrypted_whoever_the_server_is)
{
    init(true);
    is_served("on", NULL, true);
    fini();
}
END_TEST

START_TEST(on_refuses_a_server_without_tls)
{
    init(false);
    is_refused("on", NULL, "");
    fini();
}
END_TEST

START_TEST(verify_takes_the_server_that_its_authority_knows)
{
    init(true);
    is_served("verify", "server", true);
    fini();
}
END_TEST

START_TEST(verify_refuses_a_server_without_tls)
{
    init(false);
    is_refused("verify", "server", "");
    fini();
}
END_TEST

START_TEST(verify_refuses_a_stranger)
{
    init(true);
    is_refused("verify", "stranger", "");
    fini();
}
END_TEST

START_TEST(verify_refuses_whom_the_systems_authorities_do_not_know)
{
    init(true);
    is_refused("verify", NULL, "");
    fini();
}
END_TEST

/* The certificate is for 127.0.0.1. */
START_TEST(verify_refuses_a_server_under_another_name)
{
    struct mr_mysql_conn *conn = NULL;

    init(true);
    ck_assert_int_eq(connect_with("verify", "server", ", \"host\": \"localhost\"", &conn),
                     MR_EFAULT);
    fini();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {off_is_in_clear,                                         0},
        {on_is_encrypted_whoever_the_server_is,                   0},
        {on_refuses_a_server_without_tls,                         0},
        {verify_takes_the_server_that_its_authority_knows,        0},
        {verify_refuses_a_server_without_tls,                     0},
        {verify_refuses_a_stranger,                               0},
        {verify_refuses_whom_the_systems_authorities_do_not_know, 0},
        {verify_refuses_a_server_under_another_name,              0},
    };

    return mr_suite_run("mysql_tls", tests);
}
