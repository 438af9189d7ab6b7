/* workerctl: shows and steers a millrace. */
#include "ops/workerctl/commands.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <curl/curl.h>
#include <getopt.h>
#include <locale.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* An option of some commands or, where these are NULL, of all. */
struct option_row {
    const char *name, *value; /* value NULL: takes none */
    const char *commands;     /* words: "pause", "push"; "dead" stands for all that begin so */
    size_t offset;            /* in struct mr_options */
    const char *help;
};

#define AT(field) offsetof(struct mr_options, field)

/* clang-format off */
static const struct option_row rows[] = {
    {"config",  "FILE",       NULL,         AT(config),    "the dispatcher's configuration (else $MILLRACE_CONFIG)"},
    {"socket",  "PATH",       NULL,         AT(socket),    "its control socket (else $MILLRACE_SOCKET, else as configured)"},
    {"url",     "URL",        NULL,         AT(url),       "http://host:port instead of the socket; $MILLRACE_TOKEN is sent along"},
    {"output",  "table|json", NULL,         AT(output),    "how to print (default: table)"},
    {"redis",   "URL",        "push",       AT(redis),     "push straight to this Redis, without a dispatcher"},
    {"prefix",  "TEXT",       "push",       AT(prefix),    "of every key, with --redis"},
    {"for",     "SPAN",       "pause",      AT(pause_for), "resume by itself after 10m"},
    {"delay",   "SPAN",       "push",       AT(delay),     "not before 10s have passed"},
    {"tries",   "N",          "push",       AT(tries),     "attempts in all; 0: no bound"},
    {"timeout", "SPAN",       "push",       AT(timeout),   "deadline of one attempt"},
    {"backoff", "LIST",       "push",       AT(backoff),   "seconds between attempts: 1,10,60"},
    {"uuid",    "TEXT",       "push",       AT(uuid),      "the job's own name (default: a new UUIDv7)"},
    {"lines",   NULL,         "push",       AT(lines),     "each line of standard input is the data of one job"},
    {"job",     "NAME",       "dead",       AT(job),       "letters of this job"},
    {"class",   "CLASS",      "dead",       AT(class),     "letters that died so: failed, exhausted, crashed, ..."},
    {"all",     NULL,         "dead",       AT(all),       "every letter of the queue"},
    {"limit",   "N",          "dead",       AT(limit),     "at most so many rows (default: 50)"},
    {"cursor",  "ID",         "dead",       AT(cursor),    "rows behind this letter"},
    {"dry-run", NULL,         "db migrate", AT(dry_run),   "say what would be done and do nothing"},
    {"id",      "TEXT",       "billing resolve", AT(id),   "what the provider calls the charge"},
};
/* clang-format on */

enum { OPTIONS = sizeof(rows) / sizeof(rows[0]), HELP = OPTIONS, VERSION };
enum { COMMANDS_MAX = 32 };

/* ---- help, out of the tables ---- */

static void print_row(const char *left, const char *right)
{
    printf("  %-36s %s\n", left, right);
}

static void print_options(const char *command)
{
    char left[64];

    for (size_t i = 0; i < OPTIONS; i++) {
        bool own = rows[i].commands && command && strcmp(rows[i].commands, command) == 0;

        if (!(command ? own : !rows[i].commands))
            continue;
        char key = rows[i].offset == AT(config) ? 'c' : rows[i].offset == AT(output) ? 'o' : 0;
        snprintf(left, sizeof(left), "%c%c%s--%s%s%s", key ? '-' : ' ', key ? key : ' ',
                 key ? ", " : "  ", rows[i].name, rows[i].value ? " " : "",
                 rows[i].value ? rows[i].value : "");
        print_row(left, rows[i].help);
    }
}

static void print_commands(void)
{
    char left[64];

    for (unsigned i = 0; i < mr_n_commands; i++) {
        snprintf(left, sizeof(left), "%s %s", mr_commands[i].name, mr_commands[i].args);
        print_row(left, mr_commands[i].help);
    }
}

static void help(void)
{
    puts("usage: workerctl [options] COMMAND ...\n");
    print_commands();
    puts("\nfor every command:");
    print_options(NULL);
    puts("\nof pause:");
    print_options("pause");
    puts("\nof push:");
    print_options("push");
    puts("\nof dead:");
    print_options("dead");
    puts("\nof db migrate:");
    print_options("db migrate");
    puts("\nof billing resolve:");
    print_options("billing resolve");
    puts("\nexit status: 0 done, 1 answered but no, 64 misuse, 69 nobody answers, 78 bad "
         "configuration");
}

/* ---- the command line ---- */

static int misuse(const char *what, const char *word, const char *near)
{
    fprintf(stderr, "workerctl: %s '%s'%s%s%s\ntry workerctl --help\n", what, word,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return EX_USAGE;
}

static void fill_options(struct option *options)
{
    for (int i = 0; i < OPTIONS; i++)
        options[i] = (struct option){rows[i].name,
                                     rows[i].value ? required_argument : no_argument, NULL, i};
    options[OPTIONS] = (struct option){"help", no_argument, NULL, HELP};
    options[OPTIONS + 1] = (struct option){"version", no_argument, NULL, VERSION};
    options[OPTIONS + 2] = (struct option){0};
}

static void set(struct mr_options *options, size_t offset, const char *value)
{
    memcpy((char *)options + offset, &value, sizeof(value));
}

static int unknown_option(const char *word)
{
    const char *names[OPTIONS];

    for (size_t i = 0; i < OPTIONS; i++)
        names[i] = rows[i].name;
    return misuse("cannot use the option", word,
                  mr_str_nearest(word + strspn(word, "-"), names, OPTIONS));
}

/* Reads the options wherever they stand. -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct mr_options *out)
{
    struct option options[OPTIONS + 3];

    fill_options(options);
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, "c:o:h", options, NULL)) != -1;) {
        if (found == 'h' || found == HELP) {
            help();
            return 0;
        }
        if (found == VERSION) {
            puts("workerctl " MR_VERSION);
            return 0;
        }
        if (found == '?')
            return unknown_option(argv[optind - 1]);
        if (found == 'c' || found == 'o')
            set(out, found == 'c' ? AT(config) : AT(output), optarg);
        else
            set(out, rows[found].offset, optarg ? optarg : "");
    }
    return -1;
}

/* The command whose words the line begins with; words is how many of them. */
static const struct mr_command *find_command(int argc, char **argv, int *words)
{
    for (unsigned i = 0; i < mr_n_commands; i++) {
        const char *name = mr_commands[i].name;
        const char *blank = strchr(name, ' ');
        size_t first = blank ? (size_t)(blank - name) : strlen(name);
        bool begins =
            argc > 0 && strlen(argv[0]) == first && strncmp(argv[0], name, first) == 0;

        *words = blank ? 2 : 1;
        if (begins && (!blank || (argc > 1 && strcmp(argv[1], blank + 1) == 0)))
            return &mr_commands[i];
    }
    return NULL;
}

/* "dead" alone, or with a word it does not know: shows what goes with it. */
static int unknown_in_group(const char *group)
{
    size_t len = strlen(group);

    fprintf(stderr, "workerctl: %s what? One of:\n", group);
    for (unsigned i = 0; i < mr_n_commands; i++)
        if (strncmp(mr_commands[i].name, group, len) == 0 && mr_commands[i].name[len] == ' ')
            fprintf(stderr, "  workerctl %s %s\n", mr_commands[i].name, mr_commands[i].args);
    return EX_USAGE;
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS_MAX];

    if (strcmp(word, "dead") == 0 || strcmp(word, "config") == 0 || strcmp(word, "db") == 0 ||
        strcmp(word, "billing") == 0)
        return unknown_in_group(word);
    for (unsigned i = 0; i < mr_n_commands && i < COMMANDS_MAX; i++)
        names[i] = mr_commands[i].name;
    return misuse("there is no command", word, mr_str_nearest(word, names, mr_n_commands));
}

/* An option that this command does not know would be ignored in silence: refuse it. */
static int check_options(const struct mr_options *options, const struct mr_command *command)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *value;
        size_t len = rows[i].commands ? strlen(rows[i].commands) : 0;

        memcpy(&value, (const char *)options + rows[i].offset, sizeof(value));
        bool fits = strncmp(command->name, rows[i].commands ? rows[i].commands : "", len) == 0;
        if (value && !fits) {
            fprintf(stderr, "workerctl: --%s is for %s, not for %s\n", rows[i].name,
                    rows[i].commands, command->name);
            return EX_USAGE;
        }
    }
    if (options->output && strcmp(options->output, "json") != 0 &&
        strcmp(options->output, "table") != 0)
        return misuse("-o takes table or json, not", options->output, NULL);
    return 0;
}

static int run(struct mr_session *session, int argc, char **argv)
{
    int words = 0;

    if (argc == 0) {
        fputs("workerctl: say a command; workerctl --help lists them\n", stderr);
        return EX_USAGE;
    }
    const struct mr_command *command = find_command(argc, argv, &words);
    if (!command)
        return unknown_command(argv[0]);
    int status = check_options(&session->options, command);
    if (status)
        return status;
    int n = argc - words;
    if (n < command->least || (command->most >= 0 && n > command->most)) {
        fprintf(stderr, "usage: workerctl %s %s\n", command->name, command->args);
        return EX_USAGE;
    }
    return command->run(session, n, argv + words);
}

int main(int argc, char **argv)
{
    struct mr_session session = {0};

    setlocale(LC_CTYPE, "");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = read_options(argc, argv, &session.options);
    if (status < 0)
        status = run(&session, argc - optind, argv + optind);
    mr_session_fini(&session);
    curl_global_cleanup();
    return fflush(stdout) == 0 ? status : EX_IOERR;
}
