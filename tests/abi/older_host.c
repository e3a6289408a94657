/* A host of ABI 1.0 and nothing newer: compiled against the header as it was released, it loads a plugin built with
 * today's, runs its one job type and checks what comes back. older_host <plugin.so>; exit 0: all as in 1.0. */
#include "abi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char result[1024], output[1024], saved[64], folder[] = "/tmp/jobhost-older-host-XXXXXX";
static size_t saved_bytes;
static int notes, progressed;

static jh_str str(const char *text) {
  jh_str value = {text, strlen(text)};
  return value;
}
static jh_str params(jh_job *job) { return (void)job, str("{\"n\":3,\"fail\":false}"); }
static jh_str info(jh_job *job) { return (void)job, str("{\"id\":1,\"type\":\"x\",\"attempt\":1,\"resumed\":false}"); }
static int32_t cancelled(jh_job *job) { return (void)job, JH_CANCEL_NO; }
static void logged(jh_job *job, int32_t level, jh_str text) {
  (void)job;
  printf("log %d %.*s\n", (int)level, (int)text.len, text.data);
}
static jh_result progress(jh_job *job, double done, double total, jh_str note) {
  (void)job, (void)note;
  progressed += done <= total;
  return JH_OK;
}
static jh_result note(jh_job *job, jh_str key, jh_str json) {
  (void)job, (void)json;
  notes += key.len > 0;
  return JH_OK;
}
static jh_result set_result(jh_job *job, jh_str json) {
  (void)job;
  snprintf(result, sizeof result, "%.*s", (int)json.len, json.data);
  return JH_OK;
}
static jh_result set_error(jh_job *job, const jh_error *error) {
  (void)job;
  printf("error %.*s\n", (int)error->message.len, error->message.data);
  return JH_OK;
}
static jh_str last_error(jh_job *job) { return (void)job, str("no text"); }

static jh_result out_create(jh_job *job, jh_str name, jh_str media_type, jh_output **out) {
  (void)job, (void)media_type;
  *out = (jh_output *)output;
  return name.len > 0 ? JH_OK : JH_E_INVALID;
}
static jh_result out_write(jh_output *out, const void *data, size_t len) {
  if (strlen((char *)out) + len >= sizeof output) return JH_E_LIMIT;
  strncat((char *)out, data, len);
  return JH_OK;
}
static jh_result out_end(jh_output *out) { return (void)out, JH_OK; }
static jh_str work_dir(jh_job *job) { return (void)job, str(folder); }
static jh_result publish(jh_job *job, jh_str name, jh_str json) { return (void)job, (void)name, (void)json, JH_OK; }
static jh_result reserve(jh_job *job, int64_t bytes) { return (void)job, (void)bytes, JH_OK; }
static jh_str in_list(jh_job *job) { return (void)job, str("[]"); }
static jh_result on_cancel(jh_job *job, jh_cancel_fn fn, void *context, uint64_t *token) {
  (void)job, (void)fn, (void)context;
  *token = 1;
  return JH_OK;
}
static jh_result forget(jh_job *job, uint64_t token) { return (void)job, token == 1 ? JH_OK : JH_E_NOT_FOUND; }
static int64_t wait_handle(jh_job *job) { return (void)job, -1; }
static jh_result save(jh_job *job, const void *data, size_t len) {
  (void)job;
  if (len > sizeof saved) return JH_E_LIMIT;
  memcpy(saved, data, saved_bytes = len);
  return JH_OK;
}
static jh_result load(jh_job *job, const void **data, size_t *len) {
  (void)job;
  *data = saved;
  *len = saved_bytes;
  return saved_bytes ? JH_OK : JH_E_NOT_FOUND;
}

static const jh_output_v1 outputs = {sizeof outputs, 0, work_dir, out_create, out_write, out_end, out_end, publish, reserve};
static const jh_input_v1 inputs = {sizeof inputs, 0, in_list, NULL, NULL, NULL, NULL, NULL};
static const jh_temp_v1 temp = {sizeof temp, 0, work_dir};
static const jh_cancel_v1 cancel = {sizeof cancel, 0, on_cancel, forget, wait_handle};
static const jh_checkpoint_v1 checkpoint = {sizeof checkpoint, 0, save, load};

static const void *get_extension(const char *id) {
  if (strcmp(id, JH_EXT_OUTPUT) == 0) return &outputs;
  if (strcmp(id, JH_EXT_INPUT) == 0) return &inputs;
  if (strcmp(id, JH_EXT_TEMP) == 0) return &temp;
  if (strcmp(id, JH_EXT_CANCEL) == 0) return &cancel;
  if (strcmp(id, JH_EXT_CHECKPOINT) == 0) return &checkpoint;
  return NULL;
}

static const jh_host host = {sizeof host, 1, 0,      0,          params,    info,       cancelled,
                             logged,      progress, note, set_result, set_error, last_error, get_extension};

static int wrong(const char *what) {
  fprintf(stderr, "older_host: %s\n", what);
  return 1;
}

int main(int argc, char **argv) {
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) return wrong(argc == 2 ? dlerror() : "give one plugin");
  jh_entry_fn entry;
  *(void **)&entry = dlsym(library, JH_ENTRY_SYMBOL);
  const jh_module *module = entry != NULL ? entry(&host) : NULL;
  if (module == NULL || module->abi_major != JH_ABI_MAJOR) return wrong("no module of this major");
  if (module->abi_min_minor > 0) return wrong("it needs a newer minor, though it uses what 1.0 has");
  if (module->struct_size < sizeof *module) return wrong("its module is shorter than that of 1.0");
  if (mkdtemp(folder) == NULL) return wrong("no temporary folder");
  if (module->init != NULL && module->init(&host, str(".")) != JH_OK) return wrong("init");
  const jh_job_type *type = module->job_type(0);
  if (type == NULL || module->job_type(1) != NULL || strncmp(type->name, "abi_", 4) != 0) return wrong("job types");
  const jh_result ended = type->run((jh_job *)1);
  char scratch[sizeof folder + 16];
  snprintf(scratch, sizeof scratch, "%s/scratch.txt", folder);
  unlink(scratch);
  rmdir(folder);
  if (ended != JH_OK) return wrong("run");
  if (strcmp(output, "0 0\n1 1\n2 4\n") != 0) return wrong(output);
  if (strstr(result, "\"sum\":5") == NULL || strstr(result, "\"saved_now\":true") == NULL) return wrong(result);
  if (notes != 1 || progressed < 1) return wrong("notes or progress");
  puts("as in 1.0");
  return 0;
}
