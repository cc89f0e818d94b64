/* The page's files, as page/embed.cmake wrote them into the program. */
#ifndef BRIDGE_ADMIN_DATA_H
#define BRIDGE_ADMIN_DATA_H

#include <stddef.h>

extern const char admin_html[], admin_css[], admin_js[];
extern const size_t admin_html_len, admin_css_len, admin_js_len;

#endif
