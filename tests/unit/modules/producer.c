/* A producer as a user writes it: built against the installed header and library, outside of this tree. */
#include <millrace.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct millrace_options options = {0};
    struct millrace_job job = {0};
    char error[256], uuid[MILLRACE_UUID_SIZE] = "";

    if (argc != 2)
        return 64;
    options.url = argv[1];
    struct millrace *client = millrace_open(&options, error, sizeof(error));
    if (!client) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    job.job = "email.send";
    job.data = "{\"to\":\"ann@example.org\"}";
    enum millrace_result result = millrace_push(client, "default", &job, uuid);
    printf("%s: %s\n", millrace_result_name(result), millrace_error(client));
    millrace_close(client);
    return result == MILLRACE_DOWN && strlen(uuid) == 0 ? 0 : 1;
}
