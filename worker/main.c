/* millrace-worker: one process of a pool, started by the dispatcher, or by hand for benches and debuggers. */
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/config.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PULSE_FD = 3, PAGE_FD = 4, CONFIG_FD = 5 };
enum { EXIT_MISUSE = 64, EXIT_OUR_BUG = 70, EXIT_BAD_CONFIG = 78 };

struct arguments {
    const char *config, *pool, *worker;
    bool check, one_by_one;
};

static const char usage[] =
    "Usage: millrace-worker [--config FILE] [--pool NAME]\n"
    "One worker process. The dispatcher starts it; by hand it registers and renews itself.\n"
    "\n"
    "  -c, --config FILE  configuration; default $MILLRACE_CONFIG, else the environment alone\n"
    "  -p, --pool NAME    the pool to serve; default the first\n"
    "      --worker ID    incarnation, with fds 3, 4 and 5 as the dispatcher passes them\n"
    "      --one-by-one   fetch one job at a time until one has ended; the dispatcher says so "
    "where\n"
    "                     workers die before a job begins, to find out which job it is\n"
    "      --check        check the configuration and leave\n"
    "      --version, --help\n";

/* Returns an exit status, or -1 to go on. */
static int parse_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {
        {"config",     required_argument, NULL, 'c'},
        {"pool",       required_argument, NULL, 'p'},
        {"worker",     required_argument, NULL, 'w'},
        {"one-by-one", no_argument,       NULL, 'o'},
        {"check",      no_argument,       NULL, 'k'},
        {"version",    no_argument,       NULL, 'v'},
        {"help",       no_argument,       NULL, 'h'},
        {NULL,         0,                 NULL, 0  },
    };

    *out = (struct arguments){.config = getenv("MILLRACE_CONFIG")};
    for (int c; (c = getopt_long(argc, argv, "c:p:h", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            out->config = optarg;
            break;
        case 'p':
            out->pool = optarg;
            break;
        case 'w':
            out->worker = optarg;
            break;
        case 'o':
            out->one_by_one = true;
            break;
        case 'k':
            out->check = true;
            break;
        case 'v':
            puts("millrace-worker " MR_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return EXIT_MISUSE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "millrace-worker: %s: no such argument\n%s", argv[optind], usage);
        return EXIT_MISUSE;
    }
    return -1;
}

/* The configuration the dispatcher accepted, resolved, in a sealed memfd: never a file again. */
static enum mr_code load_from_fd(struct mr_config **out, struct mr_config_errors *errors)
{
    struct stat stat;

    if (fstat(CONFIG_FD, &stat) != 0 || stat.st_size <= 0)
        return MR_EIO;
    char *text = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, CONFIG_FD, 0);
    if (text == MAP_FAILED)
        return MR_EIO;
    enum mr_code code = mr_config_parse(text, (size_t)stat.st_size, "fd 5", out, errors);
    munmap(text, (size_t)stat.st_size);
    close(CONFIG_FD);
    return code;
}

static struct mr_config *load(const struct arguments *arguments)
{
    struct mr_config_errors errors = {0};
    struct mr_config *config = NULL;
    enum mr_code code =
        arguments->worker
            ? load_from_fd(&config, &errors)
            : mr_config_load(arguments->config, (const char *const *)environ, &config, &errors);

    for (unsigned i = 0; i < errors.n_lines; i++)
        fprintf(stderr, "%s\n", errors.lines[i]);
    if (code == MR_EIO)
        fputs("millrace-worker: --worker needs the configuration on fd 5\n", stderr);
    mr_config_errors_fini(&errors);
    return config;
}

static void keep_fds_from_children(const struct arguments *arguments)
{
    if (!arguments->worker)
        return;
    fcntl(PULSE_FD, F_SETFD, FD_CLOEXEC);
    fcntl(PAGE_FD, F_SETFD, FD_CLOEXEC);
}

static int serve(const struct arguments *arguments, const struct mr_config *config)
{
    struct mr_worker_options options = {
        .pool = arguments->pool,
        .worker = arguments->worker,
        .pulse_fd = arguments->worker ? PULSE_FD : -1,
        .page_fd = arguments->worker ? PAGE_FD : -1,
        .one_by_one = arguments->one_by_one,
    };
    struct mr_err err;
    struct mr_worker *worker = mr_zalloc(sizeof(*worker));
    uv_loop_t loop;
    int status;

    uv_loop_init(&loop);
    if (mr_worker_init(worker, &loop, config, &options, &err) != MR_OK) {
        mr_log_error("worker.failed", "why=%s", err.text);
        return err.code == MR_EINVAL ? EXIT_BAD_CONFIG : EXIT_OUR_BUG;
    }
    status = mr_worker_run(worker);
    mr_worker_fini(worker);
    free(worker);
    uv_loop_close(&loop);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    int status = parse_arguments(argc, argv, &arguments);

    if (status >= 0)
        return status;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write past the limit of file sizes fails, and says so */
    keep_fds_from_children(&arguments);
    struct mr_config *config = load(&arguments);
    if (!config)
        return EXIT_BAD_CONFIG;
    mr_log_open("worker", config->log.level, config->log.format);
    status = arguments.check ? 0 : serve(&arguments, config);
    mr_config_free(config);
    return status;
}
