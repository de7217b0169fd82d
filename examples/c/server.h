// What the files of this server share.
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include "sanserve.h"

struct server {
    // The directory that is served.
    int root;
    // Initializes the connection of a client.
    void (*accepted)(const struct server *server, sanserve_connection *connection);
    // Prints log lines.
    void (*log)(const struct server *server, const uint8_t *lines, size_t len);
};

// Serves the clients of a listening socket until `stop` becomes readable.
void serve(const struct server *server, int listener, int stop);

// Answers a want about files.
sanserve_answer answer_about_files(int root, const sanserve_step *step);

// Frees what an answer points to, after the step that it was for.
void free_answer(sanserve_answer *answer);

#endif
