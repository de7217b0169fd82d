// sanserve: an HTTP/1.1 server engine without I/O, its parser, and a ready server.
//
// Rules for all functions:
//
// - A pointer is valid and aligned, or NULL where that is allowed. A NULL where it is not gives SANSERVE_NULL_POINTER.
// - Text that is passed in ends with a NUL. Text and bytes that are returned have a length, and are valid until the
//   next call that gets the same object.
// - An object whose type is a struct with `storage` is allocated by the caller, on the stack or anywhere else. It is
//   initialized by its `_init` function, must not be moved or copied after that, and is released by `_drop`.
// - An object belongs to one thread at a time. Different objects are independent.
// - A wrong argument or answer is an error code, and the object remains as it was. A panic never leaves a function: it is
//   SANSERVE_PANICKED, and the object can then only be dropped. (Without std, it calls sanserve_panic.)
// - Without std, the program defines these functions:
//       void *sanserve_alloc(size_t size, size_t align);
//       void sanserve_free(void *memory, size_t size, size_t align);
//       void sanserve_panic(const uint8_t *message, size_t len);   // must not return
// - If there is no memory left, the program is aborted, as Rust programs are.


#ifndef SANSERVE_H
#define SANSERVE_H

/* Generated from adapters/c/src by cbindgen. Do not edit: change the source, and renew it with RENEW=1. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The size of a body in 64-bit words.
#define SANSERVE_BODY_WORDS 6

// The size of a connection in 64-bit words.
#define SANSERVE_CONNECTION_WORDS 128

// The size of a request head in 64-bit words.
#define SANSERVE_REQUEST_HEAD_WORDS 40

// The size of a response head in 64-bit words.
#define SANSERVE_RESPONSE_HEAD_WORDS 40

// The result of a call.
typedef enum sanserve_status {
  // The call was successful.
  SANSERVE_OK = 0,
  // A pointer is NULL that must not be.
  SANSERVE_NULL_POINTER,
  // The object was not initialized, or was dropped.
  SANSERVE_NOT_INITIALIZED,
  // The object is in use: a callback of this connection is running.
  SANSERVE_BUSY,
  // The exchange is used outside of a callback of its handler.
  SANSERVE_NO_EXCHANGE,
  // The answer does not fit the want. It is not used, and its file still belongs to the caller.
  SANSERVE_BAD_ANSWER,
  // The connection is closed: there are no further steps.
  SANSERVE_CLOSED,
  // An argument is out of range, or its text is invalid.
  SANSERVE_BAD_ARGUMENT,
  // The buffer is too small.
  SANSERVE_TOO_SMALL,
  // The message is incomplete: call again with the same bytes and more.
  SANSERVE_INCOMPLETE,
  // The message is malformed. `sanserve_parse_error` says how.
  SANSERVE_MALFORMED,
  // The system refused it.
  SANSERVE_SYSTEM,
  // The code of this library panicked, which is a mistake in it. The object can only be dropped.
  SANSERVE_PANICKED,
} sanserve_status;

// What the next bytes of the input are.
typedef enum sanserve_piece {
  // `len` bytes of content.
  SANSERVE_PIECE_DATA = 0,
  // `len` bytes of framing or trailer fields: pass over them.
  SANSERVE_PIECE_SKIP,
  // Not enough input: call again with the same bytes and more.
  SANSERVE_PIECE_MORE,
  // The content is complete; what follows is the next message.
  SANSERVE_PIECE_END,
} sanserve_piece;

// The events with which a handler is resumed.
typedef enum sanserve_event_kind {
  // `data` has bytes of the content or of the file.
  SANSERVE_EVENT_DATA = 0,
  // The operation is complete.
  SANSERVE_EVENT_END,
  // The file `path` with the metadata `meta` is open.
  SANSERVE_EVENT_OPENED,
  // The file `path` is being created.
  SANSERVE_EVENT_CREATED,
  // `path` is a directory.
  SANSERVE_EVENT_DIRECTORY,
  // `entries` are those of the directory `path`.
  SANSERVE_EVENT_LISTED,
  // The waker was called, perhaps without need.
  SANSERVE_EVENT_WOKEN,
  // The time to wait is over.
  SANSERVE_EVENT_TIMED_OUT,
  // The operation failed with `error`.
  SANSERVE_EVENT_FAILED,
} sanserve_event_kind;

// The errors of files.
typedef enum sanserve_fs_error {
  // Nothing has this name: 404.
  SANSERVE_FS_NOT_FOUND = 0,
  // A link leads out of the root: 404, with a log line.
  SANSERVE_FS_OUTSIDE_ROOT,
  // It may not be read: 404.
  SANSERVE_FS_FORBIDDEN,
  // It is neither a regular file nor a directory, or not the one that was asked for.
  SANSERVE_FS_NOT_REGULAR_FILE,
  // This file system cannot do that.
  SANSERVE_FS_UNSUPPORTED,
  // There is not enough memory, or there are not enough descriptors: 503.
  SANSERVE_FS_NO_RESOURCES,
  // The name exists, or names something else than expected.
  SANSERVE_FS_EXISTS,
  // The disk or the quota is full.
  SANSERVE_FS_NO_SPACE,
  // The name is too long.
  SANSERVE_FS_TOO_LONG,
  // No file can have this name.
  SANSERVE_FS_INVALID_NAME,
  // Any other error of the device or the system.
  SANSERVE_FS_IO,
} sanserve_fs_error;

// What a connection wants. Each says which fields of sanserve_step it has, and which answers fit, beside
// SANSERVE_GOT_NOTHING: "not yet, ask again".
typedef enum sanserve_want {
  // Read from the peer into `into`, up to `len` bytes. BYTES (0: the peer has closed its side) or FAILED.
  SANSERVE_WANT_READ = 0,
  // Write up to `len` bytes at `from` to the peer. BYTES, which may be fewer, or FAILED.
  SANSERVE_WANT_WRITE,
  // Read `file` at offset `at` into `into`, up to `len` bytes. BYTES (0: its end), WORKING or ERROR.
  SANSERVE_WANT_READ_FILE,
  // Send up to `copy_len` bytes of `file` from offset `at` to the peer, as with sendfile. Only for files that are
  // `sendable`. BYTES (0: the end of the file), ERROR or FAILED.
  SANSERVE_WANT_COPY,
  // Append `len` bytes at `from` to `file`, which is being created. BYTES, which may be fewer, or ERROR.
  SANSERVE_WANT_WRITE_FILE,
  // Give `file`, which is complete, its name, in one step. DONE or ERROR.
  SANSERVE_WANT_COMMIT,
  // Open `path`. FILE, DIRECTORY or ERROR.
  SANSERVE_WANT_OPEN,
  // List the directory `path`. ENTRIES or ERROR.
  SANSERVE_WANT_LIST,
  // Begin to create the file `path`, of which nothing may be seen before it is committed. If `replaces` is set, it
  // replaces the file with the metadata `meta`; otherwise the name must not exist. WRITER or ERROR.
  SANSERVE_WANT_CREATE,
  // Verify `user` and `password`. DONE, or ERROR with SANSERVE_FS_FORBIDDEN.
  SANSERVE_WANT_VERIFY,
  // Wait until the waker is called, or for a short time. WOKEN.
  SANSERVE_WANT_WAIT,
  // Print `len` bytes at `from`: log lines, each of which ends with a line feed. Any answer.
  SANSERVE_WANT_LOG,
  // Close the sending side of the transport, and continue to read. Any answer.
  SANSERVE_WANT_SHUTDOWN,
  // Close the transport and drop the connection.
  SANSERVE_WANT_CLOSE,
} sanserve_want;

// What would be lost if the connection were closed now.
typedef enum sanserve_phase {
  // Nothing: it is idle.
  SANSERVE_PHASE_IDLE = 0,
  // Little: part of a head, or unread content.
  SANSERVE_PHASE_HEAD,
  // A request.
  SANSERVE_PHASE_BUSY,
} sanserve_phase;

// The kinds of answers.
typedef enum sanserve_got {
  // It has not happened yet, or its deadline is over: ask again. Fits every want, and is the first answer.
  SANSERVE_GOT_NOTHING = 0,
  // `bytes` bytes were read, written or sent. 0 bytes that were read mean the end.
  SANSERVE_GOT_BYTES,
  // For OPEN: a file, with `file`, `meta` and `sendable`.
  SANSERVE_GOT_FILE,
  // For OPEN: a directory.
  SANSERVE_GOT_DIRECTORY,
  // For CREATE: the file that is being created, with `file`.
  SANSERVE_GOT_WRITER,
  // For LIST: the directory's `entries`, which are copied.
  SANSERVE_GOT_ENTRIES,
  // For COMMIT and VERIFY: it was successful.
  SANSERVE_GOT_DONE,
  // For WAIT: the waker was called, or may have been.
  SANSERVE_GOT_WOKEN,
  // For READ_FILE: the bytes are still being produced, so that the deadline is renewed.
  SANSERVE_GOT_WORKING,
  // The operation on a file failed with `error`. Fits all wants about files.
  SANSERVE_GOT_ERROR,
  // For READ, WRITE and COPY: the transport is broken.
  SANSERVE_GOT_FAILED,
} sanserve_got;

// What a handler needs before it is called again. Each says with which events it is resumed.
typedef enum sanserve_next_kind {
  // Nothing: the reply is complete.
  SANSERVE_NEXT_DONE = 0,
  // Content of the request. DATA, or END if there is no more.
  SANSERVE_NEXT_CONTENT,
  // The file or directory `path`, or that of the request's target if it is NULL. OPENED, DIRECTORY or FAILED.
  SANSERVE_NEXT_OPEN,
  // The entries of the directory `path`, or that of the target. LISTED or FAILED.
  SANSERVE_NEXT_LIST,
  // A new file `path`, or that of the target. CREATED or FAILED.
  SANSERVE_NEXT_CREATE,
  // Append `len` bytes at `bytes` to the new file; they are copied. END or FAILED.
  SANSERVE_NEXT_WRITE_FILE,
  // Give the new file its name. END or FAILED.
  SANSERVE_NEXT_COMMIT,
  // Bytes of the open file, from where the last READ ended. DATA or END.
  SANSERVE_NEXT_READ,
  // Send the bytes of the open file from `start` up to `end`. END.
  SANSERVE_NEXT_SEND,
  // Send `len` bytes at `bytes` of any length; they are copied. END.
  SANSERVE_NEXT_WRITE,
  // The same with bytes that stay valid for as long as the connection; they are not copied. END.
  SANSERVE_NEXT_WRITE_STATIC,
  // Wait until the peer has accepted everything that was written. END.
  SANSERVE_NEXT_FLUSH,
  // Wait until the waker is called, or for `nanoseconds`. WOKEN or TIMED_OUT.
  SANSERVE_NEXT_WAIT,
} sanserve_next_kind;

// The settings of connections, which share them. Connections keep it alive, so it may be released before them.
typedef struct sanserve_config sanserve_config;

// The entries of a directory.
typedef struct sanserve_entries sanserve_entries;

// A request and the reply to it. It can be used only during the call that got it.
typedef struct sanserve_exchange sanserve_exchange;

// A server of files, with a thread for each connection.
typedef struct sanserve_server sanserve_server;

// The framing of the content of a message. It owns nothing, so that it need not be dropped.
typedef struct sanserve_body {
  // For the library only.
  uint64_t storage[SANSERVE_BODY_WORDS];
} sanserve_body;

// The head of a request, with the limits of sanserve_settings_init. It is used again for the next one, and keeps its
// memory.
typedef struct sanserve_request_head {
  // For the library only.
  uint64_t storage[SANSERVE_REQUEST_HEAD_WORDS];
} sanserve_request_head;

// How a message is malformed.
typedef struct sanserve_parse_error {
  // The status with which a server replies: 400, 414, 417, 431, 501 or 505. A gateway that finds the error in a
  // response replies 502.
  uint16_t status;
  // A clause for a log, such as `bad field line`. It ends with a NUL.
  uint8_t message[78];
} sanserve_parse_error;

// The head of a response, with the limits of sanserve_settings_init. It is used again for the next one, and keeps its
// memory.
typedef struct sanserve_response_head {
  // For the library only.
  uint64_t storage[SANSERVE_RESPONSE_HEAD_WORDS];
} sanserve_response_head;

// The settings of connections. Initialize it with sanserve_settings_init, and change what should differ.
typedef struct sanserve_settings {
  // Whether the server speaks HTTP/1.1 and keeps connections open. By default it speaks HTTP/1.0, as Python's does.
  bool http11;
  // Whether replies announce for how long the connection stays open. No by default.
  bool keep_alive;
  // The value of the `Server` field, or NULL for `sanserve/` and the version.
  const char *server;
  // The most bytes of a request line, after which the reply is 414. 65,536 by default.
  size_t request_line_max;
  // The most bytes of all fields of a request, after which the reply is 431. 65,536 by default.
  size_t field_bytes_max;
  // The most fields of a request, after which the reply is 431. 100 by default.
  size_t field_count_max;
  // The most bytes of content that a handler may read, after which the reply is 413. 1 GiB by default.
  uint64_t content_max;
  // The most bytes of unread content that are discarded to keep the connection open. 65,536 by default.
  uint64_t drain_max;
  // The most requests on one connection. 1,000 by default.
  uint32_t requests_max;
  // The size of the output buffer in bytes. 32,768 by default, at least 512.
  size_t outbox;
  // The wait for the first byte of a request, in milliseconds. 60,000 by default.
  uint64_t idle_ms;
  // The time after which an idle connection frees its buffers, in milliseconds. 50 by default.
  uint64_t park_ms;
  // The time for a request head, in milliseconds. 30,000 by default.
  uint64_t head_ms;
  // The time for content and replies before `rate` counts, in milliseconds. 30,000 by default.
  uint64_t grace_ms;
  // The lowest rate of content and replies, in bytes a second. 500 by default.
  uint32_t rate;
  // The time for which a closing connection waits for the peer to close first, in milliseconds. 2,000 by default.
  uint64_t linger_ms;
  // The time for an answer about a file, in milliseconds. 30,000 by default.
  uint64_t ask_ms;
  // The time for work without output after the peer has closed its side, in milliseconds. 2,000 by default.
  uint64_t half_closed_ms;
} sanserve_settings;

// The server side of one connection. It allocates its buffers when it needs them.
typedef struct sanserve_connection {
  // For the library only.
  uint64_t storage[SANSERVE_CONNECTION_WORDS];
} sanserve_connection;

// What a handler needs. What its kind does not need is ignored.
typedef struct sanserve_next {
  // A `sanserve_next_kind`. Any other number turns the reply into a 500.
  uint32_t kind;
  // The path, or NULL for that of the request's target.
  const char *path;
  // The bytes.
  const uint8_t *bytes;
  // The number of bytes.
  size_t len;
  // For SEND: the offset of the first byte.
  uint64_t start;
  // For SEND: the offset after the last byte.
  uint64_t end;
  // For WAIT.
  uint64_t nanoseconds;
} sanserve_next;

// Bytes that belong to this library, without a NUL at their end. If there are none to return, `data` is NULL.
typedef struct sanserve_bytes {
  // The first byte.
  const uint8_t *data;
  // The number of bytes.
  size_t len;
} sanserve_bytes;

// The metadata of a file.
typedef struct sanserve_meta {
  // The length in bytes.
  uint64_t len;
  // Whether `modified` is known.
  bool has_modified;
  // The time of the last modification, in seconds since 1970.
  int64_t modified;
  // Whether `version` is known.
  bool has_version;
  // A number that this file never had with other content, and never will have: it becomes the `ETag`.
  uint64_t version;
} sanserve_meta;

// An event. It is valid during the call.
typedef struct sanserve_event {
  // Which one.
  enum sanserve_event_kind kind;
  // For DATA.
  struct sanserve_bytes data;
  // The path, relative to the root; `.` is the root.
  const char *path;
  // For OPENED.
  struct sanserve_meta meta;
  // For LISTED, see sanserve_entries_get.
  const struct sanserve_entries *entries;
  // For FAILED.
  enum sanserve_fs_error error;
} sanserve_event;

// The functions that answer the requests of one connection, one after another.
typedef struct sanserve_handler {
  // Begins the reply to a request. Must not be NULL.
  struct sanserve_next (*begin)(void *user, struct sanserve_exchange *exchange);
  // Continues it. NULL if `begin` always returns SANSERVE_NEXT_DONE.
  struct sanserve_next (*resume)(void *user, struct sanserve_exchange *exchange, const struct sanserve_event *event);
  // Called once, when the connection is dropped; or NULL.
  void (*drop)(void *user);
  // The first argument of all of them.
  void *user;
} sanserve_handler;

// The time of a step, from the caller's clocks.
typedef struct sanserve_now {
  // A monotonic clock, in nanoseconds.
  uint64_t tick;
  // Whether the date is known. Without it replies have no `Date`.
  bool has_date;
  // Seconds since 1970.
  int64_t date;
} sanserve_now;

// An open file of the caller.
typedef struct sanserve_file {
  // Anything that the caller needs to find the file: a pointer, or a number.
  void *handle;
  // Called once, when the connection needs the file no more; or NULL. A file that is being created and was not
  // committed has to disappear then.
  void (*close)(void *handle);
} sanserve_file;

// A name in a directory.
typedef struct sanserve_entry {
  // The name, without `/`.
  const char *name;
  // Whether it is a directory, or a link to one.
  bool is_directory;
  // Whether it is a symbolic link.
  bool is_link;
  // Whether it cannot be served: a broken link, a FIFO, a socket or a device.
  bool is_unavailable;
  // Its metadata; `version` has no meaning here. Without `has_modified` neither time nor length is shown.
  struct sanserve_meta meta;
} sanserve_entry;

// The answer to a want. What its kind does not need is ignored.
typedef struct sanserve_answer {
  // A `sanserve_got`.
  uint32_t got;
  // For SANSERVE_GOT_BYTES.
  size_t bytes;
  // For SANSERVE_GOT_FILE and SANSERVE_GOT_WRITER. The connection closes it.
  struct sanserve_file file;
  // For SANSERVE_GOT_FILE.
  struct sanserve_meta meta;
  // For SANSERVE_GOT_FILE: whether the caller can answer COPY for it.
  bool sendable;
  // For SANSERVE_GOT_ENTRIES.
  const struct sanserve_entry *entries;
  // For SANSERVE_GOT_ENTRIES.
  size_t entry_count;
  // For SANSERVE_GOT_ERROR: a `sanserve_fs_error`.
  uint32_t error;
} sanserve_answer;

// A want, with its arguments and deadline. Pointers are valid until the next call with the connection.
typedef struct sanserve_step {
  // What the connection wants.
  enum sanserve_want want;
  // The buffer to read into.
  uint8_t *into;
  // The bytes to write.
  const uint8_t *from;
  // The length of either, in bytes; never 0.
  size_t len;
  // The `handle` of the open file.
  void *file;
  // The offset in the file, in bytes.
  uint64_t at;
  // The number of bytes of the file to send.
  uint64_t copy_len;
  // A path relative to the root, without `/` at its ends, and with a NUL after it. The root itself is `.`, so that
  // the path fits openat. No segment is empty, `.` or `..`; links are the caller's to judge.
  const char *path;
  // For CREATE: the number of directories at the end of the path that may be missing.
  size_t directories_max;
  // For CREATE: whether a file is replaced, the one with `meta`.
  bool replaces;
  // The metadata of the replaced file.
  struct sanserve_meta meta;
  // For VERIFY.
  struct sanserve_bytes user;
  // For VERIFY.
  struct sanserve_bytes password;
  // Whether there is a deadline.
  bool has_deadline;
  // The `tick` at which to give up and answer SANSERVE_GOT_NOTHING.
  uint64_t deadline;
  // For WRITE: a COPY follows at once, so that both may be sent together (MSG_MORE).
  bool copy_follows;
  // For SHUTDOWN: the peer may still be sending. If not, and if it has acknowledged everything, the transport may be
  // closed at once.
  bool peer_may_send;
  // What would be lost if the connection were closed now.
  enum sanserve_phase phase;
} sanserve_step;

// A function of the caller that wakes a connection. It may be called from any thread, also after the connection was
// dropped, until `drop` is called.
typedef struct sanserve_waker {
  // Wakes the connection, so that its loop answers WAIT.
  void (*wake)(void *user);
  // Called once, when nothing can call `wake` any more; or NULL.
  void (*drop)(void *user);
  // The argument of both.
  void *user;
} sanserve_waker;

// A field to write.
typedef struct sanserve_field {
  // A token.
  const char *name;
  // The value, which is written as it is.
  const char *value;
} sanserve_field;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Returns `size` bytes with this alignment, or NULL. Supplied by the program.
extern void *sanserve_alloc(size_t size, size_t align);

// Takes memory back. Supplied by the program.
extern void sanserve_free(void *memory, size_t size, size_t align);

// Never returns. Supplied by the program.
extern void sanserve_panic(const uint8_t *message, size_t len);

// Initializes the framing of a request's content (RFC 9112, section 6.3).
enum sanserve_status sanserve_body_of_request(struct sanserve_body *body,
                                              const struct sanserve_request_head *head,
                                              struct sanserve_parse_error *error);

// Initializes the framing of the content of a response to a request with this method.
enum sanserve_status sanserve_body_of_response(struct sanserve_body *body,
                                               const struct sanserve_response_head *head,
                                               const char *method,
                                               struct sanserve_parse_error *error);

// Writes what the first `len` bytes of `input` are, and how many of them. The next call must get the input after them.
enum sanserve_status sanserve_body_next(struct sanserve_body *body,
                                        const uint8_t *input,
                                        size_t len,
                                        enum sanserve_piece *piece,
                                        size_t *piece_len,
                                        struct sanserve_parse_error *error);

// Checks that the content is complete if the connection ends here: SANSERVE_OK, or SANSERVE_INCOMPLETE.
enum sanserve_status sanserve_body_end_of_input(const struct sanserve_body *body);

// Writes the default settings.
enum sanserve_status sanserve_settings_init(struct sanserve_settings *settings);

// Creates the configuration with these settings, or with the defaults if `settings` is NULL. Release it with
// sanserve_config_free.
enum sanserve_status sanserve_config_new(const struct sanserve_settings *settings, struct sanserve_config **config);

// Releases a configuration. NULL is allowed.
void sanserve_config_free(struct sanserve_config *config);

// Initializes a connection whose requests `handler` answers. `peer` is the peer's address as log lines show it.
// `config` may be NULL for the defaults.
enum sanserve_status sanserve_connection_init(struct sanserve_connection *connection,
                                              const struct sanserve_config *config,
                                              const char *peer,
                                              struct sanserve_handler handler);

// Initializes a connection that serves files, as `python -m http.server` does. Its loop opens, lists and reads them.
enum sanserve_status sanserve_connection_init_files(struct sanserve_connection *connection,
                                                    const struct sanserve_config *config,
                                                    const char *peer);

// Releases a connection, closes its file and calls `drop` of its handler.
enum sanserve_status sanserve_connection_drop(struct sanserve_connection *connection);

// Takes the answer to the last want, and returns the next want. The first answer is SANSERVE_GOT_NOTHING. After
// SANSERVE_BAD_ANSWER the step is empty: the answer SANSERVE_GOT_NOTHING then returns the same want again.
enum sanserve_status sanserve_connection_step(struct sanserve_connection *connection,
                                              struct sanserve_now now,
                                              const struct sanserve_answer *answer,
                                              struct sanserve_step *step);

// Makes the current reply the last one, for a server that shuts down.
enum sanserve_status sanserve_connection_finish(struct sanserve_connection *connection);

// Notes that the peer has closed its side while the connection waits for work. Work without output then ends soon.
enum sanserve_status sanserve_connection_peer_closed(struct sanserve_connection *connection);

// Ends a connection that is broken, and the work for its peer. Answer the want with SANSERVE_GOT_NOTHING after it.
enum sanserve_status sanserve_connection_peer_reset(struct sanserve_connection *connection);

// Writes whether the connection waits for work, so that the transport has to be watched: call
// sanserve_connection_peer_closed or sanserve_connection_peer_reset if the peer leaves.
enum sanserve_status sanserve_connection_awaits_work(struct sanserve_connection *connection, bool *awaits);

// Sets the waker of a connection. Without one, answer WAIT from time to time.
enum sanserve_status sanserve_connection_set_waker(struct sanserve_connection *connection, struct sanserve_waker waker);

// Writes the head of an HTTP/1.1 request into `buffer`, and its length into `len`. SANSERVE_BAD_ARGUMENT if a part is
// invalid; SANSERVE_TOO_SMALL if the head is longer than `capacity`, with its length.
enum sanserve_status sanserve_encode_request(const char *method,
                                             const char *target,
                                             const struct sanserve_field *fields,
                                             size_t field_count,
                                             uint8_t *buffer,
                                             size_t capacity,
                                             size_t *len);

// Writes the head of an HTTP/1.1 response as sanserve_encode_request does.
enum sanserve_status sanserve_encode_response(uint16_t status,
                                              const char *reason,
                                              const struct sanserve_field *fields,
                                              size_t field_count,
                                              uint8_t *buffer,
                                              size_t capacity,
                                              size_t *len);

// Writes the line before a chunk of `size` bytes. CR LF follows the chunk, and `0`, CR LF, CR LF the last one.
enum sanserve_status sanserve_encode_chunk_size(uint64_t size, uint8_t *buffer, size_t capacity, size_t *len);

// Returns the method, such as `GET`.
struct sanserve_bytes sanserve_command(const struct sanserve_exchange *exchange);

// Returns the path of the target with its query.
struct sanserve_bytes sanserve_path(const struct sanserve_exchange *exchange);

// Returns the request line.
struct sanserve_bytes sanserve_requestline(const struct sanserve_exchange *exchange);

// Returns the peer's address.
struct sanserve_bytes sanserve_client_address(const struct sanserve_exchange *exchange);

// Returns the value of the first field with this name, in any case of letters, as UTF-8; `data` is NULL if there is
// none.
struct sanserve_bytes sanserve_header(const struct sanserve_exchange *exchange, const char *name);

// Writes the name and the value of the field number `at`, from 0 on. SANSERVE_BAD_ARGUMENT if there are fewer.
enum sanserve_status sanserve_header_at(const struct sanserve_exchange *exchange,
                                        size_t at,
                                        struct sanserve_bytes *name,
                                        struct sanserve_bytes *value);

// Begins the reply: logs the request, and writes the status line, `Server` and `Date`.
enum sanserve_status sanserve_send_response(struct sanserve_exchange *exchange, uint16_t status);

// Adds a field. Its value is sent as it is. An invalid field turns the reply into a 500.
enum sanserve_status sanserve_send_header(struct sanserve_exchange *exchange, const char *name, const char *value);

// Adds a field whose value is a number, such as `Content-Length`.
enum sanserve_status sanserve_send_header_number(struct sanserve_exchange *exchange, const char *name, uint64_t value);

// Ends the head. The content has the length that was sent; or it is chunked, or ends with the connection.
enum sanserve_status sanserve_end_headers(struct sanserve_exchange *exchange);

// Adds a little content: in one call of the handler at most five quarters of `outbox`. For more return
// SANSERVE_NEXT_WRITE, or SANSERVE_NEXT_FLUSH between the pieces.
enum sanserve_status sanserve_write(struct sanserve_exchange *exchange, const uint8_t *bytes, size_t len);

// Sends an error page, and returns SANSERVE_NEXT_DONE for the handler to return. A status that is not from 400 to 599
// becomes 500. `message` may be NULL for the usual phrase.
struct sanserve_next sanserve_send_error(struct sanserve_exchange *exchange, uint16_t status, const char *message);

// Logs a message, which is UTF-8.
enum sanserve_status sanserve_log_message(struct sanserve_exchange *exchange, const char *message);

// Closes the connection after this reply. Call it before sanserve_end_headers, which then announces it.
enum sanserve_status sanserve_close_connection(struct sanserve_exchange *exchange);

// Returns whether so much waits to be sent that the handler should return SANSERVE_NEXT_FLUSH.
bool sanserve_wants_flush(const struct sanserve_exchange *exchange);

// Returns the number of entries; 0 for NULL.
size_t sanserve_entries_len(const struct sanserve_entries *entries);

// Returns the name of an entry, which does not end with a NUL, and writes whether it is a directory. Returns no bytes
// if there is no such entry.
struct sanserve_bytes sanserve_entries_get(const struct sanserve_entries *entries, size_t at, bool *is_directory);

// Initializes an empty head.
enum sanserve_status sanserve_request_head_init(struct sanserve_request_head *head);

// Releases a head.
enum sanserve_status sanserve_request_head_drop(struct sanserve_request_head *head);

// Parses a head at the start of `input`, which is everything that has arrived and was not used yet. SANSERVE_OK: it is
// complete, and `used` bytes long. SANSERVE_INCOMPLETE: call again with the same bytes and more; none is examined
// twice. SANSERVE_MALFORMED: `error`, which may be NULL, says how; the connection has to be closed.
enum sanserve_status sanserve_request_head_parse(struct sanserve_request_head *head,
                                                 const uint8_t *input,
                                                 size_t len,
                                                 size_t *used,
                                                 struct sanserve_parse_error *error);

// Returns the method, such as `GET`.
struct sanserve_bytes sanserve_request_head_method(const struct sanserve_request_head *head);

// Returns the target as it was sent, as UTF-8.
struct sanserve_bytes sanserve_request_head_target(const struct sanserve_request_head *head);

// Returns path and query of the target, whatever its form, in ASCII.
struct sanserve_bytes sanserve_request_head_path(const struct sanserve_request_head *head);

// Returns the value of the first field with this name, in any case of letters, as UTF-8; `data` is NULL if there is
// none.
struct sanserve_bytes sanserve_request_head_field(const struct sanserve_request_head *head, const char *name);

// Writes the name and the value of the field number `at`, from 0 on. SANSERVE_BAD_ARGUMENT if there are fewer.
enum sanserve_status sanserve_request_head_field_at(const struct sanserve_request_head *head,
                                                    size_t at,
                                                    struct sanserve_bytes *name,
                                                    struct sanserve_bytes *value);

// Returns the version: 11, 10 or 9 for HTTP/1.1, 1.0 and 0.9; 0 if the pointer is not one of a head.
uint8_t sanserve_request_head_version(const struct sanserve_request_head *head);

// Returns whether the connection stays open after the reply (RFC 9112, section 9.3).
bool sanserve_request_head_keep_alive(const struct sanserve_request_head *head);

// Initializes an empty head.
enum sanserve_status sanserve_response_head_init(struct sanserve_response_head *head);

// Releases a head.
enum sanserve_status sanserve_response_head_drop(struct sanserve_response_head *head);

// Parses a head as sanserve_request_head_parse does.
enum sanserve_status sanserve_response_head_parse(struct sanserve_response_head *head,
                                                  const uint8_t *input,
                                                  size_t len,
                                                  size_t *used,
                                                  struct sanserve_parse_error *error);

// Returns the status; 0 if the pointer is not one of a head.
uint16_t sanserve_response_head_status(const struct sanserve_response_head *head);

// Returns the reason phrase, which may be empty, as UTF-8.
struct sanserve_bytes sanserve_response_head_reason(const struct sanserve_response_head *head);

// Returns the value of the first field with this name, in any case of letters, as UTF-8; `data` is NULL if there is
// none.
struct sanserve_bytes sanserve_response_head_field(const struct sanserve_response_head *head, const char *name);

// Writes the name and the value of the field number `at`, from 0 on. SANSERVE_BAD_ARGUMENT if there are fewer.
enum sanserve_status sanserve_response_head_field_at(const struct sanserve_response_head *head,
                                                     size_t at,
                                                     struct sanserve_bytes *name,
                                                     struct sanserve_bytes *value);

// Returns the version: 11 or 10; 0 if the pointer is not one of a head.
uint8_t sanserve_response_head_version(const struct sanserve_response_head *head);

// Returns whether the connection stays open after the response (RFC 9112, section 9.3).
bool sanserve_response_head_keep_alive(const struct sanserve_response_head *head);

// Listens on `address`, such as `127.0.0.1:8000`, to serve `directory` and nothing outside of it. `config` may be NULL
// for the defaults. If it fails, the reason is written to `reason`, which has `capacity` bytes, with a NUL after it; it
// may be NULL.
enum sanserve_status sanserve_server_new(const char *directory,
                                         const char *address,
                                         const struct sanserve_config *config,
                                         struct sanserve_server **server,
                                         char *reason,
                                         size_t capacity);

// Returns the port that the server listens on; 0 for NULL.
uint16_t sanserve_server_port(const struct sanserve_server *server);

// Serves until sanserve_server_stop is called, and prints its log to standard error. A server runs once:
// SANSERVE_CLOSED if it did.
enum sanserve_status sanserve_server_run(const struct sanserve_server *server);

// Stops the server from another thread: replies in progress have `grace_ms` milliseconds to end. Returns when all
// connections are closed.
enum sanserve_status sanserve_server_stop(const struct sanserve_server *server, uint64_t grace_ms);

// Releases a server that does not run. NULL is allowed.
void sanserve_server_free(struct sanserve_server *server);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SANSERVE_H */
