/* The page at GET /, and the files it asks for. They are part of the program; nothing is read at run time.
 *
 *   GET /demo/config   {"instance": …, "peer": …, "control": …}: what the page shows beside itself */
#include "page/page.h"
#include "http/http.h"
#include "page/data.h"
#include <stdlib.h>
#include <string.h>

/* Only files of this host, no inline script or style. What the page shows beside itself stands where `%s` is.
 */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self' %s %s; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct file {
    const char *path, *type, *bytes;
    size_t len;
};

struct page {
    const struct app *app;
    char policy[sizeof(policy) + 2 * (OPTIONS_MAX_HOST_BYTES + 16)];
    struct file files[5];
};

static void get_html(struct http_request *request, void *user)
{
    const struct page *page = user;
    http_add_header(request, "content-security-policy", page->policy);
    http_add_header(request, "referrer-policy", "no-referrer");
    http_answer(request, 200, "text/html; charset=utf-8", freshet_span(page_html, page_html_len));
}

static void get_file(struct http_request *request, void *user)
{
    const struct file *file = user;
    http_answer(request, 200, file->type, freshet_span(file->bytes, file->len));
}

static void get_config(struct http_request *request, void *user)
{
    const struct page *page = user;
    const struct options *options = page->app->options;
    http_answer_json(request, 200,
                     json_pack("{s:s, s:s?, s:s?}", "instance", page->app->instance, "peer", options->peer,
                               "control", options->demo_control));
}

static void list_files(struct page *page)
{
    static const char script[] = "text/javascript; charset=utf-8";
    const struct file files[] = {
        {"page.css", "text/css; charset=utf-8", page_css, page_css_len},
        {"page.js", script, page_js, page_js_len},
        {"page-pane.js", script, page_pane_js, page_pane_js_len},
        {"page-demo.js", script, page_demo_js, page_demo_js_len},
        {"page.svg", "image/svg+xml", page_svg, page_svg_len},
    };
    memcpy(page->files, files, sizeof(files));
}

enum freshet_status page_start(struct page **out, struct app *app, struct freshet_error *error)
{
    struct page *page = calloc(1, sizeof(*page));
    const struct options *options = app->options;
    *out = page;
    if (page == NULL) {
        strcpy(error->text, "no memory for the page");
        return FRESHET_NO_MEMORY;
    }
    page->app = app;
    snprintf(page->policy, sizeof(page->policy), policy, options->peer == NULL ? "" : options->peer,
             options->demo_control == NULL ? "" : options->demo_control);
    list_files(page);
    http_route(app->router, "GET", "", get_html, page);
    http_route(app->router, "GET", "demo/config", get_config, page);
    for (size_t i = 0; i < sizeof(page->files) / sizeof(page->files[0]); i++)
        http_route(app->router, "GET", page->files[i].path, get_file, &page->files[i]);
    return FRESHET_OK;
}

void page_stop(struct page *page)
{
    free(page);
}
