/* The smallest shared library with a manifest, written without the SDK: what the catalog's reader is tested on.
   Tests patch the version and the ids in its bytes, so their lengths matter. Nobody loads it. */
#include <stdint.h>

#define MANIFEST                                                                             \
  "{\"manifest\": 1, \"id\": \"test.tiny-a\", \"version\": \"1.0.0\", \"name\": \"Tiny\","    \
  " \"abi\": {\"major\": 1, \"min_minor\": 0},"                                              \
  " \"job_types\": [{\"name\": \"tiny\", \"positional\": [\"n\"],"                           \
  " \"params\": {\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"integer\", \"default\": 5}}}}],"                                       \
  " \"permissions\": {\"kv\":false      }}"

#define USED __attribute__((section(".note.jobhost"), aligned(4), used))
static const struct {
  uint32_t owner_size, manifest_size, type;
  char owner[8];
  char manifest[sizeof(MANIFEST)];
} note USED = {8, sizeof(MANIFEST), 1, "JobHost", MANIFEST};

const void *jobhost_plugin_entry_v1(const void *host);
const void *jobhost_plugin_entry_v1(const void *host) { return host ? &note : 0; }
