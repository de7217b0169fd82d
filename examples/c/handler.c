// A handler in C, and the engine without a socket: what a client sends is in `input`, the reply goes to standard output.
#include <stdio.h>
#include <string.h>
#include "sanserve.h"

// Replies with the content of the request, piece by piece.
static sanserve_next begin(void *user, sanserve_exchange *exchange) {
    (void)user;
    sanserve_bytes method = sanserve_command(exchange);
    if (method.len != 4 || memcmp(method.data, "POST", 4) != 0)
        return sanserve_send_error(exchange, 501, "Only POST is supported");
    sanserve_send_response(exchange, 200);
    sanserve_send_header(exchange, "Content-Type", "text/plain");
    sanserve_end_headers(exchange);
    return (sanserve_next){.kind = SANSERVE_NEXT_CONTENT};
}

static sanserve_next resume(void *user, sanserve_exchange *exchange, const sanserve_event *event) {
    (void)user;
    if (event->kind != SANSERVE_EVENT_DATA) return (sanserve_next){.kind = SANSERVE_NEXT_DONE};
    sanserve_write(exchange, event->data.data, event->data.len);
    return (sanserve_next){.kind = SANSERVE_NEXT_CONTENT};
}

int main(void) {
    const char *input = "POST /echo HTTP/1.0\r\nContent-Length: 6\r\n\r\nhello\n";
    sanserve_connection connection;
    sanserve_step step;
    sanserve_handler handler = {.begin = begin, .resume = resume};
    sanserve_answer answer = {.got = SANSERVE_GOT_NOTHING};
    if (sanserve_connection_init(&connection, NULL, "192.0.2.1", handler) != SANSERVE_OK) return 1;
    for (;;) {
        sanserve_now now = {.tick = 0, .has_date = false};
        if (sanserve_connection_step(&connection, now, &answer, &step) != SANSERVE_OK) return 2;
        answer = (sanserve_answer){.got = SANSERVE_GOT_BYTES};
        switch (step.want) {
        case SANSERVE_WANT_READ:
            answer.bytes = strlen(input) < step.len ? strlen(input) : step.len;
            memcpy(step.into, input, answer.bytes);
            input += answer.bytes;
            break;
        case SANSERVE_WANT_WRITE: answer.bytes = fwrite(step.from, 1, step.len, stdout); break;
        case SANSERVE_WANT_LOG: fwrite(step.from, 1, step.len, stderr); break;
        case SANSERVE_WANT_SHUTDOWN: break;
        case SANSERVE_WANT_CLOSE: return sanserve_connection_drop(&connection);
        default: return 3;
        }
    }
}
