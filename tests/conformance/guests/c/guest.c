/* What a C program does of files and streams, told by its arguments: see test_guests.py. */

#include <errno.h>
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

static FILE *open_file(const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    check(file != NULL, path);
    return file;
}

static void print_file(const char *path) {
    FILE *file = open_file(path, "rb");
    copy(file, stdout);
    check(fclose(file) == 0, path);
}

static void write_file(const char *path) {
    FILE *file = open_file(path, "wb");
    copy(stdin, file);
    check(fclose(file) == 0, path);
}

/* What is written to the file reaches the host, but the file stays open. */
static void leave(const char *path) {
    FILE *file = open_file(path, "wb");
    copy(stdin, file);
    check(fflush(file) == 0, path);
}

static void keep(const char *path) {
    write_file(path);
    print_file(path);
    check(remove(path) == 0, path);
}

static void tell_whether_it_exists(const char *path) {
    FILE *file = fopen(path, "rb");
    check(file != NULL || errno == ENOENT, path);
    puts(file != NULL ? "yes" : "no");
}

static void exchange(const char *path) {
    FILE *file = open_file(path, "r+b");
    copy(stdin, file);
    /* C wants one of fseek and fflush between a write and a read. */
    check(fseek(file, 0, SEEK_SET) == 0, path);
    copy(file, stdout);
    check(fclose(file) == 0, path);
}

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(command, "echo") == 0) {
        copy(stdin, stdout);
    } else if (argc == 3 && strcmp(command, "read") == 0) {
        print_file(argv[2]);
    } else if (argc == 3 && strcmp(command, "scratch") == 0) {
        keep(argv[2]);
    } else if (argc == 3 && strcmp(command, "exists") == 0) {
        tell_whether_it_exists(argv[2]);
    } else if (argc == 3 && strcmp(command, "write") == 0) {
        write_file(argv[2]);
    } else if (argc == 3 && strcmp(command, "leave") == 0) {
        leave(argv[2]);
    } else if (argc == 3 && strcmp(command, "remove") == 0) {
        check(remove(argv[2]) == 0, argv[2]);
    } else if (argc == 3 && strcmp(command, "exchange") == 0) {
        exchange(argv[2]);
    } else if (argc == 3 && strcmp(command, "fail") == 0) {
        fputs("told to fail\n", stderr);
        return atoi(argv[2]);
    } else {
        fputs("usage: guest echo | fail CODE |\n"
              "    read | scratch | exists | write | leave | remove | exchange PATH\n",
              stderr);
        return EXIT_USAGE;
    }
    check(fflush(stdout) == 0, "standard output");
    return 0;
}
