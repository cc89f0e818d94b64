/* Typed channels from C++: declares them, publishes, reads the message in a load. */
#include <freshet/freshet.h>
#include <semaphore.h>
#include <stdio.h>

FRESHET_SIGNAL(counter, "counter", ());
FRESHET_CHANNEL(board, "board/:boardId", (param(boardId)), text(taskId), int64(position),
                optional(text(note)), array(text(labels)));

namespace
{

sem_t answered;

void published(enum freshet_status status, int64_t, void *user)
{
    *static_cast<enum freshet_status *>(user) = status;
    sem_post(&answered);
}

bool comes_back(const board_message &sent)
{
    char buffer[256];
    size_t len = 0;
    board_message got;
    struct freshet_span label;
    if (board_encode(&sent, buffer, sizeof buffer, &len, nullptr) != FRESHET_OK ||
        board_decode(freshet_span(buffer, len), &got, nullptr) != FRESHET_OK)
        return false;
    return freshet_span_equal(got.taskId, sent.taskId) && got.position == sent.position && !got.has_note &&
           got.labels.count == 2 && freshet_text_next(&got.labels, &label) &&
           freshet_span_equal(label, sent.labels.items[0]);
}

} // namespace

int main()
{
    struct freshet *live = nullptr;
    freshet_error error = {""};
    board_topic topic;
    counter_topic all;
    enum freshet_status status = FRESHET_UNAVAILABLE, signalled = FRESHET_UNAVAILABLE;
    const struct freshet_span labels[] = {freshet_span_text("red"), freshet_span_text("late")};
    board_message moved = {};
    moved.taskId = freshet_span_text("t1");
    moved.position = -1;
    moved.labels.items = labels;
    moved.labels.count = 2;

    sem_init(&answered, 0, 0);
    if (freshet_new(&live, nullptr, &error) != FRESHET_OK || board_channel(&error) == nullptr ||
        board_key(&topic, "b 1", &error) != FRESHET_OK || counter_key(&all, &error) != FRESHET_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    board_publish(live, &topic, &moved, published, &status);
    counter_publish(live, &all, published, &signalled);
    for (int i = 0; i < 2; i++)
        while (sem_wait(&answered) != 0) {
        }
    printf("%s %s, %s %s\n", topic.topic.text, freshet_status_text(status), all.topic.text,
           freshet_status_text(signalled));
    freshet_destroy(live, 1000);
    return status == FRESHET_OK && signalled == FRESHET_OK && comes_back(moved) ? 0 : 1;
}
