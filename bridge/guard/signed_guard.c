/* signed: a stream needs a URL that the application has signed, and ends when that does. */
#include "guard/internal.h"
#include "guard/signed.h"

static struct freshet_span query(const struct freshet_request *request, const char *name)
{
    struct freshet_span value;
    return freshet_request_query(request, name, 0, &value) == FRESHET_OK ? value : freshet_span("", 0);
}

void signed_guard_check(struct freshet_check check, const struct freshet_request *request, void *user)
{
    const struct config_guard *config = user;
    int64_t now_ms = guard_clock_ms(), until_ms;
    struct signed_url url = {.path = guard_path(request),
                             .expires = query(request, "expires"),
                             .user = query(request, "user"),
                             .signature = query(request, "signature")};
    enum signed_result result = signed_check(&url, config->signed_urls.secrets, now_ms, &until_ms);
    if (result == SIGNED_EXPIRED)
        freshet_check_deny(check, 403, "link-expired");
    else if (result != SIGNED_GOOD)
        freshet_check_deny(check, 403, "link-invalid");
    else if (url.user.len > 0 && freshet_check_set(check, "user", url.user) != FRESHET_OK)
        freshet_check_fail(check);
    else
        guard_allow_until(check, now_ms, until_ms);
}
