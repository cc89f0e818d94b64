/* The core headers in one. Redis and h2o have theirs: <freshet/redis.h>, <freshet/h2o.h>.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_FRESHET_H
#define FRESHET_FRESHET_H

#include <freshet/bus.h>
#include <freshet/cache.h>
#include <freshet/channel.h>
#include <freshet/guard.h>
#include <freshet/instance.h>
#include <freshet/loader.h>
#include <freshet/log.h>
#include <freshet/message.h>
#include <freshet/once.h>
#include <freshet/request.h>
#include <freshet/span.h>
#include <freshet/stats.h>
#include <freshet/status.h>
#include <freshet/typed.h>
#include <freshet/version.h>

#endif
