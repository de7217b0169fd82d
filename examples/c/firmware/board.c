// The LM3S6965: its start, clock and first serial line, and the memory of the library.
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART(offset) REGISTER(0x4000C000 + (offset))

enum { DATA = 0x00, FLAGS = 0x18, DIVISOR = 0x24, FRACTION = 0x28, LINE_CONTROL = 0x2C, CONTROL = 0x30 };
enum { RECEIVE_EMPTY = 1 << 4, TRANSMIT_FULL = 1 << 5, FIFO = 1 << 4, EIGHT_BITS = 3 << 5, ENABLE = 0x301 };

// Set by the linker.
extern uint32_t stack_end[], data_start[], data_end[], data_source[], bss_start[], bss_end[];

int main(void);

static volatile uint32_t millis;

uint64_t clock_nanoseconds(void) {
    // The counter wraps around every 49 days.
    static uint64_t total;
    total += (uint32_t)(millis - (uint32_t)total);
    return total * 1000000;
}

void sleep_millisecond(void) { __asm volatile("wfi"); }

size_t uart_read(uint8_t *into, size_t room) {
    size_t n = 0;
    while (n < room && !(UART(FLAGS) & RECEIVE_EMPTY)) into[n++] = (uint8_t)UART(DATA);
    return n;
}

size_t uart_write(const uint8_t *from, size_t len) {
    size_t n = 0;
    while (n < len && !(UART(FLAGS) & TRANSMIT_FULL)) UART(DATA) = from[n++];
    return n;
}

// The free memory, in the order of the addresses. Neighbours are joined.
struct block {
    size_t size;
    struct block *next;
};

static _Alignas(8) unsigned char heap[24 * 1024];
static struct block *free_blocks;

static size_t rounded(size_t size) { return (size + 7) & ~(size_t)7; }

void *sanserve_alloc(size_t size, size_t align) {
    size = rounded(size);
    for (struct block **at = &free_blocks; align <= 8 && *at; at = &(*at)->next) {
        struct block *found = *at, *rest = (struct block *)((char *)found + size);
        if (found->size < size) continue;
        if (found->size == size) {
            *at = found->next;
        } else {
            *rest = (struct block){found->size - size, found->next};
            *at = rest;
        }
        return found;
    }
    return NULL;
}

static void join_next(struct block *block) {
    if (!block || (char *)block + block->size != (char *)block->next) return;
    block->size += block->next->size;
    block->next = block->next->next;
}

void sanserve_free(void *memory, size_t size, size_t align) {
    (void)align;
    struct block *freed = memory, *before = NULL, *after = free_blocks;
    while (after && after < freed) before = after, after = after->next;
    *freed = (struct block){rounded(size), after};
    if (before) before->next = freed;
    else free_blocks = freed;
    join_next(freed);
    join_next(before);
}

// Stops the processor. A real device should rather restart.
void sanserve_panic(const uint8_t *message, size_t len) {
    (void)message, (void)len;
    for (;;) __asm volatile("bkpt");
}

int strcmp(const char *a, const char *b) {
    for (; *a && *a == *b; a++) b++;
    return (unsigned char)*a - (unsigned char)*b;
}

static void count_millisecond(void) { millis++; }

static void fail(void) { sanserve_panic(NULL, 0); }

static void start(void) {
    for (uint32_t *to = data_start, *from = data_source; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
    sanserve_free(heap, sizeof heap, 8);
    REGISTER(0x400FE104) |= 1;                                     // the UART's clock
    REGISTER(0x400FE108) |= 1;                                     // the clock of port A,
    REGISTER(0x40004420) |= 3, REGISTER(0x4000451C) |= 3;          // whose first two pins it uses
    UART(CONTROL) = 0;
    UART(DIVISOR) = 6, UART(FRACTION) = 33;                        // 12 MHz / (16 * 115,200) is 6 and 33 / 64
    UART(LINE_CONTROL) = EIGHT_BITS | FIFO;
    UART(CONTROL) = ENABLE;
    REGISTER(0xE000E014) = 12000 - 1;                              // a millisecond of the oscillator
    REGISTER(0xE000E018) = 0, REGISTER(0xE000E010) = 7;            // the system timer
    main();
}

__attribute__((section(".vectors"), used)) static const void *const VECTORS[16] = {
    stack_end, start, fail, fail, fail, fail, fail, 0, 0, 0, 0, fail, fail, 0, fail, count_millisecond,
};
