/* A whole plugin in C99, over jobhost/abi.h alone: answers its params beside a greeting. */
#include <jobhost/abi.h>

#include <stdlib.h>
#include <string.h>

#define MANIFEST                                                                                        \
  "{\"manifest\": 1, \"id\": \"com.example.hello-c\", \"version\": \"1.0.0\", \"name\": \"Hello in C\"," \
  " \"abi\": {\"major\": 1, \"min_minor\": 0},"                                                         \
  " \"job_types\": [{\"name\": \"hello-c\", \"title\": \"Greet from C\", \"idempotent\": true,"         \
  " \"params\": {\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}}},"            \
  " \"result\": {\"type\": \"object\", \"required\": [\"greeting\", \"params\"]},"                      \
  " \"examples\": [{\"name\": \"world\"}]}]}"

JH_MANIFEST_NOTE(manifest, MANIFEST);

static const jh_host *host;

static jh_str str(const char *text) {
  jh_str out;
  out.data = text;
  out.len = strlen(text);
  return out;
}

static jh_result fail(jh_job *job, int32_t error_class, const char *code, jh_str message) {
  jh_error error = JH_INIT(jh_error);
  error.error_class = error_class;
  error.retry_after_ms = -1;
  error.code = str(code);
  error.message = message;
  host->set_error(job, &error);
  return JH_E_FAILED;
}

static jh_result JH_CALL hello(jh_job *job) {
  static const char kHead[] = "{\"greeting\": \"hello from C\", \"params\": ";
  const jh_str params = host->params(job); /* lives until this function returns */
  char *text = NULL;
  jh_str answer;
  jh_result result = host->progress(job, 1, 1, str("greeting")); /* also tells of a cancel */

  if (result == JH_E_CANCELLED) return result;
  if (result != JH_OK) return fail(job, JH_CLASS_INTERNAL, "progress", host->last_error(job));
  text = (char *)malloc(sizeof kHead + params.len + 1);
  if (text == NULL) return fail(job, JH_CLASS_RESOURCE, "memory", str("out of memory"));
  memcpy(text, kHead, sizeof kHead - 1);
  memcpy(text + sizeof kHead - 1, params.data, params.len);
  text[sizeof kHead - 1 + params.len] = '}';
  answer.data = text;
  answer.len = sizeof kHead + params.len;
  result = host->set_result(job, answer); /* copied before the call returns */
  free(text);
  return result == JH_OK ? JH_OK : fail(job, JH_CLASS_INTERNAL, "result", host->last_error(job));
}

static const jh_job_type type = {sizeof(jh_job_type), JH_TYPE_IDEMPOTENT, "hello-c", hello};

static const jh_job_type *JH_CALL type_at(uint32_t index) { return index == 0 ? &type : NULL; }

static const jh_module module = {sizeof(jh_module), JH_ABI_MAJOR, JH_ABI_MINOR, 0, &manifest, NULL, NULL, type_at, NULL};

JH_EXPORT const jh_module *JH_CALL jobhost_plugin_entry_v1(const jh_host *the_host) {
  host = the_host;
  return &module;
}
