#include "jobs/services/pdf.h"
#include "jobs/services/pdf_own.h"
#include "proto/base/mem.h"
#include "worker/handler.h"

#include <pango/pangocairo.h>
#include <pthread.h>
#include <stdlib.h>

/* Everything but the lock is NULL until the first document. */
struct mr_pdf_press {
    pthread_mutex_t lock;
    PangoFontMap *map;
    PangoFontDescription *fonts[MR_PDF_STYLES];
};

static const char *const styles[MR_PDF_STYLES] = {
    [MR_PDF_NORMAL] = "DejaVu Sans,sans-serif 9",
    [MR_PDF_BOLD] = "DejaVu Sans,sans-serif bold 9",
    [MR_PDF_SMALL] = "DejaVu Sans,sans-serif 7.5",
    [MR_PDF_TITLE] = "DejaVu Sans,sans-serif bold 17",
};

static void unload(struct mr_pdf_press *press)
{
    for (int i = 0; i < MR_PDF_STYLES; i++)
        pango_font_description_free(press->fonts[i]);
    if (press->map)
        g_object_unref(press->map);
    press->map = NULL;
}

/* A system without fonts draws boxes, on an invoice as well. */
static bool has_a_font(struct mr_pdf_press *press)
{
    PangoContext *context = mr_pdf_press_context(press);
    PangoFont *font =
        pango_font_map_load_font(press->map, context, press->fonts[MR_PDF_NORMAL]);

    if (font)
        g_object_unref(font);
    g_object_unref(context);
    return font;
}

static enum mr_code load(struct mr_pdf_press *press, struct mr_err *err)
{
    press->map = pango_cairo_font_map_new();
    for (int i = 0; i < MR_PDF_STYLES; i++)
        press->fonts[i] = pango_font_description_from_string(styles[i]);
    if (has_a_font(press))
        return MR_OK;
    unload(press);
    return mr_fail(err, MR_EFAULT,
                   "there is no font to write a PDF with: install fonts-dejavu-core");
}

struct mr_pdf_press *mr_pdf_press_new(void)
{
    struct mr_pdf_press *press = mr_zalloc(sizeof(*press));

    pthread_mutex_init(&press->lock, NULL);
    return press;
}

void mr_pdf_press_free(struct mr_pdf_press *press)
{
    if (!press)
        return;
    if (press->map)
        unload(press);
    pthread_mutex_destroy(&press->lock);
    free(press);
}

static enum mr_code open_press(struct mr_host *host, void **out, struct mr_err *err)
{
    (void)host, (void)err;
    *out = mr_pdf_press_new();
    return MR_OK;
}

static void close_press(void *shared)
{
    mr_pdf_press_free(shared);
}

enum mr_code mr_pdf_press_get(struct mr_host *host, struct mr_pdf_press **out,
                              struct mr_err *err)
{
    void *press = NULL;
    enum mr_code code = mr_host_share(host, "pdf", open_press, close_press, &press, err);

    if (code == MR_OK)
        *out = press;
    return code;
}

enum mr_code mr_pdf_press_lock(struct mr_pdf_press *press, struct mr_err *err)
{
    pthread_mutex_lock(&press->lock);
    enum mr_code code = press->map ? MR_OK : load(press, err);
    if (code != MR_OK)
        pthread_mutex_unlock(&press->lock);
    return code;
}

void mr_pdf_press_unlock(struct mr_pdf_press *press)
{
    pthread_mutex_unlock(&press->lock);
}

/* Paper has no pixels: nothing is rounded to them, so what was measured is what is drawn. */
PangoContext *mr_pdf_press_context(struct mr_pdf_press *press)
{
    PangoContext *context = pango_font_map_create_context(press->map);
    cairo_font_options_t *options = cairo_font_options_create();

    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(context, options);
    cairo_font_options_destroy(options);
    pango_cairo_context_set_resolution(context, 72); /* a point is a point */
    pango_context_set_round_glyph_positions(context, FALSE);
    /* Not the environment's: a document looks the same from every host. */
    pango_context_set_language(context, pango_language_from_string("en"));
    return context;
}

const PangoFontDescription *mr_pdf_press_font(const struct mr_pdf_press *press,
                                              enum mr_pdf_style style)
{
    return press->fonts[style];
}
