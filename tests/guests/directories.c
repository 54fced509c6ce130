// Does one thing with files and says how that went: the name of the thing, then paths and numbers.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int print(int fd) {
  char block[4096];
  ssize_t size;
  while ((size = read(fd, block, sizeof block)) > 0) fwrite(block, 1, size, stdout);
  return size;
}

static int put(const char *path, int flags, const char *text) {
  int fd = open(path, O_WRONLY | flags, 0666);
  if (fd < 0) return -1;
  return write(fd, text, strlen(text)) < 0 ? -1 : close(fd);
}

static int show(const char *path, int flags) {
  struct stat found;
  if (fstatat(AT_FDCWD, path, &found, flags)) return -1;
  const char *kind = S_ISDIR(found.st_mode) ? "directory" : S_ISLNK(found.st_mode) ? "link" : S_ISREG(found.st_mode) ? "file" : "other";
  printf("%s of %lld bytes, %s names", kind, S_ISREG(found.st_mode) ? (long long)found.st_size : 0LL, found.st_nlink > 1 ? "several" : "one");
  return 0;
}

static int list(const char *path) {
  DIR *directory = opendir(path);
  if (!directory) return -1;
  int count = 0;
  errno = 0;
  for (struct dirent *entry; (entry = readdir(directory)); count++) {
    struct stat found;
    if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.')) count--;
    else if (fstatat(dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW)) return -1;
  }
  printf("%d entries", count);
  return errno ? -1 : closedir(directory);
}

static int at(const char *path, long where, const char *text) {
  int fd = open(path, O_RDWR);
  if (fd < 0 || pwrite(fd, text, strlen(text), where) < 0) return -1;
  if (lseek(fd, 0, SEEK_SET) < 0 || fsync(fd) || fdatasync(fd)) return -1;
  return print(fd);
}

static int append_and_read(const char *path, const char *text) {
  int fd = open(path, O_RDWR | O_APPEND | O_CREAT, 0666);
  if (fd < 0 || write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0) return -1;
  if (print(fd) || write(fd, text, strlen(text)) < 0 || lseek(fd, 1, SEEK_SET) < 0) return -1;
  return print(fd);
}

static int dates(const char *path) {
  struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 5}};
  struct stat found;
  if (utimensat(AT_FDCWD, path, times, 0) || stat(path, &found)) return -1;
  printf("%lld %lld.%ld", (long long)found.st_atim.tv_sec, (long long)found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
  return 0;
}

static int hold(const char *path) { // as many at once as it gets
  int count = 0;
  while (count < 5000 && open(path, O_RDONLY) >= 0) count++;
  printf("%s", count < 5000 ? "not for ever" : "5000");
  return -1;
}

static int same(const char *one, const char *other) {
  struct stat a, b;
  if (stat(one, &a) || stat(other, &b)) return -1;
  printf("%s", a.st_ino == b.st_ino ? "the same" : "another");
  return 0;
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "", *a = argc > 2 ? argv[2] : "", *b = argc > 3 ? argv[3] : "";
  int result = -2;
  if (!strcmp(verb, "read")) { int fd = open(a, O_RDONLY); result = fd < 0 ? -1 : print(fd); }
  if (!strcmp(verb, "write")) result = put(a, O_CREAT | O_TRUNC, b);
  if (!strcmp(verb, "append")) { result = put(a, O_APPEND, b) || put(a, O_APPEND, b) ? -1 : 0; }
  if (!strcmp(verb, "append-and-read")) result = append_and_read(a, b);
  if (!strcmp(verb, "exclusive")) result = put(a, O_CREAT | O_EXCL, b);
  if (!strcmp(verb, "truncate-reading")) { int fd = open(a, O_RDONLY | O_TRUNC); result = fd < 0 ? -1 : 0; }
  if (!strcmp(verb, "nofollow")) { int fd = open(a, O_RDONLY | O_NOFOLLOW); result = fd < 0 ? -1 : print(fd); }
  if (!strcmp(verb, "at")) result = at(a, 3, b);
  if (!strcmp(verb, "size")) { int fd = open(a, O_WRONLY); result = fd < 0 || ftruncate(fd, atol(b)) ? -1 : 0; }
  if (!strcmp(verb, "stat")) result = show(a, 0);
  if (!strcmp(verb, "lstat")) result = show(a, AT_SYMLINK_NOFOLLOW);
  if (!strcmp(verb, "list")) result = list(a);
  if (!strcmp(verb, "mkdir")) result = mkdir(a, 0777);
  if (!strcmp(verb, "rmdir")) result = rmdir(a);
  if (!strcmp(verb, "unlink")) result = unlink(a);
  if (!strcmp(verb, "rename")) result = rename(a, b);
  if (!strcmp(verb, "link")) result = link(a, b);
  if (!strcmp(verb, "symlink")) result = symlink(a, b);
  if (!strcmp(verb, "readlink")) { char to[256] = ""; result = readlink(a, to, sizeof to - 1) < 0 ? -1 : printf("%s", to) < 0; }
  if (!strcmp(verb, "dates")) result = dates(a);
  if (!strcmp(verb, "hold")) result = hold(a);
  if (!strcmp(verb, "same")) result = same(a, b);
  if (result == -2) printf("what?");
  else if (result) printf("%s", strcmp(verb, "hold") ? strerror(errno) : "");
  else printf(" ok");
  return 0;
}
