#include "proto/config_email.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* One mail server's options, and where they stand. */
struct written {
    const char *path; /* "email", "email.relays.backup" */
    const json_t *options;
    const struct mr_yaml *node;
    struct mr_config_errors *errors;
};

static struct mr_place place_of(const struct written *w, const char *option)
{
    const struct mr_yaml *value = mr_yaml_get(w->node, option);

    return value ? value->at : w->node->at;
}

static bool has(const struct written *w, const char *option)
{
    return json_object_get(w->options, option) != NULL;
}

static void check_login(const struct written *w)
{
    const char *auth = json_string_value(json_object_get(w->options, "auth"));
    bool secret = has(w, "password") || has(w, "token_file");

    if (has(w, "password") && has(w, "token_file"))
        mr_config_errors_add(w->errors, place_of(w, "token_file"),
                             "%s has both a password and a token_file: leave one out", w->path);
    if (auth && strcmp(auth, "auto") != 0 && (!has(w, "username") || !secret))
        mr_config_errors_add(w->errors, place_of(w, "auth"),
                             "%s.auth: %s needs %s.username, and %s.password or "
                             "%s.token_file",
                             w->path, auth, w->path, w->path, w->path);
}

static void check_relay(const char *name, const struct written *w, bool has_default)
{
    struct mr_place at = w->node->key_at;

    if (!has(w, "url"))
        mr_config_errors_add(w->errors, at,
                             "%s needs a url, such as smtp://mail.example.org:587", w->path);
    if (has_default && strcmp(name, "default") == 0)
        mr_config_errors_add(w->errors, at,
                             "%s is the mail server of email.url: give this one another name",
                             w->path);
    check_login(w);
}

/* "Shop <shop@example.org>" or "shop@example.org"; what is inside of it is for the mail's own reader. */
static bool is_mailbox(const char *text)
{
    const char *open = strrchr(text, '<'), *at = strrchr(text, '@');
    size_t len = strlen(text);
    bool angled = open && text[len - 1] == '>';
    const char *bare = angled ? open + 1 : text, *end = text + len - angled;

    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return at && at > bare && at + 1 < end && !memchr(bare, ' ', (size_t)(end - bare));
}

/* What would otherwise be found with the first mail, and kill it. */
static void check_words(const struct written *w)
{
    static const char host[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]";
    const char *from = json_string_value(json_object_get(w->options, "from"));
    const char *ehlo = json_string_value(json_object_get(w->options, "ehlo"));

    if (from && !is_mailbox(from))
        mr_config_errors_add(w->errors, place_of(w, "from"),
                             "%s.from must be an address, such as Shop <shop@example.org>",
                             w->path);
    if (ehlo && (!*ehlo || ehlo[strspn(ehlo, host)]))
        mr_config_errors_add(w->errors, place_of(w, "ehlo"),
                             "%s.ehlo must be a host's name, such as mail.example.org",
                             w->path);
}

void mr_config_check_email(const struct mr_yaml *root, const json_t *values,
                           struct mr_config_errors *errors)
{
    const json_t *email = json_object_get(values, "email");
    const struct mr_yaml *node = mr_yaml_get(root, "email");
    struct written own = {"email", email, node, errors};
    const char *name;
    json_t *relay;

    if (!node)
        return; /* nothing is said of mail */
    check_login(&own);
    check_words(&own);
    json_object_foreach(json_object_get(email, "relays"), name, relay)
    {
        char *path = mr_asprintf("email.relays.%s", name);
        struct written w = {path, relay, mr_yaml_get(mr_yaml_get(node, "relays"), name),
                            errors};

        check_relay(name, &w, has(&own, "url"));
        free(path);
    }
}
