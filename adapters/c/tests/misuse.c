// Every mistake of a caller is an error code, and changes nothing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sanserve.h"

#define EXPECT(call, expected)                                                                                         \
    do {                                                                                                               \
        sanserve_status found = (call);                                                                                \
        if (found != (expected)) {                                                                                     \
            printf("line %d: %s is %d, not %s\n", __LINE__, #call, found, #expected);                                  \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) printf("line %d: not %s\n", __LINE__, #condition), exit(1);                                  \
    } while (0)

static sanserve_connection connection;
static sanserve_step step;
static sanserve_exchange *kept;
static int closed, dropped;

static void close_file(void *handle) { closed += handle == &closed; }
static void drop_handler(void *user) { dropped += user == &dropped; }

static sanserve_next begin(void *user, sanserve_exchange *exchange) {
    sanserve_answer answer = {.got = SANSERVE_GOT_NOTHING};
    sanserve_now now = {0};
    CHECK(user == &dropped);
    kept = exchange;
    EXPECT(sanserve_connection_step(&connection, now, &answer, &step), SANSERVE_BUSY);
    EXPECT(sanserve_connection_drop(&connection), SANSERVE_BUSY);
    EXPECT(sanserve_send_response(exchange, 42), SANSERVE_BAD_ARGUMENT);
    EXPECT(sanserve_send_header(exchange, NULL, "a"), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_send_header(exchange, "\xff", "a"), SANSERVE_BAD_ARGUMENT);
    EXPECT(sanserve_write(exchange, NULL, 1), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_log_message(exchange, NULL), SANSERVE_NULL_POINTER);
    CHECK(sanserve_header(exchange, NULL).data == NULL);
    CHECK(sanserve_header(exchange, "missing").data == NULL);
    return (sanserve_next){.kind = 1000};
}

static sanserve_handler handler = {.begin = begin, .drop = drop_handler, .user = &dropped};

static void answer(sanserve_answer given, sanserve_status expected) {
    sanserve_now now = {0};
    EXPECT(sanserve_connection_step(&connection, now, &given, &step), expected);
}

// Gives the engine a request, and returns what it writes.
static size_t reply(const char *request, char *into, size_t capacity) {
    size_t len = 0;
    sanserve_answer given = {.got = SANSERVE_GOT_NOTHING};
    while (answer(given, SANSERVE_OK), step.want != SANSERVE_WANT_CLOSE) {
        given = (sanserve_answer){.got = SANSERVE_GOT_BYTES};
        if (step.want == SANSERVE_WANT_READ) {
            given.bytes = strlen(request);
            memcpy(step.into, request, given.bytes);
            request += given.bytes;
        } else if (step.want == SANSERVE_WANT_WRITE) {
            given.bytes = step.len;
            CHECK(len + step.len < capacity);
            memcpy(into + len, step.from, step.len);
            len += step.len;
        }
    }
    into[len] = 0;
    return len;
}

static void connections(void) {
    sanserve_answer nothing = {.got = SANSERVE_GOT_NOTHING};
    sanserve_now now = {0};
    char written[4000];
    EXPECT(sanserve_connection_step(&connection, now, &nothing, &step), SANSERVE_NOT_INITIALIZED);
    EXPECT(sanserve_connection_drop(&connection), SANSERVE_NOT_INITIALIZED);
    EXPECT(sanserve_connection_drop(NULL), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_connection_init(NULL, NULL, "a", handler), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_connection_init(&connection, NULL, NULL, handler), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_connection_init(&connection, NULL, "a", (sanserve_handler){0}), SANSERVE_NULL_POINTER);
    CHECK(dropped == 2); // a handler that was handed over is dropped, whatever becomes of the connection
    EXPECT(sanserve_connection_init(&connection, NULL, "a", handler), SANSERVE_OK);
    EXPECT(sanserve_connection_step(&connection, now, NULL, &step), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_connection_step(&connection, now, &nothing, NULL), SANSERVE_NULL_POINTER);
    CHECK(reply("GET / HTTP/1.0\r\n\r\n", written, sizeof written) > 0);
    CHECK(strstr(written, "HTTP/1.0 500 The handler made a mistake") == written);
    answer(nothing, SANSERVE_CLOSED);
    EXPECT(sanserve_send_response(kept, 200), SANSERVE_NO_EXCHANGE);
    CHECK(sanserve_command(kept).data == NULL && sanserve_command(NULL).data == NULL);
    EXPECT(sanserve_connection_drop(&connection), SANSERVE_OK);
    EXPECT(sanserve_connection_drop(&connection), SANSERVE_NOT_INITIALIZED);
    CHECK(dropped == 3);
}

static void answers(void) {
    sanserve_answer nothing = {.got = SANSERVE_GOT_NOTHING};
    EXPECT(sanserve_connection_init_files(&connection, NULL, "a"), SANSERVE_OK);
    answer(nothing, SANSERVE_OK);
    CHECK(step.want == SANSERVE_WANT_READ && step.len > 0);
    answer((sanserve_answer){.got = SANSERVE_GOT_BYTES, .bytes = step.len + 1}, SANSERVE_BAD_ANSWER);
    answer((sanserve_answer){.got = SANSERVE_GOT_FILE, .file = {&closed, close_file}}, SANSERVE_BAD_ANSWER);
    answer((sanserve_answer){.got = 77}, SANSERVE_BAD_ANSWER);
    CHECK(closed == 0);
    // After a mistake the step is empty; the want is asked for again.
    answer(nothing, SANSERVE_OK);
    CHECK(step.want == SANSERVE_WANT_READ);
    const char *request = "GET /a/../b%20c/ HTTP/1.0\r\n\r\n";
    memcpy(step.into, request, strlen(request));
    answer((sanserve_answer){.got = SANSERVE_GOT_BYTES, .bytes = strlen(request)}, SANSERVE_OK);
    while (step.want == SANSERVE_WANT_OPEN) {
        CHECK(strncmp(step.path, "b c", 3) == 0);
        answer((sanserve_answer){.got = SANSERVE_GOT_ERROR, .error = 1000}, SANSERVE_BAD_ANSWER);
        answer((sanserve_answer){.got = SANSERVE_GOT_DIRECTORY + 100}, SANSERVE_BAD_ANSWER);
        answer((sanserve_answer){.got = SANSERVE_GOT_ERROR, .error = SANSERVE_FS_NOT_FOUND}, SANSERVE_OK);
    }
    CHECK(step.want == SANSERVE_WANT_LIST && strcmp(step.path, "b c") == 0);
    sanserve_entry bad = {.name = "a/b"}, none = {.name = NULL};
    answer((sanserve_answer){.got = SANSERVE_GOT_ENTRIES, .entry_count = 1}, SANSERVE_NULL_POINTER);
    answer((sanserve_answer){.got = SANSERVE_GOT_ENTRIES, .entries = &bad, .entry_count = 1}, SANSERVE_BAD_ANSWER);
    answer((sanserve_answer){.got = SANSERVE_GOT_ENTRIES, .entries = &none, .entry_count = 1}, SANSERVE_NULL_POINTER);
    answer((sanserve_answer){.got = SANSERVE_GOT_ENTRIES}, SANSERVE_OK);
    EXPECT(sanserve_connection_drop(&connection), SANSERVE_OK);
    // A file that the connection holds is closed with it.
    EXPECT(sanserve_connection_init_files(&connection, NULL, "a"), SANSERVE_OK);
    answer(nothing, SANSERVE_OK);
    memcpy(step.into, "GET /a HTTP/1.0\r\n\r\n", 19);
    answer((sanserve_answer){.got = SANSERVE_GOT_BYTES, .bytes = 19}, SANSERVE_OK);
    CHECK(step.want == SANSERVE_WANT_OPEN);
    sanserve_meta meta = {.len = 5};
    answer((sanserve_answer){.got = SANSERVE_GOT_FILE, .file = {&closed, close_file}, .meta = meta}, SANSERVE_OK);
    CHECK(closed == 0);
    EXPECT(sanserve_connection_drop(&connection), SANSERVE_OK);
    CHECK(closed == 1);
}

static void others(void) {
    sanserve_settings settings;
    sanserve_config *config;
    EXPECT(sanserve_settings_init(NULL), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_settings_init(&settings), SANSERVE_OK);
    settings.outbox = 511;
    EXPECT(sanserve_config_new(&settings, &config), SANSERVE_BAD_ARGUMENT);
    settings.outbox = 512;
    settings.server = "a\r\nb: c";
    EXPECT(sanserve_config_new(&settings, &config), SANSERVE_BAD_ARGUMENT);
    settings.server = "mine/1";
    EXPECT(sanserve_config_new(&settings, NULL), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_config_new(&settings, &config), SANSERVE_OK);
    sanserve_config_free(config);
    sanserve_config_free(NULL);

    sanserve_request_head head = {0};
    sanserve_parse_error error;
    size_t used;
    const uint8_t *bad = (const uint8_t *)"GET / HTTP/1.1\r\n\r\n";
    EXPECT(sanserve_request_head_parse(&head, bad, 18, &used, &error), SANSERVE_NOT_INITIALIZED);
    CHECK(sanserve_request_head_method(&head).data == NULL);
    EXPECT(sanserve_request_head_init(&head), SANSERVE_OK);
    EXPECT(sanserve_request_head_parse(&head, NULL, 18, &used, &error), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_request_head_parse(&head, bad, 10, &used, &error), SANSERVE_INCOMPLETE);
    EXPECT(sanserve_request_head_parse(&head, bad, 18, &used, &error), SANSERVE_MALFORMED);
    CHECK(error.status == 400 && strcmp((char *)error.message, "Host is missing") == 0);
    EXPECT(sanserve_request_head_parse(&head, bad, 18, &used, NULL), SANSERVE_MALFORMED);
    EXPECT(sanserve_request_head_drop(&head), SANSERVE_OK);
    EXPECT(sanserve_request_head_drop(&head), SANSERVE_NOT_INITIALIZED);

    uint8_t out[10];
    sanserve_field split = {"A", "b\r\nC: d"};
    EXPECT(sanserve_encode_response(200, "OK", &split, 1, out, sizeof out, &used), SANSERVE_BAD_ARGUMENT);
    EXPECT(sanserve_encode_response(200, "OK", NULL, 1, out, sizeof out, &used), SANSERVE_NULL_POINTER);
    EXPECT(sanserve_encode_response(200, "OK", NULL, 0, out, sizeof out, &used), SANSERVE_TOO_SMALL);
    CHECK(used == strlen("HTTP/1.1 200 OK\r\n\r\n"));

    char reason[100];
    sanserve_server *server = (sanserve_server *)&used;
    EXPECT(sanserve_server_new("/nonexistent", "127.0.0.1:0", NULL, &server, reason, sizeof reason), SANSERVE_SYSTEM);
    CHECK(server == NULL && strlen(reason) > 0);
    EXPECT(sanserve_server_new("/", "nonsense", NULL, &server, NULL, 0), SANSERVE_SYSTEM);
    EXPECT(sanserve_server_run(NULL), SANSERVE_NULL_POINTER);
    CHECK(sanserve_server_port(NULL) == 0);
    sanserve_server_free(NULL);
}

int main(void) {
    connections();
    answers();
    others();
    puts("all mistakes are told");
    return 0;
}
