#include "bus/redis/link/login.h"

#include <stdlib.h>
#include <string.h>

static void forget(char **text, size_t len)
{
    if (*text != NULL)
        explicit_bzero(*text, len);
    free(*text);
    *text = NULL;
}

/* False: no memory, or no text. */
static bool copy(char **to, size_t *len, struct freshet_span text)
{
    *to = text.data == NULL && text.len > 0 ? NULL : malloc(text.len + 1);
    *len = *to == NULL ? 0 : text.len;
    if (*to == NULL)
        return false;
    if (text.len > 0)
        memcpy(*to, text.data, text.len);
    (*to)[text.len] = '\0';
    return true;
}

enum freshet_status fr_redis_login_source_init(struct fr_redis_login_source *source, const char *user,
                                               const char *password)
{
    *source = (struct fr_redis_login_source){0};
    source->user = user == NULL ? NULL : strdup(user);
    source->password = password == NULL ? NULL : strdup(password);
    bool good = (user == NULL || source->user != NULL) && (password == NULL || source->password != NULL);
    return good ? FRESHET_OK : FRESHET_NO_MEMORY;
}

void fr_redis_login_source_deinit(struct fr_redis_login_source *source)
{
    if (source->password != NULL)
        forget(&source->password, strlen(source->password));
    free(source->user);
    *source = (struct fr_redis_login_source){0};
}

bool fr_redis_login_source_is_used(const struct fr_redis_login_source *source)
{
    return source->ask != NULL || source->password != NULL;
}

void freshet_redis_login_set(struct freshet_redis_login *login, struct freshet_span user,
                             struct freshet_span password)
{
    if (login == NULL)
        return;
    fr_redis_login_forget(login);
    login->is_set =
        copy(&login->user, &login->user_len, user) && copy(&login->password, &login->password_len, password);
}

bool fr_redis_login_ask(struct freshet_redis_login *login, const struct fr_redis_login_source *source)
{
    struct freshet_span none = freshet_span(NULL, 0);
    *login = (struct freshet_redis_login){0};
    if (source->ask == NULL)
        freshet_redis_login_set(login, none, freshet_span_text(source->password));
    else
        source->ask(login, source->ask_user);
    if (login->is_set && login->user_len == 0 && source->user != NULL) {
        forget(&login->user, 0);
        login->is_set = copy(&login->user, &login->user_len, freshet_span_text(source->user));
    }
    if (!login->is_set)
        fr_redis_login_forget(login);
    return login->is_set;
}

size_t fr_redis_login_command(const struct freshet_redis_login *login, struct freshet_span *arguments)
{
    size_t count = 0;
    arguments[count++] = freshet_span_text("AUTH");
    if (login->user_len > 0)
        arguments[count++] = freshet_span(login->user, login->user_len);
    arguments[count++] = freshet_span(login->password, login->password_len);
    return count;
}

void fr_redis_login_forget(struct freshet_redis_login *login)
{
    forget(&login->user, login->user_len);
    forget(&login->password, login->password_len);
    *login = (struct freshet_redis_login){0};
}
