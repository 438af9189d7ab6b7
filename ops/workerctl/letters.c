#include "ops/workerctl/commands.h"
#include "ops/workerctl/render.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static const char *text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static void say(struct mr_buf *out)
{
    fputs(out->at ? out->at : "", stdout);
    mr_buf_fini(out);
}

/* ---- list ---- */

static void add_query(struct mr_buf *query, const char *name, const char *value)
{
    if (!value)
        return;
    mr_buf_printf(query, "%s%s=", query->len ? "&" : "", name);
    mr_api_escape(value, query);
}

static void when(const json_t *record, const char *member, char *out, size_t room)
{
    const json_t *ms = json_object_get(record, member);
    time_t s = (time_t)(json_number_value(ms) / 1000.0);
    struct tm at;

    if (!json_is_number(ms) || !localtime_r(&s, &at) ||
        strftime(out, room, "%Y-%m-%d %H:%M:%S", &at) == 0)
        snprintf(out, room, "-");
}

/* The first line of a reason, as far as a terminal is wide. */
static char *brief(const char *reason)
{
    enum { WIDE = 60 };
    size_t len = strcspn(reason ? reason : "", "\n");

    /* A cut may fall into a character: its rest would show as \x.., so it goes too. */
    if (len > WIDE)
        for (len = WIDE; len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80;)
            len--;
    return mr_strndup(reason ? reason : "", len);
}

static void add_letter(struct mr_table *table, const json_t *record)
{
    char died[32], attempts[24];
    char *reason = brief(text(record, "reason"));

    when(record, "died_at_ms", died, sizeof(died));
    snprintf(attempts, sizeof(attempts), "%lld",
             (long long)json_integer_value(json_object_get(record, "attempts")));
    mr_table_add(table, (const char *const[]){text(record, "id"), text(record, "job"),
                                              text(record, "class"), attempts, died, reason});
    free(reason);
}

static void print_letters(const json_t *list)
{
    static const char *const titles[] = {"ID", "JOB", "CLASS", ">ATTEMPTS", "DIED", "REASON"};
    struct mr_table *table = mr_table_new(titles, MR_COUNT(titles));
    const char *next = text(list, "next");
    struct mr_buf out = {0};
    size_t i;
    json_t *record;

    json_array_foreach(json_object_get(list, "items"), i, record) add_letter(table, record);
    mr_table_print(table, &out);
    mr_table_free(table);
    if (next) {
        mr_buf_text(&out, "more: --cursor ");
        mr_render_safe(next, &out);
        mr_buf_char(&out, '\n');
    }
    say(&out);
}

int mr_command_dead_list(struct mr_session *session, int argc, char **argv)
{
    struct mr_buf query = {0};
    struct mr_api_answer answer;

    (void)argc;
    add_query(&query, "job", session->options.job);
    add_query(&query, "class", session->options.class);
    add_query(&query, "limit", session->options.limit);
    add_query(&query, "cursor", session->options.cursor);
    int status = mr_session_ask(
        session,
        &(struct mr_api_ask){.call = MR_API_DEAD_LIST, .params = {argv[0]}, .query = query.at},
        &answer);
    mr_buf_fini(&query);
    if (status)
        return status;
    if (mr_session_wants_json(session))
        fputs(answer.text, stdout);
    else
        print_letters(answer.json);
    mr_api_answer_fini(&answer);
    return 0;
}

/* ---- show ---- */

/* One member a line: strings as they are, all else as JSON. */
static void print_letter(const json_t *letter)
{
    const char *name;
    json_t *value;
    struct mr_buf out = {0};

    json_object_foreach((json_t *)(uintptr_t)letter, name, value)
    {
        char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_INDENT(2));
        bool spread = json_is_object(value) || json_is_array(value);

        mr_buf_printf(&out, "%-14s ", name);
        if (json_is_string(value))
            mr_render_safe(json_string_value(value), &out);
        else
            mr_buf_printf(&out, "%s%s", spread ? "\n" : "", json ? json : "?");
        mr_buf_char(&out, '\n');
        free(json);
    }
    say(&out);
}

int mr_command_dead_show(struct mr_session *session, int argc, char **argv)
{
    struct mr_api_answer answer;
    int status = mr_session_ask(session,
                                &(struct mr_api_ask){
                                    .call = MR_API_DEAD_SHOW, .params = {argv[0], argv[1]}
    },
                                &answer);

    (void)argc;
    if (status)
        return status;
    if (mr_session_wants_json(session))
        fputs(answer.text, stdout);
    else
        print_letter(answer.json);
    mr_api_answer_fini(&answer);
    return 0;
}

/* ---- retry, drop ---- */

static json_t *choose_ids(int n, char **ids)
{
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_string(ids[i]));
    return json_pack("{s:o}", "ids", list);
}

/* What the words and options choose; NULL when they choose nothing, or in two ways. New reference. */
static json_t *choose(const struct mr_options *options, int n_ids, char **ids)
{
    bool filter = options->job || options->class;

    if ((n_ids > 0) + filter + !!options->all != 1)
        return NULL;
    if (n_ids > 0)
        return choose_ids(n_ids, ids);
    if (options->all)
        return json_pack("{s:b}", "all", 1);
    return json_pack("{s:{s:s*, s:s*}}", "filter", "job", options->job, "class",
                     options->class);
}

static int act(struct mr_session *session, enum mr_api_call call, const char *done, int argc,
               char **argv)
{
    json_t *choice = choose(&session->options, argc - 1, argv + 1);
    struct mr_api_answer answer;

    if (!choice)
        return mr_session_fail(EX_USAGE, "say which letters: their ids, --job or --class, or "
                                         "--all");
    int status = mr_session_ask(
        session, &(struct mr_api_ask){.call = call, .params = {argv[0]}, .body = choice},
        &answer);
    json_decref(choice);
    if (status)
        return status;
    long long n_done = json_integer_value(json_object_get(answer.json, "done"));
    long long n_failed = json_integer_value(json_object_get(answer.json, "failed"));
    if (mr_session_wants_json(session))
        fputs(answer.text, stdout);
    else if (n_failed > 0)
        printf("%s: %lld %s, %lld not there any more\n", argv[0], n_done, done, n_failed);
    else
        printf("%s: %lld %s\n", argv[0], n_done, done);
    mr_api_answer_fini(&answer);
    return n_failed > 0 ? 1 : 0;
}

int mr_command_dead_retry(struct mr_session *session, int argc, char **argv)
{
    return act(session, MR_API_DEAD_RETRY, "back to ready", argc, argv);
}

int mr_command_dead_drop(struct mr_session *session, int argc, char **argv)
{
    return act(session, MR_API_DEAD_DROP, "dropped", argc, argv);
}
