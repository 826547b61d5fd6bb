/* A waPC guest by hand, without an SDK.

   echo   responds with the payload
   fail   fails
   ask    calls the host with the payload, and responds with its answer
   trap   hands over an error, then traps
   log    writes the payload, a line, to the log in every way there is */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("wapc"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(__guest_request) void guest_request(char *operation, char *payload);
IMPORT(__guest_response) void guest_response(const char *response, size_t size);
IMPORT(__guest_error) void guest_error(const char *error, size_t size);
IMPORT(__host_call)
bool host_call(const char *binding, size_t binding_size, const char *namespace, size_t namespace_size,
               const char *operation, size_t operation_size, const char *payload, size_t payload_size);
IMPORT(__host_response_len) size_t host_response_len(void);
IMPORT(__host_response) void host_response(char *response);
IMPORT(__host_error_len) size_t host_error_len(void);
IMPORT(__host_error) void host_error(char *error);
IMPORT(__console_log) void console_log(const char *line, size_t size);

/* TinyGo's guests prepare themselves in _start; this one does so too. */
static bool is_prepared;

int main(void) {
    is_prepared = true;
    return 0;
}

static bool fail(const char *error) {
    guest_error(error, strlen(error));
    return false;
}

static bool ask(const char *payload, size_t size) {
    if (!host_call("dapr", 4, "json", 4, "GetState", 8, payload, size)) {
        size_t error_size = host_error_len();
        char *error = malloc(error_size);
        host_error(error);
        guest_error(error, error_size);
        return false;
    }
    size_t response_size = host_response_len();
    char *response = malloc(response_size);
    host_response(response);
    guest_response(response, response_size);
    return true;
}

EXPORT(__guest_call) bool guest_call(size_t operation_size, size_t payload_size) {
    char *operation = calloc(1, operation_size + 1);
    char *payload = malloc(payload_size + 1);
    guest_request(operation, payload);

    if (!is_prepared)
        return fail("called before _start");
    if (!strcmp(operation, "echo")) {
        guest_response(payload, payload_size);
        return true;
    }
    if (!strcmp(operation, "fail"))
        return fail("told to fail");
    if (!strcmp(operation, "ask"))
        return ask(payload, payload_size);
    if (!strcmp(operation, "trap")) {
        fail("told to trap");
        __builtin_trap();
    }
    if (!strcmp(operation, "log")) {
        console_log(payload, payload_size);
        fwrite(payload, 1, payload_size, stdout);
        fflush(stdout);
        fwrite(payload, 1, payload_size, stderr);
        return true;
    }
    return fail("no such operation");
}
