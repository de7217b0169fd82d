// The ready server, in three calls: `ready DIRECTORY`.
#include <stdio.h>
#include "sanserve.h"

int main(int argc, char **argv) {
    char reason[200];
    sanserve_server *server;
    const char *directory = argc > 1 ? argv[1] : ".";
    if (sanserve_server_new(directory, "127.0.0.1:0", NULL, &server, reason, sizeof reason) != SANSERVE_OK)
        return fprintf(stderr, "%s\n", reason), 1;
    printf("http://127.0.0.1:%d/\n", sanserve_server_port(server));
    fflush(stdout);
    return sanserve_server_run(server);
}
