#include "jobs/billing/money.h"

#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NO_MINOR_UNIT = 99, BP = 10000, GROUP = 3 };

/* clang-format off */
/* ISO 4217, list one: active codes. */
static const struct mr_currency currencies[] = {
  /* clang-format off */
    {"AED", 2}, {"AFN", 2}, {"ALL", 2}, {"AMD", 2}, {"AOA", 2}, {"ARS", 2}, {"AUD", 2}, {"AWG", 2},
    {"AZN", 2}, {"BAM", 2}, {"BBD", 2}, {"BDT", 2}, {"BHD", 3}, {"BIF", 0}, {"BMD", 2}, {"BND", 2},
    {"BOB", 2}, {"BOV", 2}, {"BRL", 2}, {"BSD", 2}, {"BTN", 2}, {"BWP", 2}, {"BYN", 2}, {"BZD", 2},
    {"CAD", 2}, {"CDF", 2}, {"CHE", 2}, {"CHF", 2}, {"CHW", 2}, {"CLF", 4}, {"CLP", 0}, {"CNY", 2},
    {"COP", 2}, {"COU", 2}, {"CRC", 2}, {"CUP", 2}, {"CVE", 2}, {"CZK", 2}, {"DJF", 0}, {"DKK", 2},
    {"DOP", 2}, {"DZD", 2}, {"EGP", 2}, {"ERN", 2}, {"ETB", 2}, {"EUR", 2}, {"FJD", 2}, {"FKP", 2},
    {"GBP", 2}, {"GEL", 2}, {"GHS", 2}, {"GIP", 2}, {"GMD", 2}, {"GNF", 0}, {"GTQ", 2}, {"GYD", 2},
    {"HKD", 2}, {"HNL", 2}, {"HTG", 2}, {"HUF", 2}, {"IDR", 2}, {"ILS", 2}, {"INR", 2}, {"IQD", 3},
    {"IRR", 2}, {"ISK", 0}, {"JMD", 2}, {"JOD", 3}, {"JPY", 0}, {"KES", 2}, {"KGS", 2}, {"KHR", 2},
    {"KMF", 0}, {"KPW", 2}, {"KRW", 0}, {"KWD", 3}, {"KYD", 2}, {"KZT", 2}, {"LAK", 2}, {"LBP", 2},
    {"LKR", 2}, {"LRD", 2}, {"LSL", 2}, {"LYD", 3}, {"MAD", 2}, {"MDL", 2}, {"MGA", 2}, {"MKD", 2},
    {"MMK", 2}, {"MNT", 2}, {"MOP", 2}, {"MRU", 2}, {"MUR", 2}, {"MVR", 2}, {"MWK", 2}, {"MXN", 2},
    {"MXV", 2}, {"MYR", 2}, {"MZN", 2}, {"NAD", 2}, {"NGN", 2}, {"NIO", 2}, {"NOK", 2}, {"NPR", 2},
    {"NZD", 2}, {"OMR", 3}, {"PAB", 2}, {"PEN", 2}, {"PGK", 2}, {"PHP", 2}, {"PKR", 2}, {"PLN", 2},
    {"PYG", 0}, {"QAR", 2}, {"RON", 2}, {"RSD", 2}, {"RUB", 2}, {"RWF", 0}, {"SAR", 2}, {"SBD", 2},
    {"SCR", 2}, {"SDG", 2}, {"SEK", 2}, {"SGD", 2}, {"SHP", 2}, {"SLE", 2}, {"SOS", 2}, {"SRD", 2},
    {"SSP", 2}, {"STN", 2}, {"SVC", 2}, {"SYP", 2}, {"SZL", 2}, {"THB", 2}, {"TJS", 2}, {"TMT", 2},
    {"TND", 3}, {"TOP", 2}, {"TRY", 2}, {"TTD", 2}, {"TWD", 2}, {"TZS", 2}, {"UAH", 2}, {"UGX", 0},
    {"USD", 2}, {"USN", 2}, {"UYI", 0}, {"UYU", 2}, {"UYW", 4}, {"UZS", 2}, {"VED", 2}, {"VES", 2},
    {"VND", 0}, {"VUV", 0}, {"WST", 2}, {"XAF", 0}, {"XCD", 2}, {"XCG", 2}, {"XOF", 0}, {"XPF", 0},
    {"YER", 2}, {"ZAR", 2}, {"ZMW", 2}, {"ZWG", 2},
    /* Metals, funds, tests, nothing at all. */
    {"XAG", NO_MINOR_UNIT}, {"XAU", NO_MINOR_UNIT}, {"XBA", NO_MINOR_UNIT}, {"XBB", NO_MINOR_UNIT},
    {"XBC", NO_MINOR_UNIT}, {"XBD", NO_MINOR_UNIT}, {"XDR", NO_MINOR_UNIT}, {"XPD", NO_MINOR_UNIT},
    {"XPT", NO_MINOR_UNIT}, {"XSU", NO_MINOR_UNIT}, {"XTS", NO_MINOR_UNIT}, {"XUA", NO_MINOR_UNIT},
    {"XXX", NO_MINOR_UNIT},
    /* clang-format on */
};
/* clang-format on */

enum mr_code mr_currency_find(const char *code, const struct mr_currency **out,
                              struct mr_err *err)
{
    for (size_t i = 0; i < MR_COUNT(currencies); i++) {
        if (strcmp(currencies[i].code, code) != 0)
            continue;
        if (currencies[i].exponent == NO_MINOR_UNIT)
            return mr_fail(err, MR_EINVAL, "\"%s\" has no minor unit in ISO 4217", code);
        *out = &currencies[i];
        return MR_OK;
    }
    return mr_fail(err, MR_EINVAL,
                   "\"%.20s\" is no currency of ISO 4217 (three capitals, such as EUR)", code);
}

bool mr_money_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

bool mr_money_times(int64_t unit, int64_t quantity, int64_t *out)
{
    int64_t product;

    if (__builtin_mul_overflow(unit, quantity, &product))
        return false;
    *out = product;
    return true;
}

int64_t mr_money_tax(int64_t net, unsigned tax_bp)
{
    /* The wholes of 10,000 give whole units; only what is left over is rounded, and nothing can overflow. */
    int64_t wholes = net / BP * tax_bp;
    int64_t part = net % BP * tax_bp;
    int64_t tax = wholes + part / BP;
    int64_t rest = part % BP;
    int64_t away = net < 0 ? -1 : 1;

    if (rest < 0)
        rest = -rest;
    if (rest * 2 > BP || (rest * 2 == BP && tax % 2 != 0))
        tax += away;
    return tax;
}

void mr_money_print(int64_t minor, const struct mr_currency *currency, char *out)
{
    char digits[24], *to = out;
    uint64_t magnitude = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    /* As many digits as make one before the point. */
    int n =
        snprintf(digits, sizeof(digits), "%0*" PRIu64, (int)currency->exponent + 1, magnitude);
    int whole = n - (int)currency->exponent;

    if (minor < 0)
        *to++ = '-';
    for (int i = 0; i < n; i++) {
        if (i == whole)
            *to++ = '.';
        else if (i > 0 && i < whole && (whole - i) % GROUP == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to++ = ' ';
    memcpy(to, currency->code, sizeof(currency->code));
}

void mr_money_print_rate(unsigned tax_bp, char *out)
{
    unsigned whole = tax_bp / 100, part = tax_bp % 100;

    if (part == 0)
        snprintf(out, MR_TAX_PRINT, "%u %%", whole);
    else if (part % 10 == 0)
        snprintf(out, MR_TAX_PRINT, "%u.%u %%", whole, part / 10);
    else
        snprintf(out, MR_TAX_PRINT, "%u.%02u %%", whole, part);
}
