/* A plugin that keeps every rule, and, with one ZOO_… defined, the same with exactly one rule broken. The variants and the
   rules they break are in zoo_test.cpp. Plain C, so that each compiles in no time. */
#define _GNU_SOURCE
#include <jobhost/abi.h>

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef ZOO_EXTRA_KEYS
#define ZOO_EXTRA_KEYS ""
#endif
#ifndef ZOO_EXAMPLE
#define ZOO_EXAMPLE "{\"text\": \"ab\", \"times\": 3}"
#endif
#ifndef ZOO_TYPE_NAME
#define ZOO_TYPE_NAME "repeat"
#endif
#ifndef ZOO_VERSION
#define ZOO_VERSION "1.0.0"
#endif

#define MANIFEST                                                                                                        \
  "{\"manifest\": 1, \"id\": \"test.zoo\", \"version\": \"" ZOO_VERSION "\", \"abi\": {\"major\": 1, \"min_minor\": 0},"   \
  ZOO_EXTRA_KEYS                                                                                                        \
  "\"requires\": [\"jobhost.output/1\"], \"job_types\": [{\"name\": \"" ZOO_TYPE_NAME "\", \"idempotent\": true,"      \
  "\"reentrant\": true, \"cancel\": {\"grace_ms\": 300},"                                                                \
  "\"params\": {\"type\": \"object\", \"required\": [\"text\"], \"additionalProperties\": false, \"properties\": {"       \
  "\"text\": {\"type\": \"string\", \"maxLength\": 100000},"                                                             \
  "\"times\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 50, \"default\": 2}}},"                                \
  "\"result\": {\"type\": \"object\", \"required\": [\"bytes\"], \"properties\": {\"bytes\": {\"type\": \"integer\"}}},"   \
  "\"examples\": [" ZOO_EXAMPLE "]}]}"

#ifdef ZOO_NO_NOTE
static const struct {
  uint32_t namesz, descsz, type;
  char name[8];
  char desc[sizeof(MANIFEST)];
} zoo_manifest = {8u, sizeof(MANIFEST), JH_NOTE_TYPE, JH_NOTE_OWNER, MANIFEST};
#else
JH_MANIFEST_NOTE(zoo_manifest, MANIFEST);
#endif

static const jh_host *host;

static jh_str str(const char *text) { return (jh_str){text, strlen(text)}; }

/* ------------------------------------------------------------------------------------------------ broken static rules */
#ifdef ZOO_SECOND_EXPORT
JH_EXPORT int zoo_helper(void);
int zoo_helper(void) { return 1; }
#endif
#ifdef ZOO_HOST_IMPORT
extern int jh_internal_thing __attribute__((weak));
int *zoo_import(void);
__attribute__((visibility("hidden"), used)) int *zoo_import(void) { return &jh_internal_thing; }
#endif
#ifdef ZOO_STATIC_TLS
static __thread int zoo_tls __attribute__((tls_model("initial-exec")));
__attribute__((visibility("hidden"), used)) int *zoo_tls_place(void) { return &zoo_tls; }
#endif
#ifdef ZOO_TEXTREL
/* An address in read-only data, which the loader has to write. */
__asm__(".section .text\n.balign 8\nzoo_textrel:\n.quad zoo_manifest\n.previous\n");
#endif
#ifdef ZOO_WRITABLE_CODE
__asm__(".section .both,\"awx\",@progbits\nnop\n.previous\n");
#endif
#ifdef ZOO_UNIQUE
__asm__(".globl zoo_unique\n.type zoo_unique, @gnu_unique_object\n.size zoo_unique, 4\n.section .data\nzoo_unique:\n.long 1\n.previous\n");
#endif

/* ------------------------------------------------------------------------------------------------ load */
#if defined(ZOO_LATE_THREAD_IN_INIT) || defined(ZOO_LEAKS_THREAD)
static void *sleeper(void *context) {
  (void)context;
  for (;;) pause();
  return NULL;
}
#endif

static void sleep_ms(long ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

static jh_result JH_CALL init(const jh_host *the_host, jh_str plugin_dir) JH_NOEXCEPT {
  (void)the_host;
  (void)plugin_dir;
#ifdef ZOO_SLOW_INIT
  sleep_ms(1200);
#endif
#ifdef ZOO_INIT_FAILS
  host->log(NULL, JH_LOG_ERROR, str("no moon tonight"));
  return JH_E_FAILED;
#endif
#ifdef ZOO_FEARS_LATER_MINORS
  if (host->abi_minor > 100) return JH_E_FAILED;
#endif
#ifdef ZOO_FEARS_FLAGS
  if ((host->flags & ~15u) != 0) return JH_E_FAILED;
#endif
#ifdef ZOO_FEARS_LONG_TABLES
  if (host->struct_size != sizeof(jh_host)) return JH_E_FAILED;
#endif
#ifdef ZOO_PRINTS_IN_INIT
  printf("hello from init\n");
#endif
#ifdef ZOO_LATE_THREAD_IN_INIT
  pthread_t thread;
  pthread_create(&thread, NULL, &sleeper, NULL);
#endif
#ifdef ZOO_FILE_IN_INIT
  if (open("/dev/zero", O_RDONLY | O_CLOEXEC) < 0) return JH_E_FAILED;
#endif
  (void)&sleep_ms;
  return JH_OK;
}

static void JH_CALL deinit(void) JH_NOEXCEPT {
#ifdef ZOO_DEINIT_HANGS
  for (;;) pause();
#endif
}

/* ------------------------------------------------------------------------------------------------ the job */
#include "zoo_run.h"

static const jh_job_type repeat_type = {sizeof(jh_job_type), JH_TYPE_REENTRANT | JH_TYPE_IDEMPOTENT, ZOO_TYPE_NAME, &run};
#ifdef ZOO_UNDECLARED_TYPE
static const jh_job_type other_type = {sizeof(jh_job_type), 0, "undeclared", &run};
#endif

static const jh_job_type *JH_CALL job_type(uint32_t index) JH_NOEXCEPT {
#ifdef ZOO_UNDECLARED_TYPE
  if (index == 1) return &other_type;
#endif
#ifdef ZOO_TYPE_PAST_END
  if (index > 1000) return &repeat_type;
#endif
  return index == 0 ? &repeat_type : NULL;
}

static const void *JH_CALL get_extension(const char *id) JH_NOEXCEPT {
#ifdef ZOO_ANY_EXTENSION
  return id;
#endif
  (void)id;
  return NULL;
}

static const jh_module module = {sizeof(jh_module), 1, 0, 0, &zoo_manifest, &init, &deinit, &job_type,
                                 &get_extension};

const jh_module *JH_CALL jobhost_plugin_entry_v1(const jh_host *the_host) JH_NOEXCEPT {
  host = the_host;
#ifdef ZOO_ENTRY_CALLS
  host->log(NULL, JH_LOG_INFO, str("hello from the entry"));
#endif
#ifdef ZOO_ENTRY_COPIES
  static jh_module copies[64];
  static unsigned next;
  copies[next % 64] = module;
  return &copies[next++ % 64];
#endif
  return &module;
}
