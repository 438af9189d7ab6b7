#include "proto/base/mem.h"
#include "proto/envelope.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static enum mr_code scan(struct mr_bytes raw, struct mr_envelope *out, struct mr_err *err)
{
    struct mr_limits limits = mr_limits_default();

    return mr_envelope_scan(raw.at, raw.len, &limits, out, err);
}

static struct mr_envelope scanned(const char *text)
{
    struct mr_envelope envelope;
    struct mr_err err = {0};

    ck_assert_msg(scan(mr_bytes_of(text), &envelope, &err) == MR_OK, "%s: %s", text, err.text);
    return envelope;
}

static void ck_bytes(struct mr_bytes bytes, const char *want)
{
    if (want)
        ck_assert_msg(mr_bytes_is(bytes, want), "got %.*s, want %s", (int)bytes.len, bytes.at,
                      want);
    else
        ck_assert_ptr_null(bytes.at);
}

/* ---- what is taken ---- */

#define CALL "Illuminate\\\\Queue\\\\CallQueuedHandler@call"

/* The shapes that Laravel and Horizon write, and the least that anybody can push. */
static const struct {
    const char *raw, *job, *uuid, *data;
} shapes[] = {
    {"{\"job\":\"x\"}",                                                                               "x",                                         NULL,   NULL  },
    {"\t{ \"job\" : \"x\" }\r\n ",                                                                    "x",                                         NULL,   NULL  },
    {"{\"job\":\"raw.job\",\"n\":1}",                                                                 "raw.job",                                   NULL,   NULL  },
    {"{\"uuid\":\"6f96\",\"id\":\"abc\",\"displayName\":\"raw\",\"job\":\"raw.job\","
     "\"attempts\":0,"
     "\"data\":{}}",                                                                             "raw.job",                                   "6f96", "{}"  },
    {"{\"uuid\":\"c41e\",\"displayName\":\"email.send\",\"job\":\"email.send\",\"maxTries\":"
     "null,"
     "\"maxExceptions\":null,\"failOnTimeout\":false,\"backoff\":null,\"timeout\":null,"
     "\"data\":{\"to\":\"zo\xc3\xab@example.org\\/x\",\"list\":[],\"big\":9007199254740993},"
     "\"id\":\"X2Rc\",\"attempts\":0}",                                                          "email.send",                                "c41e",
     "{\"to\":\"zo\xc3\xab@example.org\\/x\",\"list\":[],\"big\":9007199254740993}"                                                                              },
    {"{\"uuid\":\"58f3\",\"displayName\":\"App\\\\Handlers\\\\Email\",\"job\":"
     "\"App\\\\Handlers\\\\Email@send\","
     "\"data\":\"\",\"id\":\"jp43\",\"attempts\":0}",                                            "App\\Handlers\\Email@send",                 "58f3", "\"\""},
    {"{\"uuid\":\"4149\",\"job\":\"email.send\",\"data\":[],\"attempts\":0}",                         "email.send",
     "4149",                                                                                                                                               "[]"  },
    {"{\"uuid\":\"ae71\",\"displayName\":\"App\\\\Jobs\\\\SendMail\",\"job\":\"" CALL
     "\",\"maxTries\":5,"
     "\"backoff\":\"10,30,120\",\"retryUntil\":1795437178,\"data\":{\"commandName\":"
     "\"App\\\\Jobs\\\\SendMail\","
     "\"command\":\"O:17:\\\"App\\\\Jobs\\\\SendMail\\\":1:{s:9:\\\"\\u0000*\\u0000secret\\\";"
     "s:4:\\\"prot\\\";}\"},"
     "\"id\":\"RPpF\",\"attempts\":2}",                                                          "Illuminate\\Queue\\CallQueuedHandler@call", "ae71",
     "{\"commandName\":\"App\\\\Jobs\\\\SendMail\",\"command\":\"O:17:"
     "\\\"App\\\\Jobs\\\\SendMail\\\":1:"
     "{s:9:\\\"\\u0000*\\u0000secret\\\";s:4:\\\"prot\\\";}\"}"                                                                                                  },
    {"{\"uuid\":\"7bcb\",\"displayName\":\"Closure (enqueue.php:24)\",\"job\":\"" CALL
     "\",\"data\":{},\"attempts\":0,\"type\":\"job\",\"tags\":[\"a\"],\"silenced\":false,"
     "\"pushedAt\":\"1795437139.7547\",\"illuminate:log:context\":{\"data\":{},\"hidden\":{}}}", "Illuminate\\Queue\\CallQueuedHandler@call", "7bcb", "{}"  },
    {"{\"\\u006aob\":\"x\",\"d\\u0061ta\":1}",                                                        "x",                                         NULL,   "1"   }, /* a name may be escaped */
    {"{\"job\":\"x\",\"uuid\":\"\"}",                                                                 "x",                                         NULL,   NULL  }, /* an empty uuid names nothing */
    {"{\"job\":\"x\",\"a\":{\"job\":1,\"job\":2}}",                                                   "x",                                         NULL,
     NULL                                                                                                                                                        }, /* duplicates further inside */
    {"{\"job\":\"x\",\"z\":1,\"z\":2}",                                                               "x",                                         NULL,   NULL  }, /* ... and of strangers */
};

START_TEST(what_producers_write_is_taken)
{
    struct mr_envelope envelope = scanned(shapes[_i].raw);

    ck_bytes(envelope.job, shapes[_i].job);
    ck_bytes(envelope.uuid, shapes[_i].uuid);
    ck_bytes(envelope.data, shapes[_i].data);
    mr_envelope_fini(&envelope);
}
END_TEST

START_TEST(every_header_is_read)
{
    struct mr_envelope e =
        scanned("{\"uuid\":\"u\",\"id\":\"i\",\"job\":\"j\",\"displayName\":\"d\","
                "\"traceparent\":\"t\","
                "\"attempts\":1,\"crashes\":2,\"suspect\":3,\"inDoubt\":17,\"maxTries\":4,"
                "\"maxExceptions\":5,"
                "\"timeout\":6,\"retryUntil\":7,\"createdAt\":8,\"delay\":9,\"expiresAt\":10.5,"
                "\"pushedAt\":11.25,\"backoff\":[12,13],\"failOnTimeout\":true,\"data\":14,"
                "\"errors\":[15],\"tags\":[16],\"unique\":{},\"then\":[],\"batch\":\"b\"}");

    ck_bytes(e.uuid, "u");
    ck_bytes(e.id, "i");
    ck_bytes(e.job, "j");
    ck_bytes(e.display_name, "d");
    ck_bytes(e.traceparent, "t");
    ck_assert_int_eq(e.attempts, 1);
    ck_assert_int_eq(e.crashes, 2);
    ck_assert_int_eq(e.suspect, 3);
    ck_assert_int_eq(e.in_doubt, 17);
    ck_assert_int_eq(e.max_tries, 4);
    ck_assert_int_eq(e.max_exceptions, 5);
    ck_assert_int_eq(e.timeout_s, 6);
    ck_assert_int_eq(e.retry_until_s, 7);
    ck_assert_int_eq(e.created_at_s, 8);
    ck_assert_int_eq(e.delay_s, 9);
    ck_assert_double_eq(e.expires_at_s, 10.5);
    ck_assert_double_eq(e.pushed_at_s, 11.25);
    ck_assert_uint_eq(e.n_backoff, 2);
    ck_assert_uint_eq(e.backoff_s[1], 13);
    ck_assert(e.fail_on_timeout);
    ck_bytes(e.data, "14");
    ck_bytes(e.errors, "[15]");
    ck_bytes(e.tags, "[16]");
    ck_assert_uint_eq(e.open_at, 1);
    ck_assert_ptr_null(e.decoded);
    mr_envelope_fini(&e);
}
END_TEST

START_TEST(null_is_as_good_as_absent)
{
    struct mr_envelope e = scanned(
        "{\"uuid\":null,\"id\":null,\"job\":\"j\",\"displayName\":null,\"traceparent\":null,"
        "\"attempts\":null,\"crashes\":null,\"suspect\":null,\"inDoubt\":null,\"maxTries\":"
        "null,"
        "\"maxExceptions\":null,\"timeout\":null,\"retryUntil\":null,\"createdAt\":null,"
        "\"delay\":null,\"expiresAt\":null,\"pushedAt\":null,\"backoff\":null,"
        "\"failOnTimeout\":null,\"data\":null,\"errors\":null,\"tags\":null}");

    ck_bytes(e.uuid, NULL);
    ck_bytes(e.display_name, NULL);
    ck_assert_int_eq(e.attempts, 0);
    ck_assert_int_eq(e.crashes, 0);
    ck_assert_int_eq(e.suspect, 0);
    ck_assert_int_eq(e.in_doubt, 0);
    ck_assert_int_eq(e.max_tries, MR_ENVELOPE_ABSENT);
    ck_assert_int_eq(e.max_exceptions, MR_ENVELOPE_ABSENT);
    ck_assert_int_eq(e.timeout_s, MR_ENVELOPE_ABSENT);
    ck_assert_int_eq(e.retry_until_s, MR_ENVELOPE_ABSENT);
    ck_assert_int_eq(e.created_at_s, MR_ENVELOPE_ABSENT);
    ck_assert_int_eq(e.delay_s, MR_ENVELOPE_ABSENT);
    ck_assert(e.expires_at_s < 0);
    ck_assert(e.pushed_at_s < 0);
    ck_assert_uint_eq(e.n_backoff, 0);
    ck_assert(!e.fail_on_timeout);
    ck_bytes(e.errors, NULL);
    ck_bytes(e.tags, NULL);
    mr_envelope_fini(&e);
}
END_TEST

static const struct {
    const char *value;
    unsigned n;
    uint32_t first, last;
} backoffs[] = {
    {"7",             1,  7,          7         },
    {"\"7\"",         1,  7,          7         },
    {"\"10,30,120\"", 3,  10,         120       },
    {"\" 10 , 30 \"", 2,  10,         30        },
    {"[10, 30,120 ]", 3,  10,         120       },
    {"[]",            0,  0,          0         },
    {"\"\"",          0,  0,          0         },
    {"4294967295",    1,  UINT32_MAX, UINT32_MAX},
    {"\"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,"
     "33,99\"",  32, 1,          99        }, /* the last is the one that repeats */
};

START_TEST(backoff_has_three_forms)
{
    char *raw = mr_asprintf("{\"job\":\"j\",\"backoff\":%s}", backoffs[_i].value);
    struct mr_envelope envelope = scanned(raw);

    ck_assert_uint_eq(envelope.n_backoff, backoffs[_i].n);
    if (envelope.n_backoff > 0) {
        ck_assert_uint_eq(envelope.backoff_s[0], backoffs[_i].first);
        ck_assert_uint_eq(envelope.backoff_s[envelope.n_backoff - 1], backoffs[_i].last);
    }
    mr_envelope_fini(&envelope);
    free(raw);
}
END_TEST

START_TEST(header_texts_are_decoded)
{
    struct mr_envelope envelope =
        scanned("{\"job\":\"a\\u002eb\",\"displayName\":\"\\u00eb\\n\\ud83d\\ude00\\/\","
                "\"id\":\"plain\",\"traceparent\":\"\\\"\\u0000\"}");

    ck_bytes(envelope.job, "a.b");
    ck_bytes(envelope.display_name, "\xc3\xab\n\xf0\x9f\x98\x80/");
    ck_bytes(envelope.id, "plain");
    ck_assert(mr_bytes_equal(envelope.traceparent, (struct mr_bytes){"\"\0", 2}));
    mr_envelope_fini(&envelope);
}
END_TEST

START_TEST(cjsons_empty_object_is_an_empty_list)
{
    struct mr_envelope envelope = scanned("{\"job\":\"j\",\"tags\":{},\"errors\":{ }}");

    ck_bytes(envelope.tags, NULL);
    ck_bytes(envelope.errors, NULL);
    mr_envelope_fini(&envelope);
}
END_TEST

START_TEST(data_becomes_a_value_on_demand)
{
    struct mr_envelope envelope =
        scanned("{\"job\":\"j\",\"data\":{\"n\":9223372036854775807,\"s\":\"\\u0000\"}}");
    json_t *data = mr_envelope_data(&envelope, NULL);

    ck_assert_int_eq(json_integer_value(json_object_get(data, "n")), INT64_MAX);
    ck_assert_uint_eq(json_string_length(json_object_get(data, "s")), 1);
    json_decref(data);
    mr_envelope_fini(&envelope);

    envelope = scanned("{\"job\":\"j\"}");
    data = mr_envelope_data(&envelope, NULL);
    ck_assert(json_is_null(data));
    mr_envelope_fini(&envelope);
}
END_TEST

/* ---- what is refused ---- */

#define RAW(text)                                                                              \
    {                                                                                          \
        text, sizeof(text) - 1                                                                 \
    }
#define WITH(members) RAW("{\"job\":\"j\"," members "}")

static const struct {
    struct mr_bytes raw;
    const char *says;
} bad[] = {
    {RAW(""),                                    "empty"                                            },
    {RAW(" "),                                   "a JSON object was expected"                       },
    {RAW("not json"),                            "a JSON object was expected (byte 0)"              },
    {RAW("[1]"),                                 "a JSON object was expected"                       },
    {RAW("\"text\""),                            "a JSON object was expected"                       },
    {RAW("null"),                                "a JSON object was expected"                       },
    {RAW("\xef\xbb\xbf{\"job\":\"j\"}"),         "a JSON object was expected"                       }, /* BOM */
    {RAW("s:3:\"{}\";"),                         "a JSON object was expected"                       }, /* phpredis' serializer */
    {RAW("{}"),                                  "job: is missing"                                  },
    {RAW("{\"data\":1}"),                        "job: is missing"                                  },
    {RAW("{\"job\":null}"),                      "job: is missing"                                  },
    {RAW("{\"job\":\"\"}"),                      "job: must be"                                     },
    {RAW("{\"job\":\"two words\"}"),             "job: must be"                                     },
    {RAW("{\"job\":\"a\\u0000b\"}"),             "job: must be"                                     },
    {RAW("{\"job\":7}"),                         "job: must be a string (byte 7)"                   },
    {RAW("{\"job\":\"j\",\"job\":\"j\"}"),       "job: is there twice"                              },
    {RAW("{\"job\":\"j\",\"j\\u006fb\":\"j\"}"), "job: is there twice"                              },
    {WITH("\"data\":1,\"data\":1"),              "data: is there twice"                             },
    {WITH("\"unique\":1,\"unique\":1"),          "unique: is there twice"                           },
    {WITH("\"attempts\":\"1\""),                 "attempts: must be an integer"                     },
    {WITH("\"attempts\":-1"),                    "attempts: must be an integer, 0 or more (byte 22)"},
    {WITH("\"attempts\":1.0"),                   "attempts: must be an integer"                     },
    {WITH("\"attempts\":1e0"),                   "attempts: must be an integer"                     },
    {WITH("\"attempts\":true"),                  "attempts: must be an integer"                     },
    {WITH("\"attempts\":[1]"),                   "attempts: must be an integer"                     },
    {WITH("\"attempts\":18446744073709551616"),  "attempts: an integer beyond 64 bits"              },
    {WITH("\"maxTries\":{}"),                    "maxTries: must be"                                },
    {WITH("\"timeout\":\"60\""),                 "timeout: must be"                                 },
    {WITH("\"uuid\":1"),                         "uuid: must be a string"                           },
    {WITH("\"displayName\":[]"),                 "displayName: must be a string"                    },
    {WITH("\"failOnTimeout\":1"),                "failOnTimeout: must be true or false"             },
    {WITH("\"failOnTimeout\":\"true\""),         "failOnTimeout: must be"                           },
    {WITH("\"tags\":\"a\""),                     "tags: must be an array"                           },
    {WITH("\"tags\":{\"a\":1}"),                 "tags: must be an array"                           },
    {WITH("\"errors\":1"),                       "errors: must be an array"                         },
    {WITH("\"expiresAt\":true"),                 "expiresAt: must be unix seconds"                  },
    {WITH("\"expiresAt\":-1"),                   "expiresAt: must be unix seconds"                  },
    {WITH("\"pushedAt\":\"soon\""),              "pushedAt: must be unix seconds"                   },
    {WITH("\"pushedAt\":\"\""),                  "pushedAt: must be unix seconds"                   },
    {WITH("\"pushedAt\":\"1 2\""),               "pushedAt: must be unix seconds"                   },
    {WITH("\"backoff\":true"),                   "backoff: must be seconds"                         },
    {WITH("\"backoff\":-1"),                     "backoff: must be seconds"                         },
    {WITH("\"backoff\":1.5"),                    "backoff: must be seconds"                         },
    {WITH("\"backoff\":4294967296"),             "backoff: must be seconds"                         },
    {WITH("\"backoff\":\"10,x\""),               "backoff: must be seconds"                         },
    {WITH("\"backoff\":\"10,\""),                "backoff: must be seconds"                         },
    {WITH("\"backoff\":\"10 30\""),              "backoff: must be seconds"                         },
    {WITH("\"backoff\":[\"10\"]"),               "backoff: must be seconds"                         },
    {WITH("\"backoff\":[1,]"),                   "backoff: must be seconds"                         },
    {WITH("\"backoff\":[1 2]"),                  "',' or ']'"                                       },
    {WITH("\"backoff\":{}"),                     "backoff: must be seconds"                         },
 /* numbers, wherever they stand */
    {WITH("\"n\":9223372036854775808"),          "beyond 64 bits"                                   },
    {WITH("\"n\":-9223372036854775809"),         "beyond 64 bits"                                   },
    {WITH("\"n\":18446744073709551616"),         "beyond 64 bits"                                   },
    {WITH("\"n\":1e400"),                        "too large"                                        },
    {WITH("\"n\":[{\"m\":-1.0e309}]"),           "too large"                                        },
    {WITH("\"n\":01"),                           "not a number"                                     },
    {WITH("\"n\":-"),                            "not a number"                                     },
    {WITH("\"n\":+1"),                           "not a number"                                     },
    {WITH("\"n\":.5"),                           "not a number"                                     },
    {WITH("\"n\":1."),                           "digits behind"                                    },
    {WITH("\"n\":1e"),                           "exponent"                                         },
    {WITH("\"n\":NaN"),                          "not a number"                                     },
    {WITH("\"n\":0x10"),                         "',' or '}'"                                       },
 /* words */
    {WITH("\"n\":nul"),                          "not a JSON value"                                 },
    {WITH("\"n\":TRUE"),                         "not a number"                                     },
    {WITH("\"n\":truefalse"),                    "',' or '}'"                                       },
 /* strings */
    {WITH("\"n\":\"\xff\""),                     "not UTF-8"                                        },
    {WITH("\"n\":\"\xc0\x80\""),                 "not UTF-8"                                        },
    {WITH("\"n\":\"\xed\xa0\x80\""),             "not UTF-8"                                        },
    {WITH("\"n\":\"\xf4\x90\x80\x80\""),         "not UTF-8"                                        },
    {WITH("\"\xff\":1"),                         "not UTF-8"                                        },
    {WITH("\"n\":\"a\nb\""),                     "control byte"                                     },
    {WITH("\"n\":\"a\0b\""),                     "control byte"                                     },
    {WITH("\"n\":\"\\x\""),                      "no such escape"                                   },
    {WITH("\"n\":\"\\u12g4\""),                  "four hexadecimal"                                 },
    {WITH("\"n\":\"\\ud800\""),                  "surrogate"                                        },
    {WITH("\"n\":\"\\ud800\\u0041\""),           "surrogate"                                        },
    {WITH("\"n\":\"\\udc00\""),                  "surrogate"                                        },
    {WITH("\"a\\u0000b\":1"),                    "\\u0000 in a member's name"                       },
    {WITH("\"n\":{\"\\u0000\":1}"),              "\\u0000 in a member's name"                       },
    {RAW("{\"job\":\"j\",\"n\":\"open"),         "does not end"                                     },
    {RAW("{\"job\":\"j\",\"n\":\"open\\"),       "does not end"                                     },
 /* the frame */
    {RAW("{\"job\":\"j\""),                      "',' or '}'"                                       },
    {RAW("{\"job\":\"j\",}"),                    "a string was expected"                            },
    {RAW("{\"job\":\"j\" \"a\":1}"),             "',' or '}'"                                       },
    {RAW("{\"job\" \"j\"}"),                     "':' was expected"                                 },
    {RAW("{job:\"j\"}"),                         "a string was expected"                            },
    {RAW("{\"job\":"),                           "job: must be a string"                            },
    {WITH("\"n\":"),                             "not a number"                                     },
    {RAW("{\"job\":\"j\",\"n\":"),               "ends too early"                                   },
    {WITH("\"n\":[1,]"),                         "not a number"                                     },
    {WITH("\"n\":[1"),                           "',' or ']'"                                       },
    {WITH("\"n\":{\"a\":1]"),                    "',' or '}'"                                       },
    {WITH("\"n\":{1:1}"),                        "a string was expected"                            },
    {RAW("{\"job\":\"j\"}{\"job\":\"j\"}"),      "something stands behind the object (byte 11)"     },
    {RAW("{\"job\":\"j\"}\0"),                   "something stands behind"                          },
    {RAW("{\"job\":\"j\"\0}"),                   "',' or '}'"                                       },
    {RAW("{\"job\":\"j\",\"n\":1\0}"),           "',' or '}'"                                       }, /* jansson would overlook this one */
};

START_TEST(bad_bytes_are_refused_with_a_reason)
{
    struct mr_envelope envelope = {.attempts = 77};
    struct mr_err err = {0};

    ck_assert_int_eq(scan(bad[_i].raw, &envelope, &err), MR_EINVAL);
    ck_assert_int_eq(err.code, MR_EINVAL);
    ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%.*s: says \"%s\", want \"%s\"",
                  (int)bad[_i].raw.len, bad[_i].raw.at, err.text, bad[_i].says);
    ck_assert_int_eq(envelope.attempts, 77); /* untouched */
}
END_TEST

/* ---- limits ---- */

static struct mr_buf nested(const char *open, unsigned depth, const char *close)
{
    struct mr_buf raw = {0};

    mr_buf_text(&raw, "{\"job\":\"j\",\"data\":");
    for (unsigned i = 0; i < depth; i++)
        mr_buf_text(&raw, open);
    mr_buf_char(&raw, '1');
    for (unsigned i = 0; i < depth; i++)
        mr_buf_text(&raw, close);
    mr_buf_char(&raw, '}');
    return raw;
}

static const struct {
    unsigned limit, depth;
    enum mr_code code;
} depths[] = {
    {64,   63,      MR_OK    }, /* the envelope itself is one */
    {64,   64,      MR_EINVAL},
    {64,   10000,   MR_EINVAL},
    {1,    0,       MR_OK    },
    {1,    1,       MR_EINVAL},
    {9999, 1024,    MR_OK    }, /* what the scan has room for, whatever is configured */
    {9999, 1025,    MR_EINVAL},
    {9999, 1000000, MR_EINVAL},
};

START_TEST(depth_is_bounded)
{
    struct mr_limits limits = {.payload_bytes = 64 << 20, .depth = depths[_i].limit};
    struct mr_buf arrays = nested("[", depths[_i].depth, "]");
    struct mr_buf objects = nested("{\"a\":", depths[_i].depth, "}");
    struct mr_envelope envelope;
    struct mr_err err = {0};

    ck_assert_int_eq(mr_envelope_scan(arrays.at, arrays.len, &limits, &envelope, &err),
                     depths[_i].code);
    ck_assert_int_eq(mr_envelope_scan(objects.at, objects.len, &limits, &envelope, &err),
                     depths[_i].code);
    if (depths[_i].code != MR_OK)
        ck_assert_ptr_nonnull(strstr(err.text, "nested too deeply"));
    mr_buf_fini(&arrays);
    mr_buf_fini(&objects);
}
END_TEST

START_TEST(size_is_bounded)
{
    const char *raw = "{\"job\":\"j\"}";
    struct mr_limits limits = {.payload_bytes = 11, .depth = 64};
    struct mr_envelope envelope;
    struct mr_err err = {0};

    ck_assert_int_eq(mr_envelope_scan(raw, 11, &limits, &envelope, &err), MR_OK);
    limits.payload_bytes = 10;
    ck_assert_int_eq(mr_envelope_scan(raw, 11, &limits, &envelope, &err), MR_EINVAL);
    ck_assert_str_eq(err.text, "the payload has 11 bytes, limits.payload allows 10");
}
END_TEST

/* ---- rewriting ---- */

#define KEEP -1
static const struct {
    const char *raw;
    int64_t attempts, crashes, suspect;
    const char *uuid, *error;
    const char *want;
} edits[] = {
    {"{\"job\":\"j\"}",                                                                      KEEP,        KEEP, KEEP, NULL,  NULL,             "{\"job\":\"j\"}"                 },
    {"{\"job\":\"j\"}",                                                                      1,           KEEP, KEEP, NULL,  NULL,             "{\"attempts\":1,\"job\":\"j\"}"  },
    {"{\"job\":\"j\"}",                                                                      KEEP,        KEEP, KEEP, "u-1", NULL,             "{\"uuid\":\"u-1\",\"job\":\"j\"}"},
    {"{\"uuid\":\"mine\",\"job\":\"j\"}",                                                    KEEP,        KEEP, KEEP, "u-1", NULL,
     "{\"uuid\":\"mine\",\"job\":\"j\"}"                                                                                                                                         },
    {"{\"job\":\"j\",\"uuid\":null}",                                                        KEEP,        KEEP, KEEP, "u-1", NULL,
     "{\"job\":\"j\",\"uuid\":\"u-1\"}"                                                                                                                                          },
    {"{\"job\":\"j\",\"uuid\":\"\"}",                                                        KEEP,        KEEP, KEEP, "u-1", NULL,
     "{\"job\":\"j\",\"uuid\":\"u-1\"}"                                                                                                                                          },
 /* odd blanks, escapes and unknown members stay as they were */
    {" {\t\"x\" : 1.50e+1 ,\n\"attempts\" : 0 , "
     "\"job\":\"A\\\\B@c\",\"data\":\"\\u0000*\\u0000\\/\" } \n",                       9,           KEEP, KEEP, NULL,  NULL,
     " {\t\"x\" : 1.50e+1 ,\n\"attempts\" : 9 , "
     "\"job\":\"A\\\\B@c\",\"data\":\"\\u0000*\\u0000\\/\" } \n"                                                                                                                 },
    {"{\"attempts\":null,\"job\":\"j\"}",                                                    12345678901, KEEP, KEEP, NULL,  NULL,
     "{\"attempts\":12345678901,\"job\":\"j\"}"                                                                                                                                  },
    {"{\"suspect\":1,\"data\":{\"attempts\":5},\"crashes\":2,\"job\":\"j\",\"attempts\":3}", 4,
     3,                                                                                                         0,    NULL,  NULL,
     "{\"suspect\":0,\"data\":{\"attempts\":5},\"crashes\":3,\"job\":\"j\",\"attempts\":4}"                                                                                      },
    {"{\"job\":\"j\",\"crashes\":2}",                                                        4,           3,    1,    "u",   NULL,
     "{\"uuid\":\"u\",\"attempts\":4,\"suspect\":1,\"job\":\"j\",\"crashes\":3}"                                                                                                 },
 /* errors */
    {"{\"job\":\"j\"}",                                                                      KEEP,        KEEP, KEEP, NULL,  "no \"route\"\n",
     "{\"errors\":[{\"at_ms\":1700000000123,\"error\":\"no "
     "\\\"route\\\"\\n\"}],\"job\":\"j\"}"                                                                                                                                       },
    {"{\"job\":\"j\",\"errors\":null}",                                                      KEEP,        KEEP, KEEP, NULL,  "e",
     "{\"job\":\"j\",\"errors\":[{\"at_ms\":1700000000123,\"error\":\"e\"}]}"                                                                                                    },
    {"{\"job\":\"j\",\"errors\":{}}",                                                        KEEP,        KEEP, KEEP, NULL,  "e",
     "{\"job\":\"j\",\"errors\":[{\"at_ms\":1700000000123,\"error\":\"e\"}]}"                                                                                                    },
    {"{\"job\":\"j\",\"errors\":[ ]}",                                                       KEEP,        KEEP, KEEP, NULL,  "e",
     "{\"job\":\"j\",\"errors\":[{\"at_ms\":1700000000123,\"error\":\"e\"}]}"                                                                                                    },
    {"{\"job\":\"j\",\"errors\":[1, [2,\"]\"],3,4]}",                                        KEEP,        KEEP, KEEP, NULL,  "e",
     "{\"job\":\"j\",\"errors\":[1,[2,\"]\"],3,4,{\"at_ms\":1700000000123,\"error\":\"e\"}]}"                                                                                    },
    {"{\"job\":\"j\",\"errors\":[1,2,3,4,5]}",                                               KEEP,        KEEP, KEEP, NULL,  "e",
     "{\"job\":\"j\",\"errors\":[2,3,4,5,{\"at_ms\":1700000000123,\"error\":\"e\"}]}"                                                                                            },
    {"{\"job\":\"j\",\"errors\":[1,2,3,4,5,6,7]}",                                           KEEP,        KEEP, KEEP, NULL,  "e",
     "{\"job\":\"j\",\"errors\":[4,5,6,7,{\"at_ms\":1700000000123,\"error\":\"e\"}]}"                                                                                            },
};

START_TEST(a_rewrite_changes_what_it_must_and_no_byte_more)
{
    struct mr_envelope envelope = scanned(edits[_i].raw);
    struct mr_envelope_edit edit = {
        .attempts = edits[_i].attempts,
        .crashes = edits[_i].crashes,
        .suspect = edits[_i].suspect,
        .in_doubt = KEEP,
        .uuid = edits[_i].uuid,
        .error = edits[_i].error,
        .error_at_ms = 1700000000123,
    };
    struct mr_buf out = {0};

    mr_buf_text(&out, ">");
    mr_envelope_rewrite(&envelope, &edit, &out);
    ck_assert_int_eq(out.at[0], '>'); /* it appends */
    ck_assert_str_eq(out.at + 1, edits[_i].want);
    mr_envelope_fini(&envelope);
    mr_buf_fini(&out);
}
END_TEST

START_TEST(no_edit_changes_nothing)
{
    const char *raw = "{\"job\":\"j\",\"attempts\":1}  ";
    struct mr_envelope envelope = scanned(raw);
    struct mr_buf out = {0};

    mr_envelope_rewrite(&envelope, &MR_ENVELOPE_NO_EDIT, &out);
    ck_assert_str_eq(out.at, raw);
    mr_buf_fini(&out);
}
END_TEST

START_TEST(a_long_error_is_cut_between_characters)
{
    struct mr_envelope envelope = scanned("{\"job\":\"j\"}");
    struct mr_envelope_edit edit = MR_ENVELOPE_NO_EDIT;
    struct mr_buf error = {0}, out = {0};

    for (int i = 0; i < 600; i++)
        mr_buf_text(&error, "\xc3\xab");
    edit.error = error.at + 1; /* half a character first, so that byte 1,000 falls inside one */
    mr_envelope_rewrite(&envelope, &edit, &out);
    struct mr_envelope again = scanned(out.at);
    ck_assert_uint_eq(again.errors.len, strlen("[{\"at_ms\":0,\"error\":\"\"}]") + 3 + 998);
    mr_buf_fini(&error);
    mr_buf_fini(&out);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {what_producers_write_is_taken,                   MR_COUNT(shapes)  },
        {every_header_is_read,                            0                 },
        {null_is_as_good_as_absent,                       0                 },
        {backoff_has_three_forms,                         MR_COUNT(backoffs)},
        {header_texts_are_decoded,                        0                 },
        {cjsons_empty_object_is_an_empty_list,            0                 },
        {data_becomes_a_value_on_demand,                  0                 },
        {bad_bytes_are_refused_with_a_reason,             MR_COUNT(bad)     },
        {depth_is_bounded,                                MR_COUNT(depths)  },
        {size_is_bounded,                                 0                 },
        {a_rewrite_changes_what_it_must_and_no_byte_more, MR_COUNT(edits)   },
        {no_edit_changes_nothing,                         0                 },
        {a_long_error_is_cut_between_characters,          0                 },
    };

    return mr_suite_run("envelope", tests);
}
