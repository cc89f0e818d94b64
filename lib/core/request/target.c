#include "core/request/target.h"

#include "base/percent.h"
#include "base/text.h"

/* U+0000 to U+001F, U+007F to U+009F. */
static bool is_control(struct freshet_span character)
{
    const unsigned char *bytes = (const unsigned char *)character.data;
    return bytes[0] < 0x20 || bytes[0] == 0x7f || (bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

static enum freshet_status check_segment(struct freshet_span raw)
{
    struct fr_percent reader;
    struct freshet_span character;
    enum freshet_status status;
    size_t len = 0, dots = 0;
    fr_percent_init(&reader, raw, false);
    while ((status = fr_percent_next(&reader, &character)) == FRESHET_OK) {
        if (is_control(character))
            return FRESHET_INVALID;
        len++;
        dots += character.data[0] == '.';
    }
    if (status == FRESHET_INVALID)
        return status;
    return (len == 1 || len == 2) && dots == len ? FRESHET_NOT_FOUND : FRESHET_OK;
}

/* Bad bytes further on have the last word. */
static enum freshet_status check_path(struct freshet_span path)
{
    enum freshet_status status = FRESHET_OK;
    while (path.len > 0 && status != FRESHET_INVALID) {
        enum freshet_status of_segment = check_segment(fr_text_cut(&path, '/'));
        if (of_segment != FRESHET_OK)
            status = of_segment;
    }
    return status;
}

/* h2o compared decoded paths, where /live%2Fx is under /live. */
static bool cut_mount(struct freshet_span *path, struct freshet_span mount)
{
    if (path->len < mount.len || (mount.len > 0 && memcmp(path->data, mount.data, mount.len) != 0))
        return false;
    *path = freshet_span(path->data + mount.len, path->len - mount.len);
    return path->len == 0 || path->data[0] == '/';
}

enum freshet_status fr_target_cut(struct freshet_span target, struct freshet_span mount,
                                  struct fr_target *out)
{
    struct freshet_span path = fr_text_cut(&target, '?');
    if (!cut_mount(&path, mount))
        return FRESHET_NOT_FOUND;
    enum freshet_status status = check_path(path);
    if (status == FRESHET_OK)
        *out = (struct fr_target){.path = path, .query = target};
    return status;
}
