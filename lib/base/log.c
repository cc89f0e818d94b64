#include "log.h"

#include <stdarg.h>
#include <stdio.h>

bool fr_log_takes(const struct freshet_log *log, enum freshet_log_level level)
{
    enum freshet_log_level most = log->level == 0 ? FRESHET_LOG_INFO : log->level;
    return log->write != NULL && level <= most;
}

void fr_log(const struct freshet_log *log, enum freshet_log_level level, const char *format, ...)
{
    if (!fr_log_takes(log, level))
        return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    log->write(level, text, log->user);
}

enum freshet_status fr_fail(struct freshet_error *error, enum freshet_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return status;
}

struct fr_escaped fr_escape(struct freshet_span span)
{
    struct fr_escaped escaped;
    size_t at = 0;
    for (size_t i = 0; i < span.len && at + 8 < sizeof(escaped.text); i++) {
        unsigned char byte = (unsigned char)span.data[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '\\' && byte != '"')
            escaped.text[at++] = (char)byte;
        else
            at += (size_t)sprintf(escaped.text + at, "\\x%02x", byte);
        if (at + 8 >= sizeof(escaped.text) && i + 1 < span.len)
            at += (size_t)sprintf(escaped.text + at, "...");
    }
    escaped.text[at] = '\0';
    return escaped;
}
