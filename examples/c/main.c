// Serves a directory: `server DIRECTORY PORT`.
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"

static void accepted(const struct server *server, sanserve_connection *connection) {
    (void)server;
    sanserve_connection_init_files(connection, NULL, "client");
}

static void print(const struct server *server, const uint8_t *lines, size_t len) {
    (void)server;
    fwrite(lines, 1, len, stderr);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: server DIRECTORY PORT\n"), 2;
    struct server server = {open(argv[1], O_PATH | O_DIRECTORY), accepted, print};
    if (server.root < 0) return perror(argv[1]), 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) return perror("bind"), 1;
    socklen_t len = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &len);
    printf("http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    fflush(stdout);
    serve(&server, listener, STDIN_FILENO);
}
