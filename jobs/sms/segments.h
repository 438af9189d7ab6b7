/* How many pieces a text message is cut into on its way, which is what a provider bills (3GPP TS 23.038, 23.040). */
#ifndef MR_JOBS_SMS_SEGMENTS_H
#define MR_JOBS_SMS_SEGMENTS_H

enum mr_alphabet {
    MR_ALPHABET_GSM, /* 7 bits a unit: 160 in one segment, else 153 each */
    MR_ALPHABET_UCS2 /* 16 bits a unit: 70 in one segment, else 67 each */
};

struct mr_segments {
    enum mr_alphabet alphabet;
    unsigned units; /* a character takes one or two, and the two are never parted */
    unsigned n;     /* 0 for an empty text */
};

/* text is valid UTF-8. One character outside of the GSM alphabet makes all of it UCS-2. */
struct mr_segments mr_segments_count(const char *text);

#endif
