// The board: its clock, its serial line, and the few functions of C's library that the loop needs.
#ifndef BOARD_H
#define BOARD_H

#include "sanserve.h"

// Returns the time since the start, in nanoseconds.
uint64_t clock_nanoseconds(void);

// Sleeps until the next tick of the clock.
void sleep_millisecond(void);

// Reads up to `room` bytes that have arrived. Returns their number.
size_t uart_read(uint8_t *into, size_t room);

// Writes up to `len` bytes, as many as the device has room for. Returns their number.
size_t uart_write(const uint8_t *from, size_t len);

// Defined by the library, as no libc is linked.
void *memcpy(void *to, const void *from, size_t len);
size_t strlen(const char *text);

int strcmp(const char *a, const char *b);

#endif
