#include "channels.h"

#ifdef WRONG
/* wrong: */
FRESHET_MESSAGE(many, int64(f1), int64(f2), int64(f3), int64(f4), int64(f5), int64(f6), int64(f7), int64(f8),
                int64(f9), int64(f10), int64(f11), int64(f12), int64(f13), int64(f14), int64(f15), int64(f16),
                int64(f17), int64(f18), int64(f19), int64(f20), int64(f21), int64(f22), int64(f23),
                int64(f24), int64(f25), int64(f26), int64(f27), int64(f28), int64(f29), int64(f30),
                int64(f31), int64(f32), int64(f33));
#endif

int use(struct freshet *freshet)
{
    static struct counter_topic topic;
    return counter_publish(freshet, &topic, NULL, NULL) != FRESHET_OK;
}
