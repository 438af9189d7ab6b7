/* What S3 says: pieces of its XML, and what a status and an error's code mean for whoever asked. Pure. */
#ifndef MR_JOBS_SERVICES_S3_ANSWER_H
#define MR_JOBS_SERVICES_S3_ANSWER_H

#include "proto/base/err.h"
#include "proto/base/str.h"

#include <stdbool.h>

/*
 * What stands between the next <name> and </name> of *rest, which then begins behind it; at NULL when there is none. An element within one of the same name is not looked
 * for: S3 has none.
 */
struct mr_bytes mr_s3_xml_next(struct mr_bytes *rest, const char *name);
/* The text of the first element of that name, its entities resolved, cut at room - 1; false and "" when there is none. */
bool mr_s3_xml_text(struct mr_bytes xml, const char *name, char *out, size_t room);
/* Adds text as the inside of an element. */
void mr_s3_xml_add(struct mr_buf *out, const char *text);

enum mr_s3_verdict {
    MR_S3_GOOD,
    MR_S3_AGAIN, /* nothing was done: the same request may do better */
    MR_S3_STOP
};

struct mr_s3_judgement {
    enum mr_s3_verdict verdict;
    enum mr_code code;  /* unless good: what it is when it stays so, as in storage.h */
    const char *advice; /* what a person can do; NULL: nothing */
};

/* error: the code in the answer's body ("NoSuchKey"), "" where there was none. An error in a 200 is one all the same. */
struct mr_s3_judgement mr_s3_judge(long status, const char *error);

#endif
