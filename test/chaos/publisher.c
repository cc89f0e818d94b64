/* The publisher in C of test/chaos: says on its standard input's word that a board has changed, and answers
 * when the publish is settled.
 *
 *     publisher URL
 *     17 c1               ->    17 accepted      or    17 refused: too many are waiting
 *
 * Lines may be answered in any order. Leaves when its input ends. */
#include <freshet/freshet.h>
#include <freshet/redis.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

FRESHET_SIGNAL(board, "board/:boardId", (param(boardId)));

enum { DESTROY_DEADLINE_MS = 1000, LINE_BYTES = 256 };

/* On the freshet's callback thread, or within the publish. */
static void answer(enum freshet_status status, int64_t receivers, void *user)
{
    unsigned long number = (uintptr_t)user;
    (void)receivers;
    if (status == FRESHET_OK)
        printf("%lu accepted\n", number);
    else
        printf("%lu refused: %s\n", number, freshet_status_text(status));
}

static void publish(struct freshet *freshet, const char *line)
{
    char id[LINE_BYTES];
    unsigned long number;
    struct board_topic topic;
    if (sscanf(line, "%lu %255s", &number, id) != 2 || board_key(&topic, id, NULL) != FRESHET_OK) {
        fprintf(stderr, "publisher: a number and a board expected: %s", line);
        return;
    }
    void *user = (void *)(uintptr_t)number;
    if (board_publish(freshet, &topic, answer, user) == FRESHET_NO_MEMORY)
        answer(FRESHET_NO_MEMORY, 0, user); /* the only answer after which it does not run */
}

static void log_line(enum freshet_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    struct freshet *freshet = NULL;
    struct freshet_error error = {"a URL is needed"};
    struct freshet_options options = {.size = sizeof(options), .log = {.write = log_line}};
    struct freshet_redis_options redis = {.size = sizeof(redis), .url = argc > 1 ? argv[1] : NULL};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2 || freshet_redis_bus_new(&options.bus, &redis, &error) != FRESHET_OK ||
        freshet_new(&freshet, &options, &error) != FRESHET_OK) {
        fprintf(stderr, "publisher: %s\n", error.text);
        return 2;
    }
    while (fgets(line, sizeof(line), stdin) != NULL)
        publish(freshet, line);
    freshet_destroy(freshet, DESTROY_DEADLINE_MS);
    return 0;
}
