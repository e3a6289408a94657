/* That abi.h is C99, and what C sees of its layout. */
#include <jobhost/abi.h>

JH_MANIFEST_NOTE(c99_manifest, "{\"manifest\": 1}");

const void *c99_note(void);
uint32_t c99_error_size(void);
size_t c99_module_size(void);

const void *c99_note(void) { return &c99_manifest; }

uint32_t c99_error_size(void) {
  jh_error error = JH_INIT(jh_error);
  return error.struct_size;
}

size_t c99_module_size(void) { return sizeof(jh_module); }
