/* Any bytes as a template: refused with a place, or rendered within its bounds; a header stays one line whatever the values are. */
#include "jobs/services/template.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

/* Every partial is the template itself. */
static enum mr_code find_itself(void *arg, const char *name, struct mr_template **out,
                                struct mr_err *err)
{
    (void)name, (void)err;
    *out = mr_template_ref(arg);
    return MR_OK;
}

static void check(struct mr_template *template, json_t *view, enum mr_template_target target,
                  bool strict)
{
    const struct mr_template_task task = {view, target, strict, 20000, find_itself, template};
    struct mr_buf out = {0};
    struct mr_err err = {0};
    enum mr_code code = mr_template_render(template, &task, &out, &err);

    must(code == MR_OK ? out.len <= task.max_bytes : out.len == 0 && err.text[0]);
    must(code == MR_OK || code == MR_EINVAL || code == MR_EFAULT);
    must(strlen(out.at) == out.len);
    if (target == MR_TEMPLATE_HEADER)
        must(!strpbrk(out.at, "\r\n"));
    mr_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char values[] =
        "{\"a\":\"<&'\\r\\n\",\"b\":{\"a\":[1,2.5,[\"x\"]],\"b\":true},\"c\":[],\"d\":null}";
    struct mr_template *template = NULL;
    struct mr_err err = {0};

    if (mr_template_compile((const char *)bytes, len, "fuzz", &template, &err) != MR_OK) {
        must(!template && strncmp(err.text, "fuzz:", 5) == 0);
        return 0;
    }
    json_t *view = json_loads(values, 0, NULL);
    for (int target = MR_TEMPLATE_TEXT; target <= MR_TEMPLATE_JSON; target++) {
        check(template, view, (enum mr_template_target)target, true);
        check(template, view, (enum mr_template_target)target, false);
    }
    json_decref(view);
    mr_template_unref(template);
    return 0;
}
