/* What every function that can fail answers, and the one line a person reads when it did. */
#ifndef MR_PROTO_BASE_ERR_H
#define MR_PROTO_BASE_ERR_H

enum mr_code {
    MR_OK = 0,
    MR_EINVAL,    /* what was given is wrong and stays wrong */
    MR_ENOTFOUND, /* no such thing */
    MR_EEXIST,    /* there is one already */
    MR_EBUSY,     /* not now; the same call may work later */
    MR_EREFUSED,  /* the other side said no and did nothing: asking again is harmless */
    MR_EUNKNOWN,  /* nobody knows whether the other side did it */
    MR_ETIMEDOUT, /* the deadline passed */
    MR_EFENCED,   /* the lease is no longer ours */
    MR_EFAULT,    /* the other side will not serve us as configured: a person must act */
    MR_EDOWN,     /* not connected; nothing was sent */
    MR_EIO        /* the system refused: file, socket, fork */
};

/* One line for a person: what happened, where, what to do. Never a secret. */
struct mr_err {
    enum mr_code code;
    char text[1024];
};

/*
 * Fills err (NULL is allowed) with code and the printf-like line, cut at the size of text, and
 * returns code, so that failing is one statement: return mr_fail(err, MR_EINVAL, "...", ...);
 */
enum mr_code mr_fail(struct mr_err *err, enum mr_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The short, stable name of code: "refused", "timed_out". Never NULL. */
const char *mr_code_name(enum mr_code code);

#endif
