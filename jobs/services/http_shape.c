#include "jobs/services/http_own.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHAPES_MAX =
        16, /* known at once; one that is forgotten costs the next request like it as much as the first */
    IDLE_MAX = 20, /* handles of each, some KB apiece */
    KEY_MAX = 4096 /* what is longer is hardly asked again */
};

/* ---- its key ---- */

/* Absent and empty are two things. */
static void add_text(struct mr_buf *key, const char *text)
{
    mr_buf_char(key, text ? '+' : '-');
    if (text)
        mr_buf_add(key, text, strlen(text) + 1);
}

static void write_key(struct mr_buf *key, const struct mr_http_request *request)
{
    mr_buf_char(key, request->body.at ? 'b' : '-');
    mr_buf_char(key, request->from_payload ? 'p' : '-');
    add_text(key, request->method);
    add_text(key, request->url);
    add_text(key, request->username);
    add_text(key, request->password);
    add_text(key, request->ca_file);
    for (const char *const *allow = request->allow; allow && *allow; allow++)
        add_text(key, *allow);
}

/* ---- life ---- */

static struct mr_http_shape *new_shape(struct mr_http_client *client)
{
    struct mr_http_shape *shape = mr_zalloc(sizeof(*shape));

    mr_list_init(&shape->node);
    mr_list_init(&shape->idle);
    shape->client = client;
    shape->refs = 1;
    return shape;
}

static void free_idle(struct mr_http_shape *shape)
{
    struct mr_http_handle *handle;

    while ((handle = mr_http_shape_take(shape)))
        mr_http_handle_free(handle);
}

void mr_http_shape_put(struct mr_http_shape *shape)
{
    if (--shape->refs > 0)
        return;
    free_idle(shape);
    mr_http_shape_clear(shape);
    mr_buf_fini(&shape->key);
    free(shape);
}

static void forget(struct mr_http_shape *shape)
{
    mr_list_remove(&shape->node);
    shape->client->n_shapes--;
    shape->known = false;
    free_idle(shape);
    mr_http_shape_put(shape);
}

static void remember(struct mr_http_shape *shape)
{
    struct mr_http_client *client = shape->client;

    if (client->n_shapes >= SHAPES_MAX)
        forget(mr_list_entry(client->shapes.prev, struct mr_http_shape, node));
    mr_list_push_front(&client->shapes, &shape->node);
    client->n_shapes++;
    shape->known = true;
    shape->refs++;
}

static struct mr_http_shape *find(struct mr_http_client *client, const struct mr_buf *key)
{
    mr_list_each (node, &client->shapes) {
        struct mr_http_shape *shape = mr_list_entry(node, struct mr_http_shape, node);

        if (shape->key.len == key->len && memcmp(shape->key.at, key->at, key->len) == 0)
            return shape;
    }
    return NULL;
}

/* Takes the key over. */
static enum mr_code read_new(struct mr_http_client *client, struct mr_buf *key,
                             const struct mr_http_request *request, struct mr_http_shape **out,
                             struct mr_err *err)
{
    struct mr_http_shape *shape = new_shape(client);
    enum mr_code code = mr_http_shape_read(shape, request, err);

    shape->key = *key;
    *key = (struct mr_buf){0};
    if (code != MR_OK) {
        mr_http_shape_put(shape);
        return code;
    }
    if (shape->key.len <= KEY_MAX)
        remember(shape);
    *out = shape;
    return MR_OK;
}

enum mr_code mr_http_shape_get(struct mr_http_client *client,
                               const struct mr_http_request *request,
                               struct mr_http_shape **out, struct mr_err *err)
{
    struct mr_buf key = {0};
    enum mr_code code = MR_OK;

    write_key(&key, request);
    struct mr_http_shape *shape = find(client, &key);
    if (shape) {
        mr_list_remove(&shape->node);
        mr_list_push_front(&client->shapes, &shape->node);
        shape->refs++;
        *out = shape;
    } else {
        code = read_new(client, &key, request, out, err);
    }
    mr_buf_fini(&key);
    return code;
}

struct mr_http_shape *mr_http_shape_part(struct mr_http_shape *shape)
{
    if (shape->refs == 1)
        return shape;
    struct mr_http_shape *own = new_shape(shape->client);
    mr_http_shape_copy(own, shape);
    mr_http_shape_put(shape);
    return own;
}

void mr_http_shapes_close(struct mr_http_client *client)
{
    mr_list_each_safe (node, &client->shapes)
        forget(mr_list_entry(node, struct mr_http_shape, node));
}

/* ---- its idle handles ---- */

void mr_http_shape_keep(struct mr_http_shape *shape, struct mr_http_handle *handle)
{
    if (!shape->known || shape->n_idle >= IDLE_MAX) {
        mr_http_handle_free(handle);
        return;
    }
    mr_list_push_front(&shape->idle, &handle->node);
    shape->n_idle++;
}

struct mr_http_handle *mr_http_shape_take(struct mr_http_shape *shape)
{
    if (mr_list_empty(&shape->idle))
        return NULL;
    struct mr_list *first = shape->idle.next;
    mr_list_remove(first);
    shape->n_idle--;
    return mr_list_entry(first, struct mr_http_handle, node);
}
