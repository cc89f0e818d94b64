#include "channels.h"

int use(struct freshet *freshet)
{
    static struct board_message message;
    static struct order_message other;
    char buffer[64];
    size_t len;
    (void)other;
    (void)freshet;
    int failed = board_encode(&message, buffer, sizeof(buffer), &len, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += board_encode(&other, buffer, sizeof(buffer), &len, NULL);
#endif
    return failed;
}
