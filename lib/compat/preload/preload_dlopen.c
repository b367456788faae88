/* PHP loads its modules with RTLD_DEEPBIND: their symbols are looked for in their own dependencies first, behind the back of
 * any preloaded library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef void *(*open_function)(const char *, int);

static open_function real_dlopen(void) {
    static open_function found;
    if (!found) *(void **)&found = dlsym(RTLD_NEXT, "dlopen");
    return found;
}

static int without_deepbind(int mode) {
    const char *off = getenv("RINGLET_DISABLE");
    return off && *off && strcmp(off, "0") != 0 ? mode : mode & ~RTLD_DEEPBIND;
}

/* Ends in a jump, so that the dynamic linker sees the caller and not this library: its RUNPATH counts. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("O2")))
#endif
__attribute__((visibility("default"))) void *
dlopen(const char *file, int mode) {
    return real_dlopen()(file, mode & RTLD_DEEPBIND ? without_deepbind(mode) : mode);
}
