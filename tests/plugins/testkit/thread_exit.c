/* Built without unwind tables, as plugins in other languages may be: pthread_exit() then drops every frame at once. */
#include <pthread.h>

void testkit_exit_thread(void) { pthread_exit(NULL); }
