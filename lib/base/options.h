/* Options structs as the public headers have them: `size` first, zero means the default. */
#ifndef FR_OPTIONS_H
#define FR_OPTIONS_H

#include <stdint.h>

static inline void fr_option_default(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

#endif
