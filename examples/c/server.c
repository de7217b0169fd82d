// A loop around poll(), with the engine of sanserve: many clients on one thread.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "server.h"

enum { CLIENTS_MAX = 256, STEPS_MAX = 64, MILLISECOND = 1000000, WAKE = 10 * MILLISECOND };

struct client {
    int socket;
    short awaited; // the events for which it waits
    uint64_t due;  // the tick at which it is answered without an event
    sanserve_connection connection;
    sanserve_step step;
};

static sanserve_now now(void) {
    struct timespec tick;
    clock_gettime(CLOCK_MONOTONIC, &tick);
    return (sanserve_now){(uint64_t)tick.tv_sec * 1000 * MILLISECOND + (uint64_t)tick.tv_nsec, true, time(NULL)};
}

static sanserve_answer moved(ssize_t n) {
    if (n >= 0) return (sanserve_answer){.got = SANSERVE_GOT_BYTES, .bytes = (size_t)n};
    return (sanserve_answer){.got = errno == EAGAIN || errno == EINTR ? SANSERVE_GOT_NOTHING : SANSERVE_GOT_FAILED};
}

// Does what a connection wants, unless that has to wait.
static sanserve_answer perform(const struct server *server, int socket, const sanserve_step *step) {
    off_t at = (off_t)step->at;
    switch (step->want) {
    case SANSERVE_WANT_READ: return moved(recv(socket, step->into, step->len, 0));
    case SANSERVE_WANT_WRITE:
        return moved(send(socket, step->from, step->len, MSG_NOSIGNAL | (step->copy_follows ? MSG_MORE : 0)));
    case SANSERVE_WANT_COPY: return moved(sendfile(socket, (int)(intptr_t)step->file, &at, step->copy_len));
    case SANSERVE_WANT_WAIT: return (sanserve_answer){.got = SANSERVE_GOT_WOKEN};
    case SANSERVE_WANT_LOG: return server->log(server, step->from, step->len), moved(0);
    case SANSERVE_WANT_SHUTDOWN: return shutdown(socket, SHUT_WR), moved(0);
    default: return answer_about_files(server->root, step);
    }
}

// Answers what a connection wants until it has to wait, or its turn is over. Returns whether it is still open.
static bool turn(const struct server *server, struct client *client, short events) {
    sanserve_step *step = &client->step;
    for (int steps = 0; steps < STEPS_MAX; steps++) {
        sanserve_answer answer = perform(server, client->socket, step);
        bool was_waiting = step->want == SANSERVE_WANT_WAIT, is_reset = was_waiting && events & (POLLERR | POLLHUP);
        if (was_waiting && events) sanserve_connection_peer_closed(&client->connection);
        if (is_reset) answer.got = SANSERVE_GOT_NOTHING, sanserve_connection_peer_reset(&client->connection);
        client->awaited = step->want == SANSERVE_WANT_READ ? POLLIN : POLLOUT;
        client->due = step->deadline;
        if (answer.got == SANSERVE_GOT_NOTHING && now().tick < client->due && !is_reset) return true;
        sanserve_connection_step(&client->connection, now(), &answer, step);
        free_answer(&answer);
        if (step->want == SANSERVE_WANT_CLOSE) return false;
        client->awaited = was_waiting && events ? 0 : POLLRDHUP;
        client->due = now().tick + WAKE;
        if (step->want == SANSERVE_WANT_WAIT) return true;
    }
    client->due = 0;
    return true;
}

void serve(const struct server *server, int listener, int stop) {
    struct client *clients[CLIENTS_MAX];
    struct pollfd polled[CLIENTS_MAX + 2] = {{stop, POLLIN, 0}};
    size_t count = 0;
    while (polled[0].revents == 0) {
        uint64_t due = UINT64_MAX, tick = now().tick;
        for (size_t i = 0; i < count; i++) {
            polled[i + 2] = (struct pollfd){clients[i]->socket, clients[i]->awaited, 0};
            if (clients[i]->due < due) due = clients[i]->due;
        }
        polled[1] = (struct pollfd){count < CLIENTS_MAX ? listener : -1, POLLIN, 0};
        int wait = count == 0 ? -1 : due <= tick ? 0 : (int)((due - tick) / MILLISECOND + 1);
        if (poll(polled, count + 2, wait) < 0) continue;
        for (size_t i = count; i-- > 0;) {
            short events = polled[i + 2].revents;
            bool is_due = events || clients[i]->due <= now().tick;
            if (!polled[0].revents && (!is_due || turn(server, clients[i], events))) continue;
            sanserve_connection_drop(&clients[i]->connection);
            close(clients[i]->socket);
            free(clients[i]);
            clients[i] = clients[--count];
        }
        int socket = polled[1].revents && !polled[0].revents ? accept4(listener, NULL, NULL, SOCK_NONBLOCK) : -1;
        if (socket < 0) continue;
        struct client *client = clients[count++] = calloc(1, sizeof *client);
        client->socket = socket;
        server->accepted(server, &client->connection);
        sanserve_connection_step(&client->connection, now(), &(sanserve_answer){SANSERVE_GOT_NOTHING}, &client->step);
    }
}
