/* What freshet_load_once() has answered, as a part of a page. */
#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include <freshet/once.h>

static void append_attribute(struct fr_buffer *html, struct freshet_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.data[i];
        if (byte == '&' || byte == '<' || byte == '"')
            fr_buffer_print(html, "&#%d;", byte);
        else
            fr_buffer_append(html, freshet_span(&text.data[i], 1));
    }
}

/* A string, so that a page gets exactly the text that a stream would have sent; and without `<`, which could
 * end the element, or begin a comment in it. */
static void append_state(struct fr_buffer *html, struct freshet_span text)
{
    struct fr_buffer json = {0};
    fr_json_string(&json, text);
    html->failed |= json.failed;
    for (struct freshet_span rest = freshet_span(json.data, json.len); rest.len > 0;) {
        struct freshet_span piece = fr_text_cut(&rest, '<');
        fr_buffer_append(html, piece);
        if (rest.len > 0)
            fr_buffer_append(html, freshet_span_text("\\u003c"));
    }
    fr_buffer_deinit(&json);
}

char *freshet_once_html(const struct freshet_once_answer *answer, const char *url)
{
    struct fr_buffer html = {0};
    if (answer == NULL || url == NULL || answer->status != 200)
        return NULL;
    fr_buffer_print(&html, "<script type=\"application/json\" data-initial=\"");
    append_attribute(&html, freshet_span_text(url));
    fr_buffer_print(&html, "\" data-version=\"");
    append_attribute(&html, answer->version);
    fr_buffer_print(&html, "\">");
    append_state(&html, answer->bytes);
    fr_buffer_append(&html, freshet_span("</script>", sizeof("</script>")));
    if (!html.failed)
        return html.data;
    fr_buffer_deinit(&html);
    return NULL;
}
