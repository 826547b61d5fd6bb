/* Standard input to standard output, byte for byte, as it comes.
 *
 * For tests and benchmarks, where the function itself must cost nothing: straight to WASI's
 * own calls, without the C library's start-up code and its buffers. */

#include <stdint.h>
#include <wasi/api.h>

enum { STDIN = 0, STDOUT = 1 };

/* EX_IOERR of sysexits.h. */
enum { EXIT_IO_ERROR = 74 };

/* Most bytes that are held at a time; the usual size of a pipe. */
static uint8_t chunk[64 * 1024];

static void check(__wasi_errno_t error) {
  if (error != __WASI_ERRNO_SUCCESS)
    __wasi_proc_exit(EXIT_IO_ERROR);
}

static void write_all(const uint8_t *bytes, __wasi_size_t count) {
  while (count > 0) {
    const __wasi_ciovec_t rest = {bytes, count};
    __wasi_size_t written;
    check(__wasi_fd_write(STDOUT, &rest, 1, &written));
    /* A write of nothing would be tried again for ever. */
    if (written == 0)
      __wasi_proc_exit(EXIT_IO_ERROR);
    bytes += written;
    count -= written;
  }
}

/* The start of a WASI command; returning from it is exit code 0. */
void _start(void) {
  const __wasi_iovec_t space = {chunk, sizeof chunk};
  for (;;) {
    __wasi_size_t count;
    check(__wasi_fd_read(STDIN, &space, 1, &count));
    if (count == 0)
      return;
    write_all(chunk, count);
  }
}
