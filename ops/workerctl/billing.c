#include "ops/workerctl/audit.h"
#include "ops/workerctl/commands.h"
#include "ops/workerctl/files.h"
#include "ops/workerctl/render.h"
#include "ops/workerctl/undecided.h"
#include "proto/base/mem.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char *text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static long long number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

/* ---- audit ---- */

static void print_findings(const json_t *findings)
{
    static const char *const titles[] = {"CHECK", "SUBJECT", "FINDING"};
    struct mr_table *table = mr_table_new(titles, MR_COUNT(titles));
    size_t i;
    json_t *row;

    json_array_foreach((json_t *)(uintptr_t)findings, i, row)
        mr_table_add(table, (const char *const[]){text(row, "check"), text(row, "subject"),
                                                  text(row, "finding")});
    if (mr_table_rows(table) > 0)
        mr_table_say(table);
    else
        mr_table_free(table);
}

static void print_audit(const struct mr_session *session, const struct mr_storage *storage,
                        const json_t *findings, json_t *counts)
{
    if (mr_session_wants_json(session)) {
        fputs("{\"items\":", stdout);
        json_dumpf(findings, stdout, JSON_COMPACT);
        fputs(",\"next\":null,\"audited\":", stdout);
        json_dumpf(counts, stdout, JSON_COMPACT);
        puts("}");
        return;
    }
    print_findings(findings);
    printf("audited %lld invoices, %lld charges, %lld rows of the ledger%s: %zu findings\n",
           number(counts, "invoices"), number(counts, "charges"), number(counts, "ledger_rows"),
           storage ? "" : " (there is no storage: no PDF was looked for)",
           json_array_size(findings));
}

static int audit(struct mr_session *session, struct mr_database *database, void *arg)
{
    json_t *findings = arg;
    struct mr_storage *storage = NULL;
    json_t *counts = NULL;
    struct mr_err err;
    enum mr_code code = mr_files_open(session->config, &storage, &err);

    if (code == MR_OK || code == MR_ENOTFOUND)
        code = mr_audit_run(database, storage, findings, &err);
    if (code == MR_OK)
        code = mr_audit_count(database, &counts, &err);
    if (code == MR_OK)
        print_audit(session, storage, findings, counts);
    mr_storage_close(storage);
    json_decref(counts);
    if (code != MR_OK)
        return mr_session_fail(mr_database_status(code), "%s", err.text);
    return json_array_size(findings) > 0;
}

int mr_command_billing_audit(struct mr_session *session, int argc, char **argv)
{
    json_t *findings = json_array();
    int status = mr_database_with(session, audit, findings);

    (void)argc;
    (void)argv;
    json_decref(findings);
    return status;
}

/* ---- unknown ---- */

/* What a person should do about it. */
static void set_advice(json_t *item)
{
    const char *advice =
        strcmp(text(item, "state"), "held") == 0
            ? "look at the provider for metadata uuid, then: workerctl billing resolve UUID "
              "ok|refused"
            : "its job finds out by itself; if it is dead: workerctl dead retry";

    json_object_set_new(item, "advice", json_string(advice));
}

static void add_undecided(struct mr_table *table, const json_t *item)
{
    char age[32], amount[40];

    mr_render_span((double)number(item, "age_s"), age);
    snprintf(amount, sizeof(amount), "%lld %s", number(item, "amount_minor"),
             text(item, "currency"));
    mr_table_add(table, (const char *const[]){text(item, "state"), text(item, "kind"),
                                              text(item, "uuid"), text(item, "invoice"), amount,
                                              age, text(item, "provider_id"),
                                              text(item, "message"), text(item, "advice")});
}

static void print_undecided(const struct mr_session *session, json_t *items)
{
    static const char *const titles[] = {"STATE", "KIND",     "UUID",   "INVOICE",   ">MINOR",
                                         ">AGE",  "PROVIDER", "REASON", "WHAT TO DO"};
    struct mr_table *table = mr_table_new(titles, MR_COUNT(titles));
    size_t i;
    json_t *item;

    json_array_foreach(items, i, item)
    {
        set_advice(item);
        add_undecided(table, item);
    }
    if (mr_session_wants_json(session)) {
        fputs("{\"items\":", stdout);
        json_dumpf(items, stdout, JSON_COMPACT);
        puts(",\"next\":null}");
    } else if (mr_table_rows(table) > 0) {
        mr_table_say(table);
        return;
    } else {
        puts("nothing is unknown");
    }
    mr_table_free(table);
}

static int list_undecided(struct mr_session *session, struct mr_database *database, void *arg)
{
    json_t *items = NULL;
    struct mr_err err;
    enum mr_code code = mr_undecided_list(database, &items, &err);

    (void)arg;
    if (code != MR_OK)
        return mr_session_fail(mr_database_status(code), "%s", err.text);
    print_undecided(session, items);
    json_decref(items);
    return 0;
}

int mr_command_billing_unknown(struct mr_session *session, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return mr_database_with(session, list_undecided, NULL);
}

/* ---- resolve ---- */

/* "ann@db-host": the person behind sudo, where there is one. The caller frees it. */
static char *who(void)
{
    const char *name = getenv("SUDO_USER");
    const struct passwd *user = name && *name ? NULL : getpwuid(getuid());
    char host[256] = "";

    if (user)
        name = user->pw_name;
    gethostname(host, sizeof(host) - 1);
    return name && *name ? mr_asprintf("%s@%s", name, host)
                         : mr_asprintf("uid %u@%s", (unsigned)getuid(), host);
}

static int resolve(struct mr_session *session, struct mr_database *database, void *arg)
{
    struct mr_decision *decision = arg;
    struct mr_err err;
    enum mr_code code = mr_undecided_resolve(database, decision, &err);

    (void)session;
    if (code != MR_OK)
        return mr_session_fail(mr_database_status(code), "%s", err.text);
    printf("%s %s is %s, by %s; retry its dead letter, which asks nobody\n", decision->kind,
           decision->uuid, decision->ok ? "ok and in the books" : "refused", decision->by);
    return 0;
}

int mr_command_billing_resolve(struct mr_session *session, int argc, char **argv)
{
    struct mr_decision decision = {
        .uuid = argv[0], .ok = strcmp(argv[1], "ok") == 0, .provider_id = session->options.id};

    (void)argc;
    if (!decision.ok && strcmp(argv[1], "refused") != 0)
        return mr_session_fail(EX_USAGE, "a decision is ok or refused, not '%s'", argv[1]);
    char *by = who();
    decision.by = by;
    int status = mr_database_with(session, resolve, &decision);
    free(by);
    return status;
}
