/* What may stand in the head of an HTTP request, so that no value can make two lines or two requests of one. Pure. */
#ifndef MR_JOBS_SERVICES_HTTP_TEXT_H
#define MR_JOBS_SERVICES_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A name of a header or a method (RFC 9110, 5.6.2). */
bool mr_http_is_token(const char *text, size_t len);
/* Any byte but controls, the line's end among them; a tab is none. */
bool mr_http_is_value(const char *text);

#endif
