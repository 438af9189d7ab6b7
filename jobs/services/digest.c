#include "jobs/services/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mr_digest_hmac(const char *key, const char *text, char out[MR_DIGEST_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (!HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)text, strlen(text),
              digest, &len) ||
        len * 2 + 1 != MR_DIGEST_HEX)
        abort(); /* out of memory, as in mr_zalloc */
    for (unsigned i = 0; i < len; i++)
        sprintf(out + i * 2, "%02x", digest[i]);
}
