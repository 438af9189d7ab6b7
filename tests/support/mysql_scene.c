#include "tests/support/mysql_scene.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "tests/support/replica.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

/* What stands around the database, which runs. */
static void set_up(struct mr_mysql_scene *scene)
{
    static const char *const queues[] = {"default"};
    const struct mr_page_shape shape = {1, 1, 1, 1};

    mr_mariadb_do(&scene->db, "CREATE TABLE grain (id BIGINT PRIMARY KEY, kind LONGTEXT) "
                              "ENGINE = InnoDB DEFAULT CHARSET = utf8mb4");
    ck_assert_int_eq(mr_page_create_private(&shape, "w-1", "test", queues, &scene->page, NULL),
                     MR_OK);
    mr_host_init(&scene->host, NULL, &scene->config, &scene->pool, &scene->page);
}

void mr_mysql_scene_init(struct mr_mysql_scene *scene, bool tcp, const char *const *args)
{
    memset(scene, 0, sizeof(*scene));
    if (tcp)
        mr_mariadb_start_tcp(&scene->db, args);
    else
        mr_mariadb_start(&scene->db, args);
    set_up(scene);
}

void mr_mysql_scene_init_primary(struct mr_mysql_scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    mr_replica_primary_start(&scene->db, NULL);
    set_up(scene);
}

enum mr_code mr_mysql_scene_open(struct mr_mysql_scene *scene, const char *options,
                                 struct mr_err *err)
{
    json_t *sections = json_loads(scene->db.config, 0, NULL);
    json_t *over = options ? json_loads(options, 0, NULL) : json_object();

    ck_assert_ptr_nonnull(sections);
    ck_assert_ptr_nonnull(over);
    json_object_update_new(json_object_get(sections, "mysql"), over);
    json_decref(scene->config.sections);
    scene->config.sections = sections;
    return mr_mysql_get(&scene->host, &scene->mysql, err);
}

void mr_mysql_scene_use(struct mr_mysql_scene *scene, const char *options)
{
    struct mr_err err = {0};

    ck_assert_msg(mr_mysql_scene_open(scene, options, &err) == MR_OK, "%s", err.text);
}

void mr_mysql_scene_fini(struct mr_mysql_scene *scene)
{
    mr_host_fini(&scene->host);
    json_decref(scene->config.sections);
    mr_page_unmap(&scene->page);
    mr_mariadb_stop(&scene->db);
}

struct mr_job *mr_mysql_scene_job(struct mr_delivery *delivery, uint64_t ms)
{
    memset(delivery, 0, sizeof(*delivery));
    delivery->deadline_at_ms = ms ? mr_clock_ms() + ms : UINT64_MAX;
    return mr_delivery_job(delivery);
}

uint64_t mr_mysql_scene_count(struct mr_mysql_scene *scene, const char *counter)
{
    const struct mr_page_header *header = scene->page.header;

    for (unsigned i = 0; i < MR_PAGE_COUNTERS; i++)
        if (strncmp(header->counter_names[i], counter, MR_PAGE_NAME) == 0)
            return header->counters[i];
    return 0;
}

struct mr_mysql_conn *mr_mysql_scene_take(struct mr_mysql_scene *scene, struct mr_job *job)
{
    struct mr_mysql_conn *conn = NULL;
    struct mr_err err = {0};

    ck_assert_msg(mr_mysql_take(scene->mysql, MR_MYSQL_WRITE, job, &conn, &err) == MR_OK, "%s",
                  err.text);
    return conn;
}

enum mr_code mr_mysql_scene_run(struct mr_mysql_conn *conn, const char *sql, struct mr_err *err)
{
    return mr_mysql_run(conn, sql, NULL, 0, NULL, NULL, err);
}

struct first {
    char *text;
    bool seen;
};

static enum mr_code on_first(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    struct first *first = arg;

    (void)err;
    if (!first->seen && row->values[0].at)
        first->text = mr_strndup(row->values[0].at, row->values[0].len);
    first->seen = true;
    return MR_OK;
}

char *mr_mysql_scene_text(struct mr_mysql_conn *conn, const char *sql,
                          const struct mr_sql_value *values, unsigned n)
{
    struct first first = {0};
    struct mr_err err = {0};

    ck_assert_msg(mr_mysql_query(conn, sql, values, n, NULL, on_first, &first, &err) == MR_OK,
                  "%s: %s", sql, err.text);
    return first.text;
}

enum mr_code mr_mysql_scene_ignore(void *arg, const struct mr_sql_row *row, struct mr_err *err)
{
    (void)arg;
    (void)row;
    (void)err;
    return MR_OK;
}
