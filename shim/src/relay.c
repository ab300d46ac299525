#include "shim.h"
int relays_open(const struct spec *spec, int first_fd, struct failure *failure) { (void)spec, (void)first_fd, (void)failure; return 0; }
void relays_start(void) {}
void relays_close(void) {}
