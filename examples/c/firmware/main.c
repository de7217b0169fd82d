// Firmware in C for the LM3S6965 that serves files from flash over a serial line. A serial line has no connections that
// could be opened or closed: one connection of the engine follows another.
#include "board.h"

struct flash_file {
    const char *path, *content;
};

static const struct flash_file FILES[] = {
    {"index.html", "<!DOCTYPE html><title>Board</title><p>It runs.</p>\n"},
    {"state.json", "{\"running\": true}\n"},
};

// Gives the connection up to `room` bytes of a file from the offset `at`.
static size_t read_file(const char *content, uint64_t at, uint8_t *into, size_t room) {
    size_t len = strlen(content), n = at < len ? len - (size_t)at : 0;
    if (n > room) n = room;
    memcpy(into, content + at, n);
    return n;
}

static sanserve_answer open_file(const char *path) {
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        const char *content = FILES[i].content;
        if (strcmp(path, FILES[i].path) != 0) continue;
        sanserve_meta meta = {.len = strlen(content)};
        return (sanserve_answer){.got = SANSERVE_GOT_FILE, .file = {(void *)content, NULL}, .meta = meta};
    }
    if (strcmp(path, ".") == 0) return (sanserve_answer){.got = SANSERVE_GOT_DIRECTORY};
    return (sanserve_answer){.got = SANSERVE_GOT_ERROR, .error = SANSERVE_FS_NOT_FOUND};
}

static sanserve_answer moved(size_t n) {
    return (sanserve_answer){.got = n > 0 ? SANSERVE_GOT_BYTES : SANSERVE_GOT_NOTHING, .bytes = n};
}

// Does what a connection wants, unless that has to wait.
static sanserve_answer perform(const sanserve_step *step) {
    switch (step->want) {
    case SANSERVE_WANT_READ: return moved(uart_read(step->into, step->len));
    case SANSERVE_WANT_WRITE: return moved(uart_write(step->from, step->len));
    case SANSERVE_WANT_READ_FILE: {
        size_t n = read_file(step->file, step->at, step->into, step->len);
        return (sanserve_answer){.got = SANSERVE_GOT_BYTES, .bytes = n};
    }
    case SANSERVE_WANT_OPEN: return open_file(step->path);
    case SANSERVE_WANT_LOG: case SANSERVE_WANT_SHUTDOWN: return (sanserve_answer){.got = SANSERVE_GOT_NOTHING};
    default: return (sanserve_answer){.got = SANSERVE_GOT_ERROR, .error = SANSERVE_FS_UNSUPPORTED};
    }
}

static void serve(const sanserve_config *config) {
    static sanserve_connection connection;
    static sanserve_step step;
    sanserve_answer answer = {.got = SANSERVE_GOT_NOTHING};
    sanserve_connection_init_files(&connection, config, "-");
    for (;;) {
        sanserve_now now = {.tick = clock_nanoseconds()};
        sanserve_connection_step(&connection, now, &answer, &step);
        if (step.want == SANSERVE_WANT_CLOSE) break;
        bool waits = step.want == SANSERVE_WANT_READ || step.want == SANSERVE_WANT_WRITE;
        answer = perform(&step);
        while (waits && answer.got == SANSERVE_GOT_NOTHING && clock_nanoseconds() < step.deadline) {
            sleep_millisecond();
            answer = perform(&step);
        }
    }
    sanserve_connection_drop(&connection);
}

int main(void) {
    sanserve_settings settings;
    sanserve_config *config;
    sanserve_settings_init(&settings);
    settings.http11 = true;
    settings.request_line_max = 256;
    settings.field_bytes_max = 768;
    settings.content_max = 0;
    settings.outbox = 512;
    settings.requests_max = UINT32_MAX;
    settings.linger_ms = 0; // the client cannot see that a connection has closed
    sanserve_config_new(&settings, &config);
    uart_write((const uint8_t *)"ready\n", 6);
    for (;;) serve(config);
}
