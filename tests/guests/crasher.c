// Climbs a wall: the first argument says which.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;
static void *volatile kept;
static volatile int zero;

extern char **environ;

static int recurse(int depth) {
  volatile char frame[256];
  if (depth < 0) return 0;
  frame[depth % 256] = (char)depth;
  return recurse(depth + 1) + frame[0];
}

static void fill(int fd, long size) {
  static char block[65536];
  memset(block, 'x', sizeof block);
  for (long left = size; size < 0 || left > 0; left -= (long)sizeof block) {
    size_t part = size < 0 || left > (long)sizeof block ? sizeof block : (size_t)left;
    if (write(fd, block, part) < 0) return;
  }
}

static int append_for_ever(const char *path) {
  static char block[65536];
  FILE *file = fopen(path, "wb");
  if (!file) return printf("open: %s\n", strerror(errno)), 1;
  while (fwrite(block, 1, sizeof block, file) == sizeof block && !fflush(file)) continue;
  printf("write: %s\n", strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  long number = argc > 2 ? atol(argv[2]) : 0;
  if (!strcmp(mode, "loop")) for (;;) sink++;
  if (!strcmp(mode, "sleep")) sleep((unsigned)number);
  if (!strcmp(mode, "memory"))
    while ((kept = malloc(1 << 20))) memset(kept, 1, 1 << 20);
  if (!strcmp(mode, "memory")) abort();
  if (!strcmp(mode, "recurse")) return recurse(0);
  if (!strcmp(mode, "stdout")) fill(1, -1);
  if (!strcmp(mode, "stderr")) fill(2, -1);
  if (!strcmp(mode, "flood")) fill(1, number);
  if (!strcmp(mode, "flood-err")) fill(2, number);
  if (!strcmp(mode, "exit")) exit((int)number);
  if (!strcmp(mode, "abort")) abort();
  if (!strcmp(mode, "null")) return *(volatile int *)(uintptr_t)0xfffffff0u;
  if (!strcmp(mode, "div0")) return 1 / zero;
  if (!strcmp(mode, "env"))
    for (char **variable = environ; *variable; variable++) printf("%s\n", *variable);
  if (!strcmp(mode, "open")) {
    FILE *file = fopen(argv[2], "r");
    printf("%s\n", file ? "opened" : strerror(errno));
  }
  if (!strcmp(mode, "append")) return append_for_ever(argv[2]);
  if (!strcmp(mode, "random")) {
    unsigned char bytes[256];
    getentropy(bytes, number < 256 ? (size_t)number : 256);
    for (long i = 0; i < number && i < 256; i++) printf("%02x", bytes[i]);
  }
  if (!strcmp(mode, "clock")) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%lld\n", (long long)now.tv_sec);
  }
  // Computes for about so many ms, by count and not by the clock.
  if (!strcmp(mode, "spin"))
    for (long steps = number * 1000000; steps > 0; steps--) sink = sink * 1103515245 + 12345;
  if (!strcmp(mode, "logs"))
    for (long i = 0; i < number; i++) {
      fprintf(stderr, "line %ld\n", i);
      usleep(20000);
    }
  return 0;
}
