#include "ops/workerctl/commands.h"
#include "proto/base/str.h"

#include <stdio.h>
#include <sysexits.h>

static const struct mr_config *load(struct mr_session *session, int argc, char **argv)
{
    if (argc > 0)
        session->options.config = argv[0];
    return mr_session_config(session);
}

static int print(struct mr_buf *text)
{
    fputs(text->at ? text->at : "", stdout);
    mr_buf_fini(text);
    return 0;
}

int mr_command_config_check(struct mr_session *session, int argc, char **argv)
{
    const struct mr_config *config = load(session, argc, argv);

    if (!config)
        return EX_CONFIG;
    printf("%s: good, %u pool%s\n", config->source, config->n_pools,
           config->n_pools == 1 ? "" : "s");
    return 0;
}

int mr_command_config_show(struct mr_session *session, int argc, char **argv)
{
    const struct mr_config *config = load(session, argc, argv);
    struct mr_buf text = {0};

    if (!config)
        return EX_CONFIG;
    mr_config_print(config, false, &text);
    return print(&text);
}

int mr_command_config_docs(struct mr_session *session, int argc, char **argv)
{
    struct mr_buf text = {0};

    (void)session;
    (void)argc;
    (void)argv;
    mr_config_docs(&text);
    return print(&text);
}
