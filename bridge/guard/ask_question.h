/* What the application is asked: the headers of the request, and a hash that is the same for the same. */
#ifndef BRIDGE_GUARD_ASK_QUESTION_H
#define BRIDGE_GUARD_ASK_QUESTION_H

#include "config/read.h"
#include "guard/answers.h"
#include <freshet/request.h>

/* The path below the mount is in this header, as the client sent it. */
#define QUESTION_PATH_HEADER "x-freshet-path"

enum { QUESTION_MAX_HEADERS = READ_MAX_HEADERS };

struct question {
    char *lines[QUESTION_MAX_HEADERS + 3]; /* `name: value`; the last NULL */
    unsigned char key[ANSWERS_KEY_BYTES];
};

/* `forward`: names of headers, the last NULL, QUESTION_MAX_HEADERS at most; or NULL. Of the client's headers
 * nothing else is handed on. False: no memory, or a path that is no text. */
bool question_init(struct question *question, const struct freshet_request *request, const char **forward);
void question_deinit(struct question *question);

#endif
