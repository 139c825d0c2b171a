/* What every program of the contract (bench/peers/README.md) needs: clocks, files, its own figures, the command line.
 * Whatever goes wrong ends the program with a line that says what. */
#ifndef PEER_H
#define PEER_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)

static inline void give_up(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Of the whole process so far, user and system. */
static inline uint64_t cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND_NS +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* The high-water mark of this program's own memory: ru_maxrss would begin with that of the process that forked it. */
static inline long max_rss_kib(void) {
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL && sscanf(line, "VmHWM: %ld", &kib) != 1) {}
    if (status != NULL) fclose(status);
    return kib;
}

/* ---- memory and files ---- */

static inline void *reserve(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) give_up("memory", strerror(ENOMEM));
    return memory;
}

static inline void *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) give_up(path, strerror(errno));
    long end = ftell(file);
    if (end < 0) give_up(path, strerror(errno));
    *size = (size_t)end;
    rewind(file);
    void *bytes = reserve(*size, 1);
    if (fread(bytes, 1, *size, file) != *size) give_up(path, "could not be read");
    fclose(file);
    return bytes;
}

/* Writes `count` words to the file whose name is `out` with that ending. */
static inline void write_words(const char *out, const char *ending, const uint64_t *words, size_t count) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s%s", out, ending) >= (int)sizeof path) give_up(out, "the name is too long");
    FILE *file = fopen(path, "wb");
    if (file == NULL) give_up(path, strerror(errno));
    size_t written = fwrite(words, sizeof *words, count, file);
    if (fclose(file) != 0 || written != count) give_up(path, "could not be written");
}

/* ---- the command line: --name value, … ---- */

static inline const char *option(int count, char **words, const char *name, const char *otherwise) {
    for (int word = 1; word + 1 < count; word += 2)
        if (strcmp(words[word], name) == 0) return words[word + 1];
    return otherwise;
}

static inline const char *needed(int count, char **words, const char *name) {
    const char *found = option(count, words, name, NULL);
    if (found == NULL) give_up(name, "is missing");
    return found;
}

static inline size_t number(int count, char **words, const char *name, size_t least) {
    const char *digits = needed(count, words, name);
    char *end;
    errno = 0;
    unsigned long value = strtoul(digits, &end, 10);
    if (errno != 0 || *digits < '0' || *digits > '9' || *end != 0 || value < least)
        give_up(name, "is not a number that will do");
    return value;
}

#endif
