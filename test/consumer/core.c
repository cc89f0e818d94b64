/* Uses freshet::core alone: publishes on the bus inside the process and waits for the answer. */
#include <freshet/freshet.h>
#include <semaphore.h>
#include <stdio.h>

static sem_t answered;

static void published(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers;
    *(enum freshet_status *)user = status;
    sem_post(&answered);
}

int main(void)
{
    struct freshet_options options = {.size = sizeof options};
    struct freshet *freshet = NULL;
    struct freshet_channel *channel = NULL;
    struct freshet_topic topic;
    struct freshet_param board = {"boardId", freshet_span_text("b 1")};
    enum freshet_status status = FRESHET_UNAVAILABLE;

    sem_init(&answered, 0, 0);
    if (freshet_new(&freshet, &options, NULL) || freshet_channel_new(&channel, "board/:boardId", NULL) ||
        freshet_channel_topic(channel, &board, 1, &topic, NULL)) {
        return 1;
    }
    freshet_publish(freshet, &topic, freshet_span(NULL, 0), published, &status);
    while (sem_wait(&answered) != 0) {
    }
    printf("%s %s %s\n", freshet_version(), topic.text, freshet_status_text(status));
    freshet_channel_destroy(channel);
    freshet_destroy(freshet, 1000);
    return status == FRESHET_OK ? 0 : 1;
}
