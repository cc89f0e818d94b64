/* Request targets. Input: the mount's path, a line feed, and the target as a client sends it. */
#include "core/channel/pattern.h"
#include "core/request/target.h"
#include "decoded.h"

/* What the contract says of one segment. */
static enum freshet_status judge_segment(const char *raw, size_t len)
{
    struct decoded text = decoded_new(raw, len, false);
    enum freshet_status status = FRESHET_OK;
    if (text.bad || text.control)
        status = FRESHET_INVALID;
    else if ((text.len == 1 && text.bytes[0] == '.') || (text.len == 2 && memcmp(text.bytes, "..", 2) == 0))
        status = FRESHET_NOT_FOUND;
    free(text.bytes);
    return status;
}

static enum freshet_status judge_path(const char *path, size_t len)
{
    bool dots = false, bad = false;
    for (size_t start = 0, end; start <= len; start = end + 1) {
        for (end = start; end < len && path[end] != '/'; end++)
            ;
        enum freshet_status status = judge_segment(path + start, end - start);
        dots |= status == FRESHET_NOT_FOUND;
        bad |= status == FRESHET_INVALID;
    }
    return bad ? FRESHET_INVALID : dots ? FRESHET_NOT_FOUND : FRESHET_OK;
}

static enum freshet_status judge(struct freshet_span target, struct freshet_span mount, size_t path_len)
{
    if (path_len < mount.len)
        return FRESHET_NOT_FOUND;
    for (size_t i = 0; i < mount.len; i++)
        if (target.data[i] != mount.data[i])
            return FRESHET_NOT_FOUND;
    if (path_len > mount.len && target.data[mount.len] != '/')
        return FRESHET_NOT_FOUND;
    return judge_path(target.data + mount.len, path_len - mount.len);
}

/* Both lie where they should in the target, and together are all of it. */
static void check_views(const struct fr_target *cut, struct freshet_span target, struct freshet_span mount,
                        size_t path_len)
{
    CHECK(cut->path.data == target.data + mount.len && cut->path.len == path_len - mount.len);
    if (path_len == target.len)
        CHECK(cut->query.len == 0);
    else
        CHECK(cut->query.data == target.data + path_len + 1 && cut->query.len == target.len - path_len - 1);
}

/* A route sees the same segments: an encoded '/' separates nothing, and what passed here is not refused there
 * for its bytes. */
static void check_route(struct freshet_span path)
{
    static struct fr_pattern *any;
    struct fr_params *params;
    if (any == NULL)
        CHECK(fr_pattern_new(&any, ":rest*", NULL) == FRESHET_OK);
    enum freshet_status status = fr_pattern_match(any, path, &params);
    CHECK(status == FRESHET_OK || status == FRESHET_NOT_FOUND);
    if (status != FRESHET_OK)
        return;
    size_t start = 1, found = 0;
    for (size_t end = 1; path.len > 1 && end <= path.len; end++) {
        if (end < path.len && path.data[end] != '/')
            continue;
        struct decoded text = decoded_new(path.data + start, end - start, false);
        CHECK(found < params->count);
        CHECK(freshet_span_equal(params->items[found++].value,
                                 freshet_span((const char *)text.bytes, text.len)));
        free(text.bytes);
        start = end + 1;
    }
    CHECK(found == params->count);
    fr_params_release(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    if (end == NULL)
        return 0;
    size_t mount_len = (size_t)(end - data), path_len = 0;
    /* In memory of its own, so that a read past the end is seen. */
    size_t target_len = size - mount_len - 1;
    char *copy = malloc(target_len == 0 ? 1 : target_len);
    CHECK(copy != NULL);
    memcpy(copy, end + 1, target_len);
    struct freshet_span target = freshet_span(copy, target_len);
    while (mount_len > 0 && data[mount_len - 1] == '/')
        mount_len--;
    struct freshet_span mount = freshet_span((const char *)data, mount_len);
    while (path_len < target.len && target.data[path_len] != '?')
        path_len++;
    struct fr_target cut;
    enum freshet_status status = fr_target_cut(target, mount, &cut);
    CHECK(status == judge(target, mount, path_len));
    if (status == FRESHET_OK) {
        check_views(&cut, target, mount, path_len);
        check_route(cut.path);
    }
    free(copy);
    return 0;
}
