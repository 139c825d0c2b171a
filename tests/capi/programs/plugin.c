/* A host that loads the library and lets it go:  plugin LIBRARY  */
#define _GNU_SOURCE
#include <ringwire.h>

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUST(condition)                                                \
    do {                                                               \
        if (!(condition)) {                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                   \
        }                                                              \
    } while (0)

static int entries(const char *path) {
    DIR *folder = opendir(path);
    int count = 0;
    MUST(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* A function of the library: ISO C has no cast from void * to a function. */
static void find(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    MUST(found != NULL);
    memcpy(function, &found, sizeof found);
}

static void once(const char *path, const char *host) {
    int (*config_new)(uint32_t, rw_config **), (*engine_start)(const rw_config *, rw_engine **);
    int (*shutdown)(rw_engine *, uint64_t, rw_shutdown_report *), (*release)(void *);
    int (*set)(rw_config *, const char *, const char *);
    rw_config *config;
    rw_engine *engine;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    MUST(library != NULL);
    find(library, "rw_config_new", &config_new);
    find(library, "rw_config_set", &set);
    find(library, "rw_engine_start", &engine_start);
    find(library, "rw_engine_shutdown", &shutdown);
    find(library, "rw_free", &release);
    MUST(config_new(RW_ABI_VERSION, &config) == RW_OK);
    MUST(set(config, "engine.host", host) == RW_OK);
    MUST(engine_start(config, &engine) == RW_OK);
    MUST(shutdown(engine, 0, NULL) == RW_OK);
    MUST(release(engine) == RW_OK && release(config) == RW_OK);
    MUST(dlclose(library) == 0);
}

static void await_threads(int threads) {
    time_t until = time(NULL) + 10;
    while (entries("/proc/self/task") != threads && time(NULL) < until) {
    }
    MUST(entries("/proc/self/task") == threads);
}

static void await(int threads, int descriptors) {
    time_t until = time(NULL) + 10;
    while ((entries("/proc/self/task") != threads || entries("/proc/self/fd") != descriptors) && time(NULL) < until) {
    }
    MUST(entries("/proc/self/task") == threads && entries("/proc/self/fd") == descriptors);
}

static const char *library_path;

/* A thread that ends with what it has loaded. */
static void *on_a_thread(void *host) {
    once(library_path, host);
    return NULL;
}

int main(int argc, char **argv) {
    static char host[] = "auto";
    MUST(argc == 2);
    library_path = argv[1];
    int threads = 1 + 2;
    once(argv[1], "thread");
    await_threads(threads);
    int descriptors = entries("/proc/self/fd");
    /* Whatever hosts it: nothing may run in what was let go. */
    for (int round = 0; round < 40; round++) {
        pthread_t thread;
        MUST(pthread_create(&thread, NULL, on_a_thread, host) == 0 && pthread_join(thread, NULL) == 0);
    }
    /* A helper of glommio's ends a little later. */
    await(threads, descriptors);
    for (int round = 0; round < 20; round++) {
        once(argv[1], "thread");
        await(threads, descriptors);
    }
    return 0;
}
