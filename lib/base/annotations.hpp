// Clang's thread-safety annotations: -Wthread-safety checks them, other compilers see nothing.
#pragma once

#if defined(__clang__)
#define RINGLET_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define RINGLET_THREAD_ANNOTATION(x)
#endif

#define RINGLET_CAPABILITY(name) RINGLET_THREAD_ANNOTATION(capability(name))
#define RINGLET_SCOPED_CAPABILITY RINGLET_THREAD_ANNOTATION(scoped_lockable)
#define RINGLET_GUARDED_BY(mutex) RINGLET_THREAD_ANNOTATION(guarded_by(mutex))
#define RINGLET_REQUIRES(mutex) RINGLET_THREAD_ANNOTATION(requires_capability(mutex))
#define RINGLET_EXCLUDES(mutex) RINGLET_THREAD_ANNOTATION(locks_excluded(mutex))
#define RINGLET_ACQUIRE(...) RINGLET_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RINGLET_RELEASE(...) RINGLET_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
// For locks that are taken in one function and given back in another.
#define RINGLET_UNANALYSED RINGLET_THREAD_ANNOTATION(no_thread_safety_analysis)
