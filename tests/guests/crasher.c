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

static int recurse(int depth) {
  volatile char frame[256];
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
  if (!strcmp(mode, "logs"))
    for (long i = 0; i < number; i++) {
      fprintf(stderr, "line %ld\n", i);
      usleep(20000);
    }
  return 0;
}
