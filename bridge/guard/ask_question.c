#include "guard/ask_question.h"
#include "guard/internal.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing that could begin another header. */
static bool is_text(struct freshet_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static char *line_new(const char *name, struct freshet_span value)
{
    char *line = malloc(strlen(name) + value.len + 3);
    if (line != NULL)
        sprintf(line, "%s: %.*s", name, (int)value.len, value.len == 0 ? "" : value.data);
    return line;
}

/* Each line with its end, so that no two lists of lines are the same bytes. */
static bool make_key(struct question *question)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && question->lines[i] != NULL; i++)
        good = EVP_DigestUpdate(context, question->lines[i], strlen(question->lines[i]) + 1) == 1;
    good = good && EVP_DigestFinal_ex(context, question->key, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool question_init(struct question *question, const struct freshet_request *request, const char **forward)
{
    struct freshet_span path = guard_path(request), value;
    size_t count = 0;
    bool good = is_text(path);
    memset(question, 0, sizeof(*question));
    if (good)
        good = (question->lines[count++] = line_new(QUESTION_PATH_HEADER, path)) != NULL &&
               (question->lines[count++] = line_new("accept", freshet_span_text("application/json"))) != NULL;
    for (size_t i = 0; good && forward != NULL && forward[i] != NULL; i++) {
        if (freshet_request_header(request, forward[i], &value) == FRESHET_OK && is_text(value))
            good = (question->lines[count++] = line_new(forward[i], value)) != NULL;
    }
    good = good && make_key(question);
    if (!good)
        question_deinit(question);
    return good;
}

void question_deinit(struct question *question)
{
    for (size_t i = 0; i < sizeof(question->lines) / sizeof(question->lines[0]); i++) {
        free(question->lines[i]);
        question->lines[i] = NULL;
    }
}
