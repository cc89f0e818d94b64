/* The browser's scripts as part of the library. lib/browser/embed.cmake writes the table. */
#ifndef FR_H2O_SCRIPT_H
#define FR_H2O_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

struct fr_script {
    const char *name; /* of the file */
    const char *etag; /* with its quotes */
    const char *bytes;
    size_t len;
    bool immutable; /* the name contains the version */
};

extern const struct fr_script fr_scripts[];
extern const size_t fr_script_count;

#endif
