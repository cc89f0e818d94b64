/* First use of a typed channel from several threads, for ThreadSanitizer. Prints "N passed, N failed". */
#include <freshet/typed.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS 8
#define ROUNDS  2000

FRESHET_CHANNEL(board, "board/:boardId", (param(boardId)), text(taskId));

static struct freshet_declaration declarations[ROUNDS];
static pthread_barrier_t together;

struct user {
    pthread_t thread;
    const struct freshet_channel *seen[ROUNDS];
    unsigned wrong;
};

static void *use(void *argument)
{
    struct user *user = argument;
    struct board_topic topic;
    const char *id = "b1";
    const struct freshet_argument arguments[] = {{&id, NULL, 1}};
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 100 == 0)
            pthread_barrier_wait(&together);
        user->seen[round] = freshet_declaration_channel(&declarations[round], NULL);
        user->wrong +=
            freshet_declaration_key(&declarations[round], arguments, &topic.topic, NULL) != FRESHET_OK ||
            strcmp(topic.topic.text, "board/b1") != 0;
    }
    return NULL;
}

int main(void)
{
    static struct user users[THREADS];
    unsigned passed = 0, failed = 0;
    pthread_barrier_init(&together, NULL, THREADS);
    for (int round = 0; round < ROUNDS; round++)
        declarations[round] = board_declaration;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&users[i].thread, NULL, use, &users[i]) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(users[i].thread, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        bool same = declarations[round].channel != NULL;
        for (int i = 0; i < THREADS; i++)
            same = same && users[i].seen[round] == declarations[round].channel;
        failed += !same;
        freshet_channel_destroy(declarations[round].channel);
    }
    for (int i = 0; i < THREADS; i++)
        failed += users[i].wrong;
    passed = failed == 0;
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
