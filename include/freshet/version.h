/* The version of these headers, and of the library that the program runs with.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_VERSION_H
#define FRESHET_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/* CMakeLists.txt reads the version from these three lines. */
#define FRESHET_VERSION_MAJOR 0
#define FRESHET_VERSION_MINOR 1 /* may change the interface as long as the major one is zero */
#define FRESHET_VERSION_PATCH 0 /* never changes it */

/* "major.minor.patch" of the library linked; any thread. */
const char *freshet_version(void);

#ifdef __cplusplus
}
#endif
#endif
