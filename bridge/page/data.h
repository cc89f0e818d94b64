/* The page's files, as embed.cmake wrote them into the program. */
#ifndef BRIDGE_PAGE_DATA_H
#define BRIDGE_PAGE_DATA_H

#include <stddef.h>

extern const char page_html[], page_css[], page_js[], page_pane_js[], page_demo_js[], page_svg[];
extern const size_t page_html_len, page_css_len, page_js_len, page_pane_js_len, page_demo_js_len,
    page_svg_len;

#endif
