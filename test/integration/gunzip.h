/* Takes an answer in gzip apart, chunked or not, with zlib. */
#ifndef GUNZIP_H
#define GUNZIP_H

#ifndef H2O_RIG_PLAIN /* else h2o_rig.h has the few that are needed */
#include <criterion/criterion.h>
#endif
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct gunzip {
    char text[1 << 22]; /* all events so far, with a NUL behind */
    size_t len;
    size_t body_len; /* of what came, without head and chunks */
    bool whole;      /* the gzip file is at its end, and sum and length are right */
};

static inline void gunzip_feed(struct gunzip *out, z_stream *zlib, const char *bytes, size_t len)
{
    cr_assert(len == 0 || !out->whole, "nothing comes behind the end");
    out->body_len += len;
    zlib->next_in = (Bytef *)bytes;
    zlib->avail_in = (uInt)len;
    zlib->next_out = (Bytef *)out->text + out->len;
    zlib->avail_out = (uInt)(sizeof(out->text) - 1 - out->len);
    int status = inflate(zlib, Z_SYNC_FLUSH);
    cr_assert(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, "%d: %s", status, zlib->msg);
    cr_assert_eq(zlib->avail_in, 0);
    out->len = (size_t)((char *)zlib->next_out - out->text);
    out->whole = status == Z_STREAM_END;
}

/* Whole chunks alone: what is sent for one frame is one. */
static inline void gunzip_chunks(struct gunzip *out, z_stream *zlib, const char *at, const char *end)
{
    for (;;) {
        char *size_end;
        const char *line = at == end ? NULL : memmem(at, (size_t)(end - at), "\r\n", 2);
        size_t size = line == NULL ? 0 : strtoul(at, &size_end, 16);
        if (line == NULL || (size_t)(end - line) < size + 4)
            return;
        cr_assert_eq(size_end, line);
        cr_assert_eq(memcmp(line + 2 + size, "\r\n", 2), 0);
        gunzip_feed(out, zlib, line + 2, size);
        at = line + size + 4;
    }
}

/* From the beginning. */
static inline void gunzip(struct gunzip *out, const char *answer, size_t len)
{
    z_stream zlib = {.zalloc = Z_NULL};
    const char *head_end = memmem(answer, len, "\r\n\r\n", 4);
    out->len = out->body_len = 0;
    out->whole = false;
    cr_assert_eq(inflateInit2(&zlib, 16 + MAX_WBITS), Z_OK);
    if (head_end != NULL) {
        cr_assert_not_null(memmem(answer, len, "content-encoding: gzip\r\n", 24), "%s", answer);
        bool chunked = memmem(answer, (size_t)(head_end - answer), "chunked", 7) != NULL;
        if (chunked)
            gunzip_chunks(out, &zlib, head_end + 4, answer + len);
        else
            gunzip_feed(out, &zlib, head_end + 4, (size_t)(answer + len - head_end - 4));
    }
    inflateEnd(&zlib);
    out->text[out->len] = '\0';
}

#endif
