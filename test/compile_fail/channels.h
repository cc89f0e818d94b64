/* What the files here use rightly, and with -DWRONG wrongly. */
#ifndef CHANNELS_H
#define CHANNELS_H

#include <freshet/typed.h>

FRESHET_SIGNAL(counter, "counter", ());
FRESHET_MESSAGE(point, float64(x), float64(y));
FRESHET_CHANNEL(board, "board/:boardId", (param(boardId)), text(taskId), text(to), array(text(labels)),
                array(message(point, path)));
FRESHET_CHANNEL(order, "order/:orderId", (param(orderId)), text(taskId), text(to));

int use(struct freshet *freshet);

#endif
