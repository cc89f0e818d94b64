#include "channels.h"

int use(struct freshet *freshet)
{
    static struct board_message message;
    static struct order_message other;
    struct freshet_span payload = freshet_span(NULL, 0);
    (void)other;
    (void)freshet;
    int failed = board_decode(payload, &message, NULL) != FRESHET_OK;
#ifdef WRONG
    /* wrong: */
    failed += board_decode(payload, &other, NULL);
#endif
    return failed;
}
