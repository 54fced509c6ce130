// Copies standard input to standard output; with two arguments it makes a symbolic link first.
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc > 2 && symlink(argv[1], argv[2])) return perror(argv[2]), 1;
  char block[4096];
  for (size_t size; (size = fread(block, 1, sizeof block, stdin));) fwrite(block, 1, size, stdout);
  return ferror(stdin) || fflush(stdout) ? 1 : 0;
}
