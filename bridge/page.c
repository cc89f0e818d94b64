/* The page at GET /, and the files it asks for. They are part of the program; nothing is read at run time. */
#include "app.h"
#include "page_data.h"
#include <stdlib.h>
#include <string.h>

/* Only files of this host, no inline script or style. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* In page.html, where the name of the instance belongs. */
static const char placeholder[] = "@INSTANCE@";

struct page {
    char *html; /* with the instance's name */
    size_t html_len;
};

static void get_html(struct http_request *request, void *user)
{
    const struct page *page = user;
    http_add_header(request, "content-security-policy", policy);
    http_add_header(request, "referrer-policy", "no-referrer");
    http_answer(request, 200, "text/html; charset=utf-8", freshet_span(page->html, page->html_len));
}

static void get_css(struct http_request *request, void *user)
{
    (void)user;
    http_answer(request, 200, "text/css; charset=utf-8", freshet_span(page_css, page_css_len));
}

static void get_js(struct http_request *request, void *user)
{
    (void)user;
    http_answer(request, 200, "text/javascript; charset=utf-8", freshet_span(page_js, page_js_len));
}

static void get_svg(struct http_request *request, void *user)
{
    (void)user;
    http_answer(request, 200, "image/svg+xml", freshet_span(page_svg, page_svg_len));
}

/* The name consists of letters, digits and `.:[]-_` only: it needs no escaping. */
static enum freshet_status fill_in(struct page *page, const char *instance)
{
    const char *at = strstr(page_html, placeholder);
    size_t before = at == NULL ? page_html_len : (size_t)(at - page_html), name_len = strlen(instance);
    const char *after = page_html + before + (at == NULL ? 0 : strlen(placeholder));
    size_t after_len = (size_t)(page_html + page_html_len - after);
    page->html = malloc(before + name_len + after_len);
    if (page->html == NULL)
        return FRESHET_NO_MEMORY;
    memcpy(page->html, page_html, before);
    memcpy(page->html + before, instance, name_len);
    memcpy(page->html + before + name_len, after, after_len);
    page->html_len = before + name_len + after_len;
    return FRESHET_OK;
}

enum freshet_status page_start(struct page **out, struct app *app, struct freshet_error *error)
{
    struct page *page = calloc(1, sizeof(*page));
    *out = NULL;
    if (page == NULL || fill_in(page, app->instance) != FRESHET_OK) {
        strcpy(error->text, "no memory for the page");
        page_stop(page);
        return FRESHET_NO_MEMORY;
    }
    http_route(app->router, "GET", "", get_html, page);
    http_route(app->router, "GET", "page.css", get_css, NULL);
    http_route(app->router, "GET", "page.js", get_js, NULL);
    http_route(app->router, "GET", "page.svg", get_svg, NULL);
    *out = page;
    return FRESHET_OK;
}

void page_stop(struct page *page)
{
    if (page == NULL)
        return;
    free(page->html);
    free(page);
}
