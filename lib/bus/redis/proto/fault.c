#include "bus/redis/proto/fault.h"

#include "base/text.h"

static const struct {
    const char *prefix;
    enum fr_redis_fault fault;
} prefixes[] = {
    {"NOAUTH", FR_REDIS_FAULT_LOGIN},
    {"WRONGPASS", FR_REDIS_FAULT_LOGIN},
    {"ERR invalid password", FR_REDIS_FAULT_LOGIN},
    {"DENIED", FR_REDIS_FAULT_LOGIN},
    {"NOPERM", FR_REDIS_FAULT_FORBIDDEN},
    {"LOADING", FR_REDIS_FAULT_BUSY},
    {"BUSY", FR_REDIS_FAULT_BUSY},
    {"TRYAGAIN", FR_REDIS_FAULT_BUSY},
    {"CLUSTERDOWN", FR_REDIS_FAULT_BUSY},
    {"MASTERDOWN", FR_REDIS_FAULT_BUSY},
    {"ERR max number of clients", FR_REDIS_FAULT_BUSY},
    {"READONLY", FR_REDIS_FAULT_ROLE},
    {"MOVED", FR_REDIS_FAULT_CLUSTER},
    {"ASK ", FR_REDIS_FAULT_CLUSTER},
    {"CROSSSLOT", FR_REDIS_FAULT_CLUSTER},
};

enum fr_redis_fault fr_redis_fault_of(struct freshet_span text)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (fr_text_begins(text, prefixes[i].prefix))
            return prefixes[i].fault;
    return FR_REDIS_FAULT_UNKNOWN;
}

bool fr_redis_fault_ends_link(enum fr_redis_fault fault)
{
    return fault == FR_REDIS_FAULT_NETWORK || fault == FR_REDIS_FAULT_LOGIN || fault == FR_REDIS_FAULT_BUSY ||
           fault == FR_REDIS_FAULT_ROLE;
}

const char *fr_redis_fault_text(enum fr_redis_fault fault)
{
    switch (fault) {
    case FR_REDIS_FAULT_NETWORK:
        return "connection";
    case FR_REDIS_FAULT_LOGIN:
        return "login refused, check user and password";
    case FR_REDIS_FAULT_FORBIDDEN:
        return "not permitted by the ACL";
    case FR_REDIS_FAULT_BUSY:
        return "not ready yet";
    case FR_REDIS_FAULT_ROLE:
        return "not the master";
    case FR_REDIS_FAULT_CLUSTER:
        return FR_REDIS_IS_CLUSTER;
    case FR_REDIS_FAULT_UNKNOWN:
        break;
    }
    return "unexpected answer";
}
