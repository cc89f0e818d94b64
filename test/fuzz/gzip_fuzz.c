/* Event streams in gzip: the input is a script of what several streams are sent, which are inflated at once
 * and have to be what was said. */
#include "check.h"
#include "core/codec/frame.h"
#include "core/codec/gzip_coder.h"
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum { CLIENTS = 4, FRAMES = 8 };

struct client {
    struct fr_gzip_stream stream;
    struct fr_gzip_memo memo;
    z_stream zlib;
};

struct input {
    const uint8_t *at, *end;
};

static struct fr_gzip_coder *coder;
static struct client clients[CLIENTS];
static struct {
    struct fr_bytes *frame;
    enum fr_gzip_kind kind;
} frames[FRAMES];

static uint8_t next(struct input *input)
{
    return input->at == input->end ? 0 : *input->at++;
}

/* Inflates to exactly `expected`. */
static void feed(struct client *client, struct freshet_span coded, struct freshet_span expected, int status)
{
    char *out = malloc(expected.len + 1);
    z_stream *zlib = &client->zlib;
    CHECK(out != NULL);
    zlib->next_in = (Bytef *)coded.data;
    zlib->avail_in = (uInt)coded.len;
    zlib->next_out = (Bytef *)out;
    zlib->avail_out = (uInt)expected.len + 1;
    CHECK(inflate(zlib, Z_SYNC_FLUSH) == status);
    CHECK(zlib->avail_in == 0 && zlib->avail_out == 1);
    CHECK(memcmp(out, expected.data, expected.len) == 0);
    free(out);
}

static void begin(struct client *client)
{
    *client = (struct client){.zlib = {.zalloc = Z_NULL}};
    CHECK(inflateInit2(&client->zlib, 16 + MAX_WBITS) == Z_OK);
    feed(client, freshet_span(FR_GZIP_HEAD, FR_GZIP_HEAD_BYTES), freshet_span("", 0), Z_OK);
}

/* The sum and the length are checked by zlib. */
static void end(struct client *client)
{
    char tail[FR_GZIP_TAIL_BYTES];
    fr_gzip_tail(tail, &client->stream.sum);
    feed(client, freshet_span(tail, sizeof(tail)), freshet_span("", 0), Z_STREAM_END);
    inflateEnd(&client->zlib);
    fr_gzip_coder_forget(coder, &client->stream);
    fr_gzip_coder_forget_memo(coder, &client->memo);
}

/* Lines that resemble those of the same seed, and now and then nothing at all. */
static struct fr_bytes *make_body(struct input *input)
{
    size_t lines = (size_t)next(input) * (next(input) % 8 == 0 ? 20 : 1);
    uint32_t seed = next(input), changed = next(input);
    struct fr_buffer text = {0};
    for (uint32_t i = 0; i < lines; i++)
        fr_buffer_print(&text, "{\"id\":%u,\"at\":%u}", i, (seed + i + (i == changed)) * 2654435761u);
    struct fr_version version = {{(unsigned char)seed, (unsigned char)changed}};
    struct fr_bytes *frame = fr_frame_snapshot(&version, freshet_span(text.data, text.len));
    fr_buffer_deinit(&text);
    return frame;
}

static struct fr_bytes *make_frame(struct input *input, enum fr_gzip_kind kind)
{
    static const char *const names[] = {"/a", "/b", "/b/c", "/a~"};
    struct fr_bytes *frame = make_body(input);
    if (kind != FR_GZIP_NAMED)
        return frame;
    struct fr_bytes *named = fr_frame_named(frame, freshet_span_text(names[next(input) % 4]));
    fr_bytes_release(frame);
    return named;
}

static void publish(struct input *input)
{
    size_t i = next(input) % FRAMES;
    fr_bytes_release(frames[i].frame);
    frames[i].kind = (enum fr_gzip_kind)(next(input) % FR_GZIP_RARE);
    frames[i].frame = make_frame(input, frames[i].kind);
    CHECK(frames[i].frame != NULL);
}

static void send_frame(struct input *input)
{
    size_t i = next(input) % FRAMES, to = next(input), readers = next(input);
    if (frames[i].frame == NULL)
        return;
    for (size_t c = 0; c < CLIENTS; c++) {
        struct fr_gzip_ask ask = {frames[i].frame, frames[i].kind, readers};
        if ((to >> c & 1) == 0)
            continue;
        struct fr_bytes *coded = fr_gzip_coder_encode(coder, &clients[c].stream,
                                                      (to >> 4 & 1) != 0 ? &clients[0].memo : NULL, &ask);
        CHECK(coded != NULL);
        feed(&clients[c], fr_frame_body(coded->span), fr_frame_body(frames[i].frame->span), Z_OK);
        fr_bytes_release(coded);
    }
}

static void step(struct input *input)
{
    uint8_t op = next(input), i = op >> 4;
    switch (op % 8) {
    case 0:
        publish(input);
        break;
    case 1:
        if (frames[i % FRAMES].frame != NULL)
            fr_gzip_coder_prepare(coder, frames[i % FRAMES].frame);
        break;
    case 2:
        end(&clients[i % CLIENTS]);
        begin(&clients[i % CLIENTS]);
        break;
    case 3:
        fr_gzip_coder_forget(coder, &clients[i % CLIENTS].stream);
        break;
    default:
        send_frame(input);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    coder = fr_gzip_coder_new();
    CHECK(coder != NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        begin(&clients[i]);
    while (input.at < input.end)
        step(&input);
    for (size_t i = 0; i < CLIENTS; i++)
        end(&clients[i]);
    for (size_t i = 0; i < FRAMES; i++) {
        fr_bytes_release(frames[i].frame);
        frames[i].frame = NULL;
    }
    fr_gzip_coder_release(coder);
    return 0;
}
