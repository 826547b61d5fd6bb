/* What a C program does of files and streams, told by its arguments: see test_guests.py. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* EX_USAGE and EX_IOERR of sysexits.h. */
enum { EXIT_USAGE = 64, EXIT_IO_ERROR = 74 };

static void check(int is_ok, const char *what) {
    if (!is_ok) {
        perror(what);
        exit(EXIT_IO_ERROR);
    }
}

static void copy(FILE *from, FILE *to) {
    char chunk[4096];
    size_t size;
    while ((size = fread(chunk, 1, sizeof chunk, from)) > 0)
        check(fwrite(chunk, 1, size, to) == size, "write");
    check(!ferror(from), "read");
}

static void print_file(const char *path) {
    FILE *file = fopen(path, "rb");
    check(file != NULL, path);
    copy(file, stdout);
    check(fclose(file) == 0, path);
}

static void keep(const char *path) {
    FILE *file = fopen(path, "wb");
    check(file != NULL, path);
    copy(stdin, file);
    check(fclose(file) == 0, path);
    print_file(path);
    check(remove(path) == 0, path);
}

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(command, "echo") == 0) {
        copy(stdin, stdout);
    } else if (argc == 3 && strcmp(command, "read") == 0) {
        print_file(argv[2]);
    } else if (argc == 3 && strcmp(command, "scratch") == 0) {
        keep(argv[2]);
    } else if (argc == 3 && strcmp(command, "fail") == 0) {
        fputs("told to fail\n", stderr);
        return atoi(argv[2]);
    } else {
        fputs("usage: guest echo | read PATH | scratch PATH | fail CODE\n", stderr);
        return EXIT_USAGE;
    }
    check(fflush(stdout) == 0, "standard output");
    return 0;
}
