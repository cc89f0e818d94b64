#include "common/app.h"

void app_check_publish(struct app *app, enum freshet_status status, const struct freshet_topic *topic)
{
    if (status != FRESHET_OK &&
        log_is_news(&app->refused_publishes, freshet_span_text(freshet_status_text(status))))
        log_line(&app->log, FRESHET_LOG_WARN, "publish of %s refused: %s", topic->text,
                 freshet_status_text(status));
}

const char *app_bus_text(enum freshet_bus_state state)
{
    switch (state) {
    case FRESHET_BUS_PROVED:
        return "proved";
    case FRESHET_BUS_UP:
        return "up";
    default:
        return "down";
    }
}
