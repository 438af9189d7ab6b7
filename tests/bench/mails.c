/*
 * What a worker that sends mail is measured beside: libcurl's multi interface in a bare loop, with the same message, the same server and as
 * many connections.
 *
 *     bench-mails --port N --connections C --mails M --message FILE
 */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 64, MESSAGE_MAX = 1 << 20 };

struct mail {
    size_t n_sent;
};

static char message[MESSAGE_MAX];
static size_t message_len;

static size_t on_wanted(char *out, size_t size, size_t n, void *arg)
{
    struct mail *mail = arg;
    size_t len = message_len - mail->n_sent;

    if (len > size * n)
        len = size * n;
    memcpy(out, message + mail->n_sent, len);
    mail->n_sent += len;
    return len;
}

static void begin(CURLM *multi, CURL *easy, struct mail *mail)
{
    mail->n_sent = 0;
    curl_multi_add_handle(multi, easy);
}

static CURL *new_handle(const char *url, struct curl_slist *to, struct mail *mail)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, "shop@example.org");
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_wanted);
    curl_easy_setopt(easy, CURLOPT_READDATA, mail);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)message_len);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, mail);
    return easy;
}

/* Each handle that is done begins anew while there are mails left; gives how many were done. */
static unsigned long long go_on(CURLM *multi, unsigned long long *n_left)
{
    unsigned long long n_done = 0;
    int queued;

    for (CURLMsg *news; (news = curl_multi_info_read(multi, &queued));) {
        CURL *easy = news->easy_handle;
        char *mail = NULL;

        if (news->data.result != CURLE_OK) {
            fprintf(stderr, "bench-mails: %s\n", curl_easy_strerror(news->data.result));
            exit(70);
        }
        n_done++;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &mail);
        curl_multi_remove_handle(multi, easy);
        if (*n_left == 0)
            continue;
        (*n_left)--;
        begin(multi, easy, (struct mail *)(void *)mail);
    }
    return n_done;
}

static void send_all(const char *url, unsigned connections, unsigned long long mails)
{
    static struct mail own[CONNECTIONS_MAX];
    struct curl_slist *to = curl_slist_append(NULL, "ann@example.org");
    CURL *handles[CONNECTIONS_MAX];
    CURLM *multi = curl_multi_init();
    unsigned long long n_left = mails - connections, n_done = 0;
    int running;

    for (unsigned i = 0; i < connections; i++) {
        handles[i] = new_handle(url, to, &own[i]);
        begin(multi, handles[i], &own[i]);
    }
    while (n_done < mails) {
        curl_multi_perform(multi, &running);
        n_done += go_on(multi, &n_left);
        if (n_done < mails)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    for (unsigned i = 0; i < connections; i++)
        curl_easy_cleanup(handles[i]);
    curl_multi_cleanup(multi);
    curl_slist_free_all(to);
}

static int read_message(const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return 0;
    message_len = fread(message, 1, sizeof(message), file);
    fclose(file);
    return message_len > 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port",             required_argument, NULL, 'p'},
        {"connections",              required_argument, NULL, 'c'},
        {"mails",                  required_argument, NULL, 'n'},
        {"message",required_argument, NULL, 'm'},
        {0              }
    };
    char url[64] = "";
    unsigned long connections = 0;
    unsigned long long mails = 0;
    const char *path = "";

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'p')
            snprintf(url, sizeof(url), "smtp://127.0.0.1:%s/bench", optarg);
        else if (c == 'c')
            connections = strtoul(optarg, NULL, 10);
        else if (c == 'n')
            mails = strtoull(optarg, NULL, 10);
        else if (c == 'm')
            path = optarg;
        else
            return 64;
    }
    if (!*url || connections < 1 || connections > CONNECTIONS_MAX || mails < connections ||
        !read_message(path))
        return 64;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    send_all(url, (unsigned)connections, mails);
    curl_global_cleanup();
    return 0;
}
