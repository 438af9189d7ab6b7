#include "jobs/sms/posting.h"

#include <assert.h>
#include <stdlib.h>

void mr_posting_add_header(struct mr_posting *posting, char *header)
{
    assert(posting->n_headers + 1 < MR_POSTING_HEADERS);
    posting->headers[posting->n_headers++] = header;
}

void mr_posting_fini(struct mr_posting *posting)
{
    for (unsigned i = 0; i < posting->n_headers; i++)
        free(posting->headers[i]);
    free(posting->url);
    mr_buf_fini(&posting->body);
    *posting = (struct mr_posting){0};
}
