#include <freshet/status.h>
#include <freshet/version.h>

#define TEXT(x)  #x
#define QUOTE(x) TEXT(x)

const char *freshet_version(void)
{
    return QUOTE(FRESHET_VERSION_MAJOR) "." QUOTE(FRESHET_VERSION_MINOR) "." QUOTE(FRESHET_VERSION_PATCH);
}

const char *freshet_status_text(enum freshet_status status)
{
    switch (status) {
    case FRESHET_OK:
        return "ok";
    case FRESHET_INVALID:
        return "invalid argument";
    case FRESHET_NO_MEMORY:
        return "out of memory";
    case FRESHET_TOO_LARGE:
        return "too large";
    case FRESHET_FULL:
        return "a limit is reached";
    case FRESHET_NOT_FOUND:
        return "not found";
    case FRESHET_CONFLICT:
        return "conflicts with something registered before";
    case FRESHET_UNAVAILABLE:
        return "unavailable";
    case FRESHET_REFUSED:
        return "refused";
    case FRESHET_STALE:
        return "no longer in force";
    case FRESHET_CLOSED:
        return "closed";
    case FRESHET_SYSTEM:
        return "refused by the operating system";
    case FRESHET_UNSUPPORTED:
        return "not supported here";
    }
    return "unknown status";
}
