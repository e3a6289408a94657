/* A library that is not where its user is looked for. */
int zoo_gone(void);
int zoo_gone(void) { return 0; }
