#include "proto/base/mem.h"
#include "proto/envelope.h"
#include "proto/json.h"
#include "tests/support/envelope_oracle.h"
#include "tests/support/suite.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Must be taken; must be refused; RFC 8259 leaves it open: then what jansson does is right. */
enum rule { YES, NO, OPEN };

struct json_case {
    enum rule rule;
    struct mr_bytes text;
};

/* clang-format off */
#define ROW(rule, text) {rule, {text, sizeof(text) - 1}}
#define Y(text) ROW(YES, text)
#define N(text) ROW(NO, text)
#define I(text) ROW(OPEN, text)

static const struct json_case structure[] = {
    Y("[]"), Y("{}"), Y("[[]]"), Y("[{}]"), Y("{\"a\":[]}"), Y("{\"a\":{}}"), Y("[[],[]]"), Y("[{},{}]"),
    Y("[1]"), Y("[1,2,3]"), Y("[null,true,false]"), Y("[[[[[[[[1]]]]]]]]"), Y("{\"a\":{\"b\":{\"c\":[{}]}}}"),
    Y("{\"\":0}"), Y("{\"a\":1,\"b\":2}"), Y("{\"a\":\"b\",\"c\":[\"d\"]}"), Y("[\"\"]"), Y("{\"a\":null}"),
    Y("{\"[\":\"]\"}"), Y("[\"{\",\"}\"]"), Y("[\",\",\":\"]"), Y("{\"a\":[1,{\"b\":[2,{\"c\":3}]}]}"),
    Y("null"), Y("true"), Y("false"), Y("\"\""), Y("0"), Y("[true]"), Y("[false]"), Y("[null]"),
    N(""), N(" "), N("\n\t"), N("["), N("]"), N("{"), N("}"), N("[["), N("[]]"), N("[[]"), N("{}}"), N("{{}}"),
    N("[}"), N("{]"), N("[{]}"), N("{\"a\":[}"), N("[(]"), N("<>"), N("[1"), N("[1,"), N("[1,]"), N("[,]"),
    N("[,1]"), N("[1,,2]"), N("[1 2]"), N("[1;2]"), N("[1:2]"), N("[\"a\" \"b\"]"), N("[[]1]"), N("[1[]]"),
    N("[{}{}]"), N("[[][]]"), N(","), N(":"), N(",1"), N("{,}"), N("{\"a\"}"), N("{\"a\":}"), N("{\"a\""),
    N("{\"a\":"), N("{\"a\":1"), N("{\"a\":1,"), N("{\"a\":1,}"), N("{\"a\":1,,\"b\":2}"), N("{\"a\":1 \"b\":2}"),
    N("{\"a\":1;\"b\":2}"), N("{\"a\",1}"), N("{\"a\"::1}"), N("{\"a\":1:2}"), N("{\"a\" 1}"), N("{:1}"),
    N("{a:1}"), N("{'a':1}"), N("{1:1}"), N("{null:1}"), N("{[]:1}"), N("{{}:1}"), N("{\"a\":1,b:2}"),
    N("{\"a\":1,2}"), N("{\"a\":\"b\":\"c\"}"), N("{\"a\":1,\"b\"}"), N("{1}"), N("{\"a\"=1}"), N("{\"a\"=>1}"),
    N("{,\"a\":1}"), N("[...]"), N("[1,...]"), N("[*]"), N("[?]"), N("[@]"), N("[\\]"), N("[\\n]"), N("[$]"),
    I("{\"a\":1,\"a\":2}"), I("{\"a\":1,\"a\":1}"), I("{\"a\":1,\"\\u0061\":2}"), I("{\"\":1,\"\":2}"),
    I("[{\"a\":{\"b\":1},\"a\":[]}]"),
};

static const struct json_case words[] = {
    N("nul"), N("nulll"), N("n"), N("Null"), N("NULL"), N("nil"), N("none"), N("None"), N("nan"), N("undefined"),
    N("tru"), N("truE"), N("True"), N("TRUE"), N("t"), N("truetrue"), N("true1"), N("truefalse"), N("yes"), N("on"),
    N("fals"), N("False"), N("FALSE"), N("f"), N("falsee"), N("no"), N("[nul]"), N("[tru]"), N("[fals]"),
    N("[null0]"), N("[true\"a\"]"), N("{\"a\":truth}"), N("{\"a\":nul}"), N("a"), N("abc"), N("[abc]"),
    N("[n]"), N("[t]"), N("[f]"), N("[null,nul]"), N("tr ue"), N("n\0ll"), N("\xc3\xab"), N("[\xc3\xab]"),
};

static const struct json_case numbers[] = {
    Y("0"), Y("-0"), Y("1"), Y("-1"), Y("9"), Y("10"), Y("-10"), Y("123"), Y("1234567890"), Y("-987654321"),
    Y("2147483647"), Y("2147483648"), Y("-2147483649"), Y("4294967295"), Y("4294967296"),
    Y("9007199254740993"), Y("999999999999999999"), Y("1000000000000000000"), Y("9223372036854775806"),
    Y("9223372036854775807"), Y("-9223372036854775807"), Y("-9223372036854775808"),
    Y("0.0"), Y("-0.0"), Y("0.1"), Y("0.5"), Y("1.0"), Y("1.5"), Y("-1.5"), Y("12.75"), Y("3.14159265358979"),
    Y("0.000000000000001"), Y("123456789012345.6"), Y("0.1234567890123456789"), Y("1.00000000000000000000"),
    Y("0e0"), Y("0E0"), Y("0e+0"), Y("0e-0"), Y("1e0"), Y("1e1"), Y("1E1"), Y("1e+1"), Y("1E+1"), Y("1e-1"),
    Y("1E-1"), Y("1e00"), Y("1e01"), Y("1e-01"), Y("1.5e3"), Y("-1.5E-3"), Y("123e45"), Y("123.456e78"),
    Y("0.5e-10"), Y("1e22"), Y("1e23"), Y("1e307"), Y("1e308"), Y("-1e308"), Y("1.7976931348623157e308"),
    Y("-1.7976931348623157e308"), Y("2.2250738585072014e-308"), Y("5e-324"), Y("0e999999"), Y("0.0e400"),
    Y("179769313486231570000e288"), Y("0.00000000000000000000000000000000000000000000000000000000000001e369"),
    Y("[0]"), Y("[-1]"), Y("[1.5e1,-2]"), Y("{\"a\":-0.0e-0}"),
    N("-"), N("+"), N("+1"), N("+0"), N("--1"), N("-+1"), N("+-1"), N("- 1"), N("1-"), N("1+"), N("1-1"), N("1+1"),
    N("00"), N("01"), N("007"), N("-00"), N("-01"), N("00.5"), N("-012"), N("01e1"), N("0123456789012345678901"),
    N("."), N(".5"), N("-.5"), N("0."), N("1."), N("-1."), N("1.."), N("1..5"), N("1.5."), N("1.5.5"), N(".e1"),
    N("1.e1"), N("0.e1"), N("1. 5"), N("1 .5"), N("1,5"), N("1.-5"), N("1.+5"),
    N("e"), N("e1"), N("1e"), N("1E"), N("1e+"), N("1e-"), N("1ee1"), N("1e1e1"), N("1e1.5"), N("1e.5"), N("1e+-1"),
    N("1e++1"), N("1e 1"), N("1 e1"), N("0e"), N("0e+"), N("1.5e"), N("1.5E-"), N("9.e+"), N("1e1-"), N("1ea"),
    N("0x0"), N("0x1F"), N("0X10"), N("0b1"), N("0o7"), N("1f"), N("1.5f"), N("1L"), N("1_000"), N("1'000"),
    N("1 000"), N("1a"), N("0a"), N("-a"), N("1e1a"), N("$1"), N("1%"), N("1/2"), N("1*2"), N("(1)"), N("#1"),
    N("NaN"), N("-NaN"), N("Infinity"), N("-Infinity"), N("+Infinity"), N("Inf"), N("inf"), N("-inf"), N("INF"),
    N("1\0"), N("1\0002"), N("-\0"), N("1.\0"), N("1e\0"), N("\xef\xbc\x91"), N("1\xef\xbc\x91"), N("\xd9\xa1"),
    N("1\xff"), N("1\xc2\xa0"), N("\xe2\x88\x92" "1"), N("[1.]"), N("[-]"), N("[01]"), N("[1e]"), N("{\"a\":.1}"),
    I("9223372036854775808"), I("-9223372036854775809"), I("10000000000000000000"), I("18446744073709551615"),
    I("18446744073709551616"), I("-18446744073709551616"), I("99999999999999999999"), I("123456789012345678901234567890"),
    I("-123456789012345678901234567890"), I("[9223372036854775808]"), I("{\"a\":18446744073709551616}"),
    I("9223372036854775808.0"), I("18446744073709551616e0"), I("123456789012345678901234567890.5"),
    I("1e309"), I("-1e309"), I("1e400"), I("1E+400"), I("-1e400"), I("1e99999"), I("1e999999999999999999999"),
    I("1.7976931348623158e308"), I("1.7976931348623159e308"), I("17976931348623159e292"), I("179769313486231580000e288"),
    I("0.1e400"), I("0.0001e312"), I("1000e305"), I("1000e306"), I("[1e400]"), I("{\"a\":-1.0e309}"),
    I("1e-324"), I("1e-400"), I("-1e-400"), I("1e-99999"), I("1e-999999999999999999999"), I("2e-324"), I("4.9e-324"),
    I("0e9999999999999999999"), I("0.0e-9999999999999999999"), I("1.0e000000000000000000000000000000000001"),
};

static const struct json_case strings[] = {
    Y("\"\""), Y("\" \""), Y("\"a\""), Y("\"abc\""), Y("\"'\""), Y("\"/\""), Y("\"//\""), Y("\"/**/\""), Y("\"[1]\""),
    Y("\"0123456789abcde\""), Y("\"0123456789abcdef\""), Y("\"0123456789abcdef0\""), Y("\"0123456789abcdef0123456789abcdef\""),
    Y("\"\\\"\""), Y("\"\\\\\""), Y("\"\\/\""), Y("\"\\b\""), Y("\"\\f\""), Y("\"\\n\""), Y("\"\\r\""), Y("\"\\t\""),
    Y("\"\\\\\\\"\""), Y("\"\\\\\\\\\""), Y("\"\\\\u0041\""), Y("\"\\\\n\""), Y("\"a\\nb\\nc\""), Y("\"0123456789abcde\\n\""),
    Y("\"0123456789abcdef\\\"\""), Y("\"\\u0041\""), Y("\"\\u004a\""), Y("\"\\u004A\""), Y("\"\\uabcd\""), Y("\"\\uABCD\""),
    Y("\"\\uaBcD\""), Y("\"\\u0000\""), Y("\"a\\u0000b\""), Y("\"\\u0001\""), Y("\"\\u001f\""), Y("\"\\u0020\""), Y("\"\\u0022\""),
    Y("\"\\u005c\""), Y("\"\\u007f\""), Y("\"\\u0080\""), Y("\"\\u07ff\""), Y("\"\\u0800\""), Y("\"\\ud7ff\""), Y("\"\\ue000\""),
    Y("\"\\ufeff\""), Y("\"\\ufffd\""), Y("\"\\ufffe\""), Y("\"\\uffff\""), Y("\"\\ufdd0\""), Y("\"\\u2028\\u2029\""),
    Y("\"\\ud800\\udc00\""), Y("\"\\udbff\\udfff\""), Y("\"\\uD83D\\uDE00\""), Y("\"\\ud83d\\ude00\\ud83d\\ude00\""),
    Y("\"a\\ud834\\udd1eb\""), Y("\"\\u00411\""), Y("\"\\u0041\\u0042\""), Y("\"\\u12345\""),
    Y("\"\x7f\""), Y("\"\xc2\x80\""), Y("\"\xc3\xab\""), Y("\"\xdf\xbf\""), Y("\"\xe0\xa0\x80\""), Y("\"\xe2\x82\xac\""),
    Y("\"\xe2\x80\xa8\""), Y("\"\xe2\x80\xa9\""), Y("\"\xed\x9f\xbf\""), Y("\"\xee\x80\x80\""), Y("\"\xef\xb7\x90\""),
    Y("\"\xef\xbb\xbf\""), Y("\"\xef\xbf\xbd\""), Y("\"\xef\xbf\xbf\""), Y("\"\xf0\x90\x80\x80\""), Y("\"\xf0\x9f\x98\x80\""),
    Y("\"\xf4\x8f\xbf\xbf\""), Y("\"0123456789abcde\xc3\xab\""), Y("\"\xc3\xab\\u00eb\xc3\xab\""), Y("\"\xf3\xa0\x80\x81\""),
    Y("[\"a\",\"b\\\"\"]"), Y("{\"\\\"\":\"\\\\\"}"), Y("{\"\xc3\xab\":\"\\u00eb\"}"), Y("{\"\\ud83d\\ude00\":1}"),
    N("\""), N("\"a"), N("a\""), N("\"\\"), N("\"\\\""), N("\"a\\"), N("\"\\\\\\\""), N("'a'"), N("'a\""), N("\"a'"), N("`a`"),
    N("\"a\"b"), N("\"a\"\"b\""), N("\"\"\"\""), N("\"a\" \"b\""), N("\"a\\\"b"), N("\xe2\x80\x9c" "a\xe2\x80\x9d"), N("[\"a]"),
    N("[a\"]"), N("[\"a\",\"]"), N("{\"a:1}"), N("{\"a\":\"b}"), N("\"0123456789abcdef"), N("\"0123456789abcde\\"),
    N("\"\\a\""), N("\"\\c\""), N("\"\\e\""), N("\"\\v\""), N("\"\\x\""), N("\"\\x41\""), N("\"\\0\""), N("\"\\07\""), N("\"\\101\""),
    N("\"\\'\""), N("\"\\ \""), N("\"\\B\""), N("\"\\N\""), N("\"\\T\""), N("\"\\-\""), N("\"\\\n\""), N("\"\\\0\""), N("\"\\\xc3\xab\""),
    N("\"\\u\""), N("\"\\u0\""), N("\"\\u00\""), N("\"\\u004\""), N("\"\\u004"), N("\"\\u"), N("\"\\u0041"), N("\"\\u004g\""),
    N("\"\\ug041\""), N("\"\\u-041\""), N("\"\\u+041\""), N("\"\\u 041\""), N("\"\\u00 1\""), N("\"\\u{41}\""), N("\"\\U0041\""),
    N("\"\\U00000041\""), N("\"\\u00\\u0041\""), N("\"\\u\\u0041\""), N("\"\\u004\0\""), N("\"\\uxxxx\""),
    N("\"\n\""), N("\"\r\""), N("\"\t\""), N("\"\b\""), N("\"\f\""), N("\"\0\""), N("\"\x01\""), N("\"\x1f\""), N("\"a\nb\""),
    N("\"a\0b\""), N("\"a\0"), N("\"0123456789abcde\n\""), N("\"0123456789abcdef\x1f\""), N("{\"a\nb\":1}"), N("{\"\0\":1}"),
    N("\"\x80\""), N("\"\xbf\""), N("\"\x80\x80\""), N("\"\xff\""), N("\"\xfe\""), N("\"\xfe\xff\""), N("\"\xe9\""),
    N("\"\xc3\""), N("\"\xc3"), N("\"\xc3\"\""), N("\"\xc3\x28\""), N("\"\xc3\xc3\""), N("\"\xc3\xab\xab\""),
    N("\"\xe2\""), N("\"\xe2\x82\""), N("\"\xe2\x82"), N("\"\xe2\x28\xa1\""), N("\"\xe2\x82\x28\""), N("\"\xe2\x82\xc0\""),
    N("\"\xf0\x9f\x98\""), N("\"\xf0\x9f\""), N("\"\xf0\""), N("\"\xf0\x9f\x98"), N("\"\xf0\x28\x8c\x80\""), N("\"\xf0\x9f\x28\x80\""),
    N("\"\xf0\x9f\x98\x28\""), N("\"\xc0\x80\""), N("\"\xc0\xaf\""), N("\"\xc1\xbf\""), N("\"\xe0\x80\x80\""), N("\"\xe0\x80\xaf\""),
    N("\"\xe0\x9f\xbf\""), N("\"\xf0\x80\x80\x80\""), N("\"\xf0\x8f\xbf\xbf\""), N("\"\xf0\x82\x82\xac\""), N("\"\xed\xa0\x80\""),
    N("\"\xed\xaf\xbf\""), N("\"\xed\xb0\x80\""), N("\"\xed\xbf\xbf\""), N("\"\xed\xa0\xbd\xed\xb8\x80\""), N("\"\xf4\x90\x80\x80\""),
    N("\"\xf5\x80\x80\x80\""), N("\"\xf7\xbf\xbf\xbf\""), N("\"\xf8\x88\x80\x80\x80\""), N("\"\xfc\x84\x80\x80\x80\x80\""),
    N("\"0123456789abcde\xc3\""), N("\"0123456789abcdef\xff\""), N("{\"\xff\":1}"), N("{\"\xc0\x80\":1}"), N("{\"a\":\"\xed\xa0\x80\"}"),
    I("\"\\ud800\""), I("\"\\udbff\""), I("\"\\udc00\""), I("\"\\udfff\""), I("\"\\ud800a\""), I("\"\\ud800\\n\""), I("\"\\ud800\\\\\""),
    I("\"\\ud800\\u0041\""), I("\"\\ud800\\ud800\""), I("\"\\ud800\\ue000\""), I("\"\\ud800\\udbff\""), I("\"\\udc00\\ud800\""),
    I("\"\\udc00\\udc00\""), I("\"\\ud83d\\ude00\\ude00\""), I("\"\\ud83d\\ud83d\\ude00\""), I("\"\\ud800\\u\""), I("\"\\ud800\\udc0\""),
    I("\"\\ud800\\\""), I("\"\\ud800\\uDC00\""), I("\"\\uD800\""), I("\"\\ud800 \\udc00\""), I("[\"\\udead\"]"), I("{\"\\ud800\":1}"),
    I("{\"\\udc00\\ud800\":1}"), I("{\"\\u0000\":1}"), I("{\"a\\u0000b\":1}"), I("{\"a\\u0000\":1,\"a\":2}"), I("[{\"\\u0000\":{}}]"),
    I("{\"\\\\u0000\":1}"), I("{\"\\\\\\u0000\":1}"),
};

static const struct json_case blanks[] = {
    Y(" 1"), Y("1 "), Y("\t1"), Y("\r\n1\r\n"), Y(" \t\r\n[ \t\r\n] \t\r\n"), Y("[ 1 , 2 ]"), Y("{ }"), Y("{ \"a\" : 1 , \"b\" : 2 }"),
    Y("[\n1\n]"), Y("{\"a\"\n:\t1}"), Y("[1\r,\r2]"), Y(" \"a\" "), Y("\n\n\n\nnull\n\n\n\n"), Y("[\t\t\t[ ]\t\t\t]"),
    N("\f1"), N("\v1"), N("1\f"), N("1\v"), N("\b1"), N("[\f]"), N("[1,\v2]"), N("{\"a\"\f:1}"), N("\x7f" "1"), N("\x1f[]"), N("[]\x01"),
    N("\0" "1"), N("[\0]"), N("[1\0]"), N("{\0}"), N("[]\0"), N(" \0"), N("{\"a\"\0:1}"), N("{\"a\":\0" "1}"),
    N("\xc2\xa0" "1"), N("[\xc2\xa0]"), N("\xe2\x80\xa8[]"), N("[]\xe3\x80\x80"), N("\xe2\x81\xa0[]"), N("\xc2\x85[]"), N("\xe1\x9a\x80" "1"),
    N("[1]\xa0"), N("\\n1"), N("\\t[]"), N("1\\n"), N("[\\r]"), N("&nbsp;[]"),
    I("\xef\xbb\xbf[]"), I("\xef\xbb\xbf{}"), I("\xef\xbb\xbf" "1"), I("\xef\xbb\xbf"), I(" \xef\xbb\xbf[]"), I("\xef\xbb[]"), I("[]\xef\xbb\xbf"),
    I("[\xef\xbb\xbf" "1]"), I("\xfe\xff\0[\0]"), I("\xff\xfe[\0]\0"), I("[\0]\0"), I("\0[\0]"), I("[\0\0\0]\0\0\0"),
};

static const struct json_case trailing[] = {
    N("[] []"), N("[]{}"), N("{}[]"), N("{} {}"), N("[],"), N("{},"), N("[];"), N("1 2"), N("1,"), N("1;"), N("null null"), N("nullnull"),
    N("[]x"), N("{}x"), N("\"a\"x"), N("[]]"), N("[1]]"), N("{\"a\":1}}"), N("{\"a\":1}]"), N("{\"a\":1}#"), N("{\"a\":1}//"),
    N("{\"a\":1}/**/"), N("/**/[]"), N("//\n[]"), N("#\n[]"), N("[/**/]"), N("[1/*,*/,2]"), N("[1//\n]"), N("{/**/\"a\":1}"),
    N("{\"a\"/**/:1}"), N("{\"a\":/**/1}"), N("[1]/"), N("<!-- -->[]"), N("[]\n[]"), N("\x1e[]"), N("[]\x1e"), N("a:1"), N("---\n[]"),
    N("var x=1"), N("(1)"), N("({})"), N("f([])"), N("!1"), N("!!1"), N("~1"), N(")]}'\n[]"), N("while(1);[]"), N("s:1:\"a\";"), N("a:0:{}"),
    N("N;"), N("i:1;"), N("<a/>"), N("%7B%7D"), N("&quot;a&quot;"), N("=1"), N("[]="), N("\x80\x03]q\x01."), N("\x93\x01\x02\x03"),
};

static const struct {
    const struct json_case *cases;
    int n;
} tables[] = {
    {structure, MR_COUNT(structure)}, {words, MR_COUNT(words)},
    {numbers, MR_COUNT(numbers)},       {strings, MR_COUNT(strings)},
    {blanks, MR_COUNT(blanks)},          {trailing, MR_COUNT(trailing)},
};

enum {
    CASES = MR_COUNT(structure) + MR_COUNT(words) + MR_COUNT(numbers) + MR_COUNT(strings) + MR_COUNT(blanks) + MR_COUNT(trailing)
};
/* clang-format on */

static const struct json_case *case_of(int row)
{
    size_t table = 0;

    for (; row >= tables[table].n; table++)
        row -= tables[table].n;
    return &tables[table].cases[row];
}

/* ---- the three who judge ---- */

static bool scan_takes(struct mr_bytes text)
{
    struct mr_json json = {.at = text.at, .end = text.at + text.len};

    mr_json_blanks(&json);
    if (!mr_json_skip(&json, MR_JSON_DEPTH_MAX)) {
        ck_assert_ptr_nonnull(json.why);
        ck_assert(json.at >= text.at && json.at <= json.end);
        return false;
    }
    mr_json_blanks(&json);
    return json.at == json.end;
}

/* A NUL byte is no part of any text; jansson passes over one behind a number. */
static bool jansson_takes(struct mr_bytes text)
{
    if (memchr(text.at, '\0', text.len))
        return false;
    json_t *value = json_loadb(text.at, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool taken = value != NULL;

    json_decref(value);
    return taken;
}

static bool envelope_takes(struct mr_bytes raw)
{
    struct mr_limits limits = mr_limits_default();
    struct mr_envelope envelope;

    if (mr_envelope_scan(raw.at, raw.len, &limits, &envelope, NULL) != MR_OK)
        return false;
    mr_envelope_fini(&envelope);
    return true;
}

/* The case, as a failing test shows it. */
static const char *shown(struct mr_bytes text)
{
    static struct mr_buf out;

    mr_buf_clear(&out);
    mr_buf_json(&out, text.at, text.len);
    return out.at;
}

/* before text behind, in memory that ends where it ends: a sanitizer sees every byte too far. The caller's. */
static struct mr_bytes wrap(const char *before, struct mr_bytes text, const char *behind)
{
    size_t first = strlen(before), last = strlen(behind);
    char *at = mr_zalloc(first + text.len + last);

    memcpy(at, before, first);
    memcpy(at + first, text.at, text.len);
    memcpy(at + first + text.len, behind, last);
    return (struct mr_bytes){at, first + text.len + last};
}

static void ck_agree(struct mr_bytes raw)
{
    const char *why = mr_envelope_disagreement(raw.at, raw.len);

    ck_assert_msg(!why, "%s: \"%s\"", why, shown(raw));
}

/* ---- every case, wherever a value may stand ---- */

static bool is_wanted(const struct json_case *json)
{
    return json->rule == OPEN ? jansson_takes(json->text) : json->rule == YES;
}

/* ---- every case, wherever a value may stand ---- */

START_TEST(text_alone_is_judged_as_the_rule_says)
{
    const struct json_case *json = case_of(_i);
    struct mr_bytes text = wrap("", json->text, "");

    ck_assert_msg(jansson_takes(text) == is_wanted(json), "jansson: \"%s\"", shown(text));
    ck_assert_msg(scan_takes(text) == is_wanted(json), "\"%s\"", shown(text));
    free((char *)(uintptr_t)text.at);
}
END_TEST

/* The envelope that before begins: taken where it must be, and never unless it may be. */
static void ck_envelope(const char *before, const struct json_case *json, bool must, bool may)
{
    struct mr_bytes raw = wrap(before, json->text, "}");
    bool taken = envelope_takes(raw);

    ck_agree(raw);
    ck_assert_msg(taken ? may : !must, "\"%s\"", shown(raw));
    free((char *)(uintptr_t)raw.at);
}

START_TEST(data_is_judged_as_the_text_alone)
{
    for (int i = 0; i < tables[_i].n; i++) {
        const struct json_case *json = &tables[_i].cases[i];
        bool wanted = is_wanted(json);

        ck_envelope("{\"job\":\"j\",\"data\":", json, wanted, wanted);
        ck_envelope("{\"job\":\"j\",\"x\":", json, wanted, wanted);
    }
}
END_TEST

static const char *const headers[] = {
    "id",         "job",         "data",        "uuid",          "tags",
    "then",       "delay",       "batch",       "errors",        "unique",
    "timeout",    "backoff",     "crashes",     "suspect",       "inDoubt",
    "attempts",   "maxTries",    "pushedAt",    "createdAt",     "expiresAt",
    "retryUntil", "displayName", "traceparent", "failOnTimeout", "maxExceptions",
};

START_TEST(a_header_takes_no_text_that_is_wrong)
{
    for (int i = 0; i < tables[_i].n; i++) {
        const struct json_case *json = &tables[_i].cases[i];

        for (size_t h = 0; h < MR_COUNT(headers); h++) {
            char *before = mr_asprintf(
                "{%s\"%s\":", strcmp(headers[h], "job") == 0 ? "" : "\"job\":\"j\",",
                headers[h]);

            ck_envelope(before, json, false, is_wanted(json));
            free(before);
        }
    }
}
END_TEST

START_TEST(a_name_takes_no_text_that_is_wrong)
{
    for (int i = 0; i < tables[_i].n; i++) {
        const struct json_case *json = &tables[_i].cases[i];
        struct mr_bytes raw = wrap("{\"job\":\"j\",", json->text, ":1}");

        ck_agree(raw);
        ck_assert_msg(!envelope_takes(raw) || is_wanted(json), "\"%s\"", shown(raw));
        free((char *)(uintptr_t)raw.at);
    }
}
END_TEST

/* Inside of these some wrong texts become right ones, as `1,2` does in brackets: jansson says which. */
static const struct {
    const char *before, *behind;
} places[] = {
    {"[",               "]"    },
    {"[[0,",            ",0]]" },
    {"{\"a\":",         "}"    },
    {"{\"a\":[{\"b\":", "}]}"  },
    {"{",               ":1}"  },
    {"{\"a\":{",        ":[]}}"},
    {"\"",              "\""   },
    {" ",               "\n"   },
    {"[\"",             "\"]"  },
    {"-",               ""     },
    {"",                "0"    },
};

START_TEST(scan_and_jansson_agree_inside_of_others)
{
    for (int i = 0; i < tables[_i].n; i++)
        for (size_t p = 0; p < MR_COUNT(places); p++) {
            struct mr_bytes text =
                wrap(places[p].before, tables[_i].cases[i].text, places[p].behind);

            ck_assert_msg(scan_takes(text) == jansson_takes(text), "\"%s\"", shown(text));
            free((char *)(uintptr_t)text.at);
        }
}
END_TEST

START_TEST(scan_and_jansson_agree_on_every_prefix)
{
    for (int i = 0; i < tables[_i].n; i++) {
        struct mr_bytes text = tables[_i].cases[i].text;

        for (; text.len > 0; text.len--) {
            struct mr_bytes exact = wrap("", text, "");

            ck_assert_msg(scan_takes(exact) == jansson_takes(exact), "\"%s\"", shown(exact));
            free((char *)(uintptr_t)exact.at);
        }
    }
}
END_TEST

/* ---- nesting ---- */

static const struct {
    const char *open, *close;
} nests[] = {
    {"[",        "]"  },
    {"{\"a\":",  "}"  },
    {"[{\"a\":", "}]" },
    {"[ ",       " ]" },
    {"[0,",      ",0]"}
};

/* n times open, inside, n times close. The caller's. */
static struct mr_bytes nested(int nest, unsigned n, const char *inside, unsigned n_close)
{
    struct mr_buf text = {0};

    for (unsigned i = 0; i < n; i++)
        mr_buf_text(&text, nests[nest].open);
    mr_buf_text(&text, inside);
    for (unsigned i = 0; i < n_close; i++)
        mr_buf_text(&text, nests[nest].close);
    return (struct mr_bytes){text.at, text.len};
}

static void ck_nested(int nest, unsigned n, unsigned n_close, bool wanted)
{
    struct mr_bytes text = nested(nest, n, "1", n_close);

    ck_assert_msg(scan_takes(text) == wanted, "%u of \"%s\"", n, nests[nest].open);
    free((char *)(uintptr_t)text.at);
}

START_TEST(nesting_is_taken_up_to_its_bound)
{
    unsigned each = _i == 2 ? 2 : 1, most = MR_JSON_DEPTH_MAX / each;

    for (unsigned n = 1; n <= most; n = n < 70         ? n + 1
                                        : n * 2 < most ? n * 2
                                        : n < most     ? most
                                                       : most + 1) {
        struct mr_bytes text = nested(_i, n, "1", n);

        ck_assert(jansson_takes(text));
        free((char *)(uintptr_t)text.at);
        ck_nested(_i, n, n, true);
        ck_nested(_i, n, n - 1, false);
        ck_nested(_i, n, n + 1, false);
    }
    ck_nested(_i, most + 1, most + 1, false);
    ck_nested(_i, 100000, 100000, false);
    ck_nested(_i, 100000, 0, false);
}
END_TEST

START_TEST(nesting_in_an_envelope_agrees)
{
    for (unsigned n = 1; n < 80; n++) {
        struct mr_bytes text = nested(_i, n, "", n);
        struct mr_bytes raw = wrap("{\"job\":\"j\",\"data\":", text, "}");

        ck_agree(raw);
        free((char *)(uintptr_t)raw.at);
        free((char *)(uintptr_t)text.at);
    }
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {text_alone_is_judged_as_the_rule_says,   CASES           },
        {data_is_judged_as_the_text_alone,        MR_COUNT(tables)},
        {a_header_takes_no_text_that_is_wrong,    MR_COUNT(tables)},
        {a_name_takes_no_text_that_is_wrong,      MR_COUNT(tables)},
        {scan_and_jansson_agree_inside_of_others, MR_COUNT(tables)},
        {scan_and_jansson_agree_on_every_prefix,  MR_COUNT(tables)},
        {nesting_is_taken_up_to_its_bound,        MR_COUNT(nests) },
        {nesting_in_an_envelope_agrees,           MR_COUNT(nests) },
    };

    return mr_suite_run("json_cases", tests);
}
