/* The job type "{{type}}" in C99; plugin.json says what it takes and answers. jobhost/abi.h is the reference. */
#include <jobhost/abi.h>
#include <jobhost_manifest.h> /* made from plugin.json */

#include <stdio.h>
#include <string.h>

JH_MANIFEST_NOTE(manifest, JOBHOST_MANIFEST_JSON);

static const jh_host *host;

static jh_str str(const char *text) {
  jh_str out;
  out.data = text;
  out.len = strlen(text);
  return out;
}

/* Why a call to the host failed is why the job fails; a cancel is not a failure. */
static jh_result failed(jh_job *job, jh_result result) {
  jh_error error = JH_INIT(jh_error);
  if (result == JH_E_CANCELLED) return result;
  error.error_class = JH_CLASS_RESOURCE;
  error.retry_after_ms = -1;
  error.code = str("host_call");
  error.message = host->last_error(job);
  host->set_error(job, &error);
  return JH_E_FAILED;
}

static jh_result JH_CALL run(jh_job *job) {
  const jh_output_v1 *output = (const jh_output_v1 *)host->get_extension(JH_EXT_OUTPUT);
  const jh_str params = host->params(job); /* JSON, valid against the schema */
  jh_output *file = NULL;
  jh_result result = JH_OK;
  char answer[64];

  if (host->cancelled(job) != JH_CANCEL_NO) return JH_E_CANCELLED;
  if (!JH_HAS(output, jh_output_v1, abort)) return failed(job, JH_E_UNSUPPORTED); /* an older or lesser host */
  result = output->create(job, str("params.json"), str("application/json"), &file);
  if (result != JH_OK) return failed(job, result);
  result = output->write(file, params.data, params.len);
  if (result != JH_OK) {
    const jh_result why = failed(job, result);
    output->abort(file);
    return why;
  }
  result = output->commit(file); /* visible when the job succeeds */
  if (result == JH_OK) result = host->progress(job, 1, 1, str("written"));
  if (result != JH_OK) return failed(job, result);
  snprintf(answer, sizeof answer, "{\"bytes\": %lu}", (unsigned long)params.len);
  result = host->set_result(job, str(answer));
  return result == JH_OK ? JH_OK : failed(job, result);
}

static const jh_job_type type = {sizeof(jh_job_type), JH_TYPE_IDEMPOTENT, "{{type}}", run};

static const jh_job_type *JH_CALL type_at(uint32_t index) { return index == 0 ? &type : NULL; }

static const jh_module module = {sizeof(jh_module), JH_ABI_MAJOR, JH_ABI_MINOR, 0, &manifest, NULL, NULL, type_at, NULL};

JH_EXPORT const jh_module *JH_CALL jobhost_plugin_entry_v1(const jh_host *the_host) {
  host = the_host;
  return &module;
}
