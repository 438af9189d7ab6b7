/* Any bytes as an answer of S3: what is found in it lies in it, and what is written as text is read back. */
#include "jobs/services/s3_answer.h"
#include "tests/fuzz/must.h"

#include <string.h>

static void check_elements(struct mr_bytes xml)
{
    struct mr_bytes rest = xml, one;
    char text[16];

    while ((one = mr_s3_xml_next(&rest, "Upload")).at) {
        must(one.at > xml.at && one.at + one.len < rest.at);
        must(rest.at + rest.len == xml.at + xml.len);
        bool found = mr_s3_xml_text(one, "Key", text, sizeof(text));
        must(strlen(text) < sizeof(text) && (found || !*text));
    }
}

static void check_judgement(const char *error)
{
    for (long status = 100; status < 600; status++) {
        struct mr_s3_judgement got = mr_s3_judge(status, error);

        must((got.verdict == MR_S3_GOOD) == (got.code == MR_OK));
        must(got.verdict != MR_S3_GOOD || (status / 100 == 2 && !*error));
    }
}

static void check_writing(const char *text)
{
    struct mr_buf xml = {0};
    char *got = calloc(1, strlen(text) + 1);

    mr_buf_text(&xml, "<E>");
    mr_s3_xml_add(&xml, text);
    mr_buf_text(&xml, "</E>");
    must(mr_s3_xml_text((struct mr_bytes){xml.at, xml.len}, "E", got, strlen(text) + 1));
    must(strcmp(got, text) == 0);
    free(got);
    mr_buf_fini(&xml);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = calloc(1, len + 1);

    memcpy(text, bytes, len);
    check_elements((struct mr_bytes){(const char *)bytes, len});
    check_judgement(text);
    check_writing(text);
    free(text);
    return 0;
}
