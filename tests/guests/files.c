// Reads and writes files: cat PATH, write PATH TEXT, copy FROM TO, ls PATH.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int failed(const char *path) {
  fprintf(stderr, "%s: %s\n", path, strerror(errno));
  return 1;
}

static int copy(FILE *from, FILE *to, const char *name_of_to) {
  char block[4096];
  for (size_t size; (size = fread(block, 1, sizeof block, from));)
    if (fwrite(block, 1, size, to) != size) return failed(name_of_to);
  return fflush(to) ? failed(name_of_to) : 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "which file?\n"), 2;
  const char *verb = argv[1], *path = argv[2];
  if (!strcmp(verb, "ls")) {
    DIR *directory = opendir(path);
    if (!directory) return failed(path);
    for (struct dirent *entry; (entry = readdir(directory));)
      if (entry->d_name[0] != '.') printf("%s\n", entry->d_name);
    return 0;
  }
  if (!strcmp(verb, "write")) {
    FILE *file = fopen(path, "w");
    if (!file) return failed(path);
    if (fputs(argc > 3 ? argv[3] : "", file) < 0) return failed(path);
    return fclose(file) ? failed(path) : 0;
  }
  FILE *from = fopen(path, "r");
  if (!from) return failed(path);
  if (!strcmp(verb, "cat")) return copy(from, stdout, "standard output");
  if (argc < 4) return fprintf(stderr, "copy to which file?\n"), 2;
  FILE *to = fopen(argv[3], "w");
  return to ? copy(from, to, argv[3]) : failed(argv[3]);
}
