/* A whole plugin in C99: answers its params. */
#include <jobhost/abi.h>

JH_MANIFEST_NOTE(manifest, "{\"manifest\": 1, \"id\": \"test.echo\", \"version\": \"1.0.0\", \"abi\": {\"major\": 1},"
                           " \"job_types\": [{\"name\": \"echo\"}]}");

static const jh_host *host;

static jh_result JH_CALL echo(jh_job *job) {
  if (host->cancelled(job) != JH_CANCEL_NO) return JH_E_CANCELLED;
  return host->set_result(job, host->params(job));
}

static const jh_job_type type = {sizeof(jh_job_type), JH_TYPE_IDEMPOTENT, "echo", echo};

static const jh_job_type *JH_CALL type_at(uint32_t index) { return index == 0 ? &type : NULL; }

static const jh_module module = {sizeof(jh_module), JH_ABI_MAJOR, JH_ABI_MINOR, 0, &manifest, NULL, NULL, type_at, NULL};

JH_EXPORT const jh_module *JH_CALL jobhost_plugin_entry_v1(const jh_host *the_host) {
  host = the_host;
  return &module;
}
