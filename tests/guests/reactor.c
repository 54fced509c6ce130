// A library of functions: numbers, and a text that its caller puts into its memory.
#include <stdio.h>
#include <stdlib.h>

static int prepared, calls;

__attribute__((constructor)) static void prepare(void) { prepared = 7; }

__attribute__((export_name("add"))) int add(int a, int b) { return a + b; }

__attribute__((export_name("initialized"))) int initialized(void) { return prepared; }

// How often it was called in this instance, this call included.
__attribute__((export_name("counter"))) int counter(void) { return ++calls; }

// The allocator of the component model: address and size of before, alignment, new size.
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *before, size_t size, size_t alignment,
                                                                size_t wanted) {
  (void)size, (void)alignment;
  return realloc(before, wanted);
}

__attribute__((export_name("greet"))) int greet(const char *name, int size) {
  int written = printf("Hello, %.*s!\n", size, name);
  fflush(stdout);
  return written;
}
