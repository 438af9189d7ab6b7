#include "jobs/sms/twilio_codes.h"

#include "proto/base/mem.h"

#define REFUSED MR_REPLY_REFUSED
#define NOT_HERE MR_REPLY_NOT_HERE
#define UNABLE MR_REPLY_UNABLE
#define LATER MR_REPLY_LATER

/*
 * REFUSED is about the message: whoever is asked, it stays wrong; and who has said STOP to one sender is not to be reached by way of
 * another. NOT_HERE is about this account's numbers and permissions. In the order of the codes.
 */
/* clang-format off */
static const struct mr_twilio_code codes[] = {
    {10001, UNABLE,   "the account is not active"},
    {20003, UNABLE,   "account or token is wrong"},
    {20005, UNABLE,   "the account is not active"},
    {20006, UNABLE,   "the account has no access to this"},
    {20404, UNABLE,   "there is no such account"},
    {20429, LATER,    "too many requests at once"},
    {21211, REFUSED,  "data.to is no telephone number"},
    {21212, NOT_HERE, "the sender is no number of the provider's"},
    {21217, REFUSED,  "data.to is no telephone number"},
    {21219, NOT_HERE, "a trial account sends to verified numbers alone"},
    {21265, REFUSED,  "data.to is a short number"},
    {21266, NOT_HERE, "sender and receiver are the same"},
    {21267, NOT_HERE, "a trial account sends from numbers alone"},
    {21407, NOT_HERE, "the sender cannot send text messages"},
    {21408, NOT_HERE, "the account may not send to that country"},
    {21601, NOT_HERE, "the sender cannot send text messages"},
    {21602, REFUSED,  "the text is empty"},
    {21603, NOT_HERE, "there is no sender"},
    {21604, REFUSED,  "there is no receiver"},
    {21605, REFUSED,  "the text is too long"},
    {21606, NOT_HERE, "the sender is not the account's, or cannot send there"},
    {21608, NOT_HERE, "a trial account sends to verified numbers alone"},
    {21609, UNABLE,   "the provider cannot use sms.callback"},
    {21610, REFUSED,  "the receiver has said STOP"},
    {21611, LATER,    "the sender's queue at the provider is full"},
    {21612, NOT_HERE, "no way from this sender to that receiver"},
    {21614, REFUSED,  "data.to is no mobile number"},
    {21617, REFUSED,  "the text is too long"},
    {21619, REFUSED,  "the text is empty"},
    {21635, REFUSED,  "data.to is a landline"},
    {21659, NOT_HERE, "the sender is no number of the provider's"},
    {21660, NOT_HERE, "the sender is another account's"},
    {21661, NOT_HERE, "the sender cannot send text messages"},
    {30001, LATER,    "the provider's queue is full"},
    {30002, UNABLE,   "the account is suspended"},
    {30003, REFUSED,  "the receiver cannot be reached"},
    {30004, REFUSED,  "the receiver blocks it"},
    {30005, REFUSED,  "there is no such receiver"},
    {30006, REFUSED,  "the receiver is a landline, or its network cannot be reached"},
    {30007, REFUSED,  "a network takes it for spam"},
    {30034, NOT_HERE, "the sender is not registered for that country"},
    {63001, UNABLE,   "WhatsApp does not let the account in"},
    {63003, REFUSED,  "the receiver is not on WhatsApp"},
    {63007, NOT_HERE, "the sender is not on WhatsApp"},
    {63013, REFUSED,  "it is against WhatsApp's rules"},
    {63015, NOT_HERE, "the receiver has not joined the sandbox"},
    {63016, REFUSED,  "the receiver has not written for a day: WhatsApp wants an approved template"},
    {63018, LATER,    "WhatsApp takes no more for now"},
    {63024, REFUSED,  "WhatsApp does not know the receiver"},
    {63038, LATER,    "the account has sent all it may today"},
};
/* clang-format on */

const struct mr_twilio_code *mr_twilio_code_find(long long code)
{
    for (size_t i = 0; i < MR_COUNT(codes); i++)
        if (codes[i].code == code)
            return &codes[i];
    return NULL;
}
