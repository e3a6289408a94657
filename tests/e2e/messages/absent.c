int absent_function(void);
int absent_function(void) { return 0; }
