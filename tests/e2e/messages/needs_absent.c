/* A whole plugin but for one thing: a library it links is not on this machine. */
#include <jobhost/abi.h>

int absent_function(void);

JH_MANIFEST_NOTE(absent_note,
                 "{\"manifest\": 1, \"id\": \"org.jobhost.needs-absent\", \"version\": \"2.1.0\", \"name\": \"Needs more\","
                 " \"abi\": {\"major\": 1, \"min_minor\": 0},"
                 " \"job_types\": [{\"name\": \"needs_absent\", \"title\": \"Never runs\", \"params\": {\"type\": \"object\"}}]}");

static jh_result run(jh_job *job) { return (void)job, absent_function() == 0 ? JH_OK : JH_E_FAILED; }
static const jh_job_type type = {sizeof(jh_job_type), 0, "needs_absent", run};
static const jh_job_type *job_type(uint32_t index) { return index == 0 ? &type : NULL; }
static const jh_module module = {sizeof(jh_module), 1, 0, 0, &absent_note, NULL, NULL, job_type, NULL};
const jh_module *jobhost_plugin_entry_v1(const jh_host *host) { return (void)host, &module; }
