/* millrace-dispatcher: keeps the pools of this host's workers alive. */
#include "dispatcher/dispatcher.h"
#include "proto/base/log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "usage: millrace-dispatcher [-c FILE] [--check]\n"
    "\n"
    "  -c, --config FILE   the configuration (default: $MILLRACE_CONFIG, else environment "
    "alone)\n"
    "      --check         check the configuration, say what is wrong, start nothing\n"
    "      --version, --help\n"
    "\n"
    "signals: TERM, INT drain (twice: faster); HUP reloads the configuration\n"
    "exit status: 0 drained, 64 misuse, 70 our bug, 75 busy: try again, 78 bad configuration\n";

struct arguments {
    const char *config;
    bool check;
};

/* Ends the process for --help, --version and misuse. */
static struct arguments parse_arguments(int argc, char **argv)
{
    enum { CHECK = 256, VERSION, HELP };
    static const struct option options[] = {
        {"config",     required_argument, NULL, 'c'},
        {"check",        no_argument, NULL, CHECK},
        {"version",            no_argument, NULL, VERSION},
        {"help",no_argument, NULL, HELP},
        {0      },
    };
    struct arguments arguments = {.config = getenv("MILLRACE_CONFIG")};

    for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            arguments.config = optarg;
            break;
        case CHECK:
            arguments.check = true;
            break;
        case VERSION:
            puts("millrace-dispatcher " MR_VERSION);
            exit(EX_OK);
        case HELP:
            fputs(usage, stdout);
            exit(EX_OK);
        default:
            fputs(usage, stderr);
            exit(EX_USAGE);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "millrace-dispatcher: what is '%s'?\n%s", argv[optind], usage);
        exit(EX_USAGE);
    }
    return arguments;
}

static struct mr_config *load(const char *path)
{
    struct mr_config *config = NULL;
    struct mr_config_errors errors = {0};

    if (mr_config_load(path, (const char *const *)environ, &config, &errors) != MR_OK) {
        for (unsigned l = 0; l < errors.n_lines; l++)
            fprintf(stderr, "%s\n", errors.lines[l]);
        exit(EX_CONFIG);
    }
    mr_config_errors_fini(&errors);
    return config;
}

static int run(const char *path, struct mr_config *config)
{
    struct mr_dispatcher dispatcher;
    struct mr_err err;
    uv_loop_t *loop = uv_default_loop();
    int status;

    mr_log_open("dispatcher", config->log.level, config->log.format);
    enum mr_code code = mr_dispatcher_init(&dispatcher, loop, path, config, &err);
    if (code == MR_OK) {
        status = mr_dispatcher_run(&dispatcher);
    } else {
        mr_log_error("dispatcher.not_started", "reason=%s", err.text);
        uv_run(loop, UV_RUN_DEFAULT); /* the parts that had started stop */
        status = code == MR_EBUSY ? EX_TEMPFAIL : EX_CONFIG;
    }
    mr_dispatcher_fini(&dispatcher);
    uv_loop_close(loop);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments = parse_arguments(argc, argv);
    struct mr_config *config = load(arguments.config);

    if (arguments.check) {
        printf("%s: good\n", config->source);
        mr_config_free(config);
        return EX_OK;
    }
    return run(arguments.config, config);
}
