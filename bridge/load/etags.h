/* Which version each feed was given last, so that a backend may say that nothing has changed. Bounded: two
 * feeds that meet at one place forget each other's, which costs a body. */
#ifndef BRIDGE_LOAD_ETAGS_H
#define BRIDGE_LOAD_ETAGS_H

#include <freshet/span.h>
#include <pthread.h>
#include <stdbool.h>

enum { ETAGS_PLACES = 4096, ETAGS_MAX_BYTES = 256 };

struct etags {
    pthread_mutex_t lock;
    struct etags_entry *places[ETAGS_PLACES]; /* by a hash of the key; NULL: free */
};

void etags_init(struct etags *etags);
void etags_deinit(struct etags *etags);

/* Any thread. A tag is 1 to ETAGS_MAX_BYTES long; a longer one, or one that there is no memory for, is not
 * kept. */
void etags_put(struct etags *etags, struct freshet_span key, struct freshet_span tag);
void etags_forget(struct etags *etags, struct freshet_span key);
void etags_clear(struct etags *etags);
/* Copies the tag and a NUL. */
bool etags_find(struct etags *etags, struct freshet_span key, char tag[ETAGS_MAX_BYTES + 1]);

#endif
