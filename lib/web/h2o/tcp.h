/* What the kernel knows of a connection. */
#ifndef FR_H2O_TCP_H
#define FR_H2O_TCP_H

#include <stdint.h>

/* Bytes that it has been given and the other side has not acknowledged; 0 for what is not TCP. */
uint32_t fr_tcp_queued(int fd);
/* How many bytes the kernel has been given for this socket so far, modulo 2^32. */
uint32_t fr_tcp_written(int fd);

#endif
