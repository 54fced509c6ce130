// Says who it is: arguments and environment to standard output, a line to standard error.
#include <stdio.h>

extern char **environ;

int main(int argc, char **argv) {
  for (int i = 0; i < argc; i++) printf("argument: %s\n", argv[i]);
  for (char **variable = environ; *variable; variable++) printf("variable: %s\n", *variable);
  fprintf(stderr, "said on standard error\n");
  return 0;
}
