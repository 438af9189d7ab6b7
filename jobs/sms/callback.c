#include "jobs/sms/callback.h"

#include "jobs/services/digest.h"
#include "jobs/services/form.h"

#include <string.h>

char *mr_callback_url(const char *base, const char *secret, const char *uuid)
{
    char signature[MR_DIGEST_HEX];
    struct mr_buf url = {0};

    if (*uuid == '\0')
        return NULL;
    mr_digest_hmac(secret, uuid, signature);
    mr_buf_printf(&url, "%s%cuuid=", base, strchr(base, '?') ? '&' : '?');
    mr_form_escape(&url, uuid);
    mr_buf_printf(&url, "&signature=%s", signature);
    return mr_buf_steal(&url);
}
