// The files of the server: a directory, and nothing outside of it, by openat2(). Linux.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

static sanserve_answer refused(sanserve_fs_error error) {
    return (sanserve_answer){.got = SANSERVE_GOT_ERROR, .error = error};
}

static sanserve_answer failed(void) {
    switch (errno) {
    case ENOENT: case ENOTDIR: case ELOOP: return refused(SANSERVE_FS_NOT_FOUND);
    case EXDEV: return refused(SANSERVE_FS_OUTSIDE_ROOT);
    case EACCES: return refused(SANSERVE_FS_FORBIDDEN);
    case ENAMETOOLONG: return refused(SANSERVE_FS_TOO_LONG);
    case EMFILE: case ENFILE: case ENOMEM: return refused(SANSERVE_FS_NO_RESOURCES);
    case ENXIO: case ENODEV: return refused(SANSERVE_FS_NOT_REGULAR_FILE);
    default: return refused(SANSERVE_FS_IO);
    }
}

// Links out of the directory are not followed.
static int open_beneath(int root, const char *path, uint64_t flags) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static sanserve_meta to_meta(const struct stat *found) {
    const struct timespec *time = &found->st_mtim;
    uint64_t version = (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
    return (sanserve_meta){(uint64_t)found->st_size, true, time->tv_sec, time->tv_nsec > 0, version};
}

static void close_file(void *handle) { close((int)(intptr_t)handle); }

static sanserve_answer open_file(int root, const char *path) {
    struct stat found;
    int file = open_beneath(root, path, O_RDONLY | O_NONBLOCK);
    if (file < 0) return failed();
    sanserve_answer answer = {.got = SANSERVE_GOT_FILE, .file = {(void *)(intptr_t)file, close_file}, .sendable = true};
    if (fstat(file, &found) < 0) answer = failed();
    else if (S_ISDIR(found.st_mode)) answer = (sanserve_answer){.got = SANSERVE_GOT_DIRECTORY};
    else if (!S_ISREG(found.st_mode)) answer = refused(SANSERVE_FS_NOT_REGULAR_FILE);
    else answer.meta = to_meta(&found);
    if (answer.got != SANSERVE_GOT_FILE) close(file);
    return answer;
}

// Describes a name in a directory; a link by its target, if that may be served.
static sanserve_entry to_entry(int root, const char *directory, const char *name, const struct stat *named) {
    char path[PATH_MAX];
    struct stat found = *named;
    bool is_link = S_ISLNK(named->st_mode), is_known = !is_link;
    if (is_link && snprintf(path, sizeof path, "%s/%s", directory, name) < PATH_MAX) {
        int target = open_beneath(root, path, O_PATH);
        is_known = target >= 0 && fstat(target, &found) == 0;
        if (target >= 0) close(target);
    }
    bool is_directory = is_known && S_ISDIR(found.st_mode);
    bool is_served = is_directory || (is_known && S_ISREG(found.st_mode));
    return (sanserve_entry){strdup(name), is_directory, is_link, !is_served, to_meta(&found)};
}

static sanserve_answer list(int root, const char *path) {
    int directory = open_beneath(root, path, O_RDONLY | O_DIRECTORY);
    if (directory < 0) return failed();
    DIR *stream = fdopendir(directory);
    sanserve_entry *entries = NULL;
    size_t count = 0, capacity = 0;
    for (struct dirent *named; (named = readdir(stream));) {
        struct stat found;
        if (!strcmp(named->d_name, ".") || !strcmp(named->d_name, "..")) continue;
        if (fstatat(directory, named->d_name, &found, AT_SYMLINK_NOFOLLOW)) continue;
        if (count == capacity) entries = realloc(entries, (capacity = 2 * capacity + 16) * sizeof *entries);
        entries[count++] = to_entry(root, path, named->d_name, &found);
    }
    closedir(stream);
    return (sanserve_answer){.got = SANSERVE_GOT_ENTRIES, .entries = entries, .entry_count = count};
}

sanserve_answer answer_about_files(int root, const sanserve_step *step) {
    switch (step->want) {
    case SANSERVE_WANT_OPEN: return open_file(root, step->path);
    case SANSERVE_WANT_LIST: return list(root, step->path);
    case SANSERVE_WANT_READ_FILE: {
        ssize_t n = pread((int)(intptr_t)step->file, step->into, step->len, (off_t)step->at);
        return n < 0 ? failed() : (sanserve_answer){.got = SANSERVE_GOT_BYTES, .bytes = (size_t)n};
    }
    default: return refused(SANSERVE_FS_UNSUPPORTED);
    }
}

void free_answer(sanserve_answer *answer) {
    for (size_t at = 0; answer->entries && at < answer->entry_count; at++) free((void *)answer->entries[at].name);
    free((void *)answer->entries);
    *answer = (sanserve_answer){.got = SANSERVE_GOT_NOTHING};
}
