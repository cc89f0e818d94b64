#include "core/codec/frame.h"

#include "base/random.h"
#include "base/text.h"
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>

/* Looked up once for the process; looking it up costs more than hashing a small snapshot. */
static EVP_MD *find_sha256(void)
{
    static _Atomic(EVP_MD *) known;
    EVP_MD *digest = atomic_load_explicit(&known, memory_order_acquire);
    if (digest != NULL)
        return digest;
    EVP_MD *fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (fetched == NULL || atomic_compare_exchange_strong(&known, &digest, fetched))
        return fetched;
    EVP_MD_free(fetched); /* another thread was faster */
    return digest;
}

static bool add(EVP_MD_CTX *hash, const char *data, size_t len)
{
    return len == 0 || EVP_DigestUpdate(hash, data, len) == 1;
}

static bool add_text(EVP_MD_CTX *hash, struct freshet_span text)
{
    return add(hash, text.data, text.len) && add(hash, "", 1);
}

struct fr_version fr_version_of(struct freshet_span loader, struct freshet_span topic,
                                struct freshet_span bytes)
{
    struct fr_version version;
    unsigned char sum[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_MD *digest = hash == NULL ? NULL : find_sha256();
    if (digest != NULL && EVP_DigestInit_ex2(hash, digest, NULL) == 1 && add_text(hash, loader) &&
        add_text(hash, topic) && add(hash, bytes.data, bytes.len) &&
        EVP_DigestFinal_ex(hash, sum, NULL) == 1) {
        memcpy(version.bytes, sum, sizeof(version.bytes));
    } else {
        uint64_t unlike_any[2] = {fr_random(), fr_random()};
        memcpy(version.bytes, unlike_any, sizeof(version.bytes));
    }
    EVP_MD_CTX_free(hash);
    return version;
}

bool fr_version_equal(const struct fr_version *a, const struct fr_version *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* A version has one text only, in lower case. */
static int hex_value(char digit)
{
    return digit >= 'A' && digit <= 'F' ? -1 : fr_text_hex_value(digit);
}

bool fr_version_parse(struct freshet_span text, struct fr_version *version)
{
    struct fr_version read;
    if (text.len != FR_VERSION_HEX)
        return false;
    for (size_t i = 0; i < sizeof(read.bytes); i++) {
        int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        read.bytes[i] = (unsigned char)(high << 4 | low);
    }
    *version = read;
    return true;
}
