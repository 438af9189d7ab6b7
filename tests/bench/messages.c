/*
 * What a worker that sends text messages is measured beside, with the same request to the same server: the plain loop, one message
 * after the other by curl_easy_perform; and libcurl's multi interface over as many connections as the worker has, which does nothing else.
 *
 *     bench-messages --port N --connections C --messages M --form FILE    FILE holds the body of each request; 0: the plain loop
 */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 64, FORM_MAX = 1 << 16 };

static char form[FORM_MAX];

/* Both ends read their answers: a worker looks for the message's name in it. */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    (void)bytes, (void)arg;
    return size * n;
}

static CURL *new_handle(const char *url, struct curl_slist *headers)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERNAME, "AC1");
    curl_easy_setopt(easy, CURLOPT_PASSWORD, "t");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, form);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    return easy;
}

static void check(CURL *easy, CURLcode result)
{
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK && status == 201)
        return;
    fprintf(stderr, "bench-messages: status %ld, %s\n", status, curl_easy_strerror(result));
    exit(70);
}

/* Each handle that is done begins anew while there are messages left; gives how many were done. */
static unsigned long long go_on(CURLM *multi, unsigned long long *n_left)
{
    unsigned long long n_done = 0;
    int queued;

    for (CURLMsg *news; (news = curl_multi_info_read(multi, &queued)); n_done++) {
        CURL *easy = news->easy_handle;

        check(easy, news->data.result);
        curl_multi_remove_handle(multi, easy);
        if (*n_left == 0)
            continue;
        (*n_left)--;
        curl_multi_add_handle(multi, easy);
    }
    return n_done;
}

static void send_all(const char *url, unsigned connections, unsigned long long messages)
{
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/x-www-form-urlencoded");
    CURL *handles[CONNECTIONS_MAX];
    CURLM *multi = curl_multi_init();
    unsigned long long n_left = messages - connections, n_done = 0;
    int running;

    for (unsigned i = 0; i < connections; i++) {
        handles[i] = new_handle(url, headers);
        curl_multi_add_handle(multi, handles[i]);
    }
    while (n_done < messages) {
        curl_multi_perform(multi, &running);
        n_done += go_on(multi, &n_left);
        if (n_done < messages)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    for (unsigned i = 0; i < connections; i++)
        curl_easy_cleanup(handles[i]);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
}

static void send_each(const char *url, unsigned long long messages)
{
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/x-www-form-urlencoded");
    CURL *easy = new_handle(url, headers);

    for (unsigned long long i = 0; i < messages; i++)
        check(easy, curl_easy_perform(easy));
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
}

static size_t read_form(const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return 0;
    size_t len = fread(form, 1, sizeof(form) - 1, file);
    fclose(file);
    return len;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port",             required_argument, NULL, 'p'},
        {"connections",              required_argument, NULL, 'c'},
        {"messages",                  required_argument, NULL, 'n'},
        {"form",required_argument, NULL, 'f'},
        {0              },
    };
    char url[100] = "";
    unsigned long connections = 0;
    unsigned long long messages = 0;
    const char *path = "";

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'p')
            snprintf(url, sizeof(url),
                     "http://127.0.0.1:%s/2010-04-01/Accounts/AC1/Messages.json", optarg);
        else if (c == 'c')
            connections = strtoul(optarg, NULL, 10);
        else if (c == 'n')
            messages = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            path = optarg;
        else
            return 64;
    }
    if (!*url || connections > CONNECTIONS_MAX || messages < connections ||
        read_form(path) == 0)
        return 64;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (connections == 0)
        send_each(url, messages);
    else
        send_all(url, (unsigned)connections, messages);
    curl_global_cleanup();
    return 0;
}
