// A small component whose function takes and gives text, by the canonical ABI written out by hand: the caller
// gets memory for the name from cabi_realloc, and reads address and length of the greeting at the address that
// greet returns. What a call took is given back after it, in cabi_post_greet, all at once.
#define PAGE 65536u

typedef struct {
  char *at;
  unsigned length;
} text;

extern char __heap_base;
static char *next = &__heap_base;

static void *taken(unsigned align, unsigned size) {
  char *at = (char *)(((unsigned)next + align - 1) & -align);
  unsigned end = (unsigned)at + size, pages = __builtin_wasm_memory_size(0);
  if (end < (unsigned)at) __builtin_trap();
  if (end > pages * PAGE && __builtin_wasm_memory_grow(0, (end - pages * PAGE + PAGE - 1) / PAGE) == -1)
    __builtin_trap();
  next = (char *)end;
  return at;
}

static char *copied(char *to, const char *from, unsigned size) {
  for (unsigned i = 0; i < size; i++) to[i] = from[i];
  return to + size;
}

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, unsigned old_size, unsigned align,
                                                                unsigned new_size) {
  char *given = taken(align, new_size);
  copied(given, old, old_size < new_size ? old_size : new_size);
  return given;
}

__attribute__((export_name("greet"))) text *greet(const char *name, unsigned length) {
  static text greeting;
  greeting.length = length + sizeof "Hello, !" - 1;
  greeting.at = taken(1, greeting.length);
  copied(copied(copied(greeting.at, "Hello, ", 7), name, length), "!", 1);
  return &greeting;
}

__attribute__((export_name("cabi_post_greet"))) void release(text *greeting) { next = &__heap_base; }
