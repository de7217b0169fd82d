// The parser and the encoder alone: reads a request with chunks, and writes the head of a request.
#include <stdio.h>
#include <string.h>
#include "sanserve.h"

static void print(const char *name, sanserve_bytes bytes) {
    printf("%s: %.*s\n", name, (int)bytes.len, (const char *)bytes.data);
}

int main(void) {
    const char *input = "PUT /a?b HTTP/1.1\r\nHost: example.net\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    const uint8_t *rest = (const uint8_t *)input;
    size_t left = strlen(input), used;
    sanserve_request_head head;
    sanserve_parse_error error;
    sanserve_request_head_init(&head);
    if (sanserve_request_head_parse(&head, rest, left, &used, &error) != SANSERVE_OK)
        return fprintf(stderr, "%d: %s\n", error.status, (const char *)error.message), 1;
    print("method", sanserve_request_head_method(&head));
    print("path", sanserve_request_head_path(&head));
    print("host", sanserve_request_head_field(&head, "host"));

    sanserve_body body;
    sanserve_piece piece = SANSERVE_PIECE_MORE;
    sanserve_body_of_request(&body, &head, NULL);
    for (rest += used, left -= used; piece != SANSERVE_PIECE_END; rest += used, left -= used) {
        if (sanserve_body_next(&body, rest, left, &piece, &used, &error) != SANSERVE_OK) return 2;
        if (piece == SANSERVE_PIECE_MORE) return 3;
        if (piece == SANSERVE_PIECE_DATA) print("content", (sanserve_bytes){rest, used});
    }
    sanserve_request_head_drop(&head);

    uint8_t out[200];
    sanserve_field fields[] = {{"Host", "example.net"}, {"Content-Length", "0"}};
    if (sanserve_encode_request("POST", "/b", fields, 2, out, sizeof out, &used) != SANSERVE_OK) return 4;
    fwrite(out, 1, used, stdout);
    return 0;
}
