;; A waPC guest that does what the first letter of its operation says.
(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__console_log" (func $log (param i32 i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 4)
  ;; 0: the operation. 16: a vector. 32: a count. 64: texts. 128: how often each initialiser ran. 144: how many
  ;; invocations there were. 256: what the last one left. 4096: strings of the environment. 65536: the payload.
  ;; 131072: a host's answer.
  (data (i32.const 64) "dapr")
  (data (i32.const 68) "GetState")
  (data (i32.const 76) "file")
  (data (i32.const 80) "early")
  (func (export "_start")
    (call $response (i32.const 80) (i32.const 5))
    (i32.store8 (i32.const 128) (i32.add (i32.const 48) (call $count (i32.const 136)))))
  (func (export "wapc_init")
    ;; Not before _start has run.
    (if (i32.eqz (i32.load8_u (i32.const 128))) (then (unreachable)))
    (i32.store8 (i32.const 129) (i32.add (i32.const 48) (call $count (i32.const 140)))))
  (func $count (param $at i32) (result i32)
    (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
    (i32.load (local.get $at)))
  (func $is (param $letter i32) (result i32) (i32.eq (i32.load8_u (i32.const 0)) (local.get $letter)))
  (func $answer (param $at i32) (param $size i32) (result i32)
    (call $response (local.get $at) (local.get $size))
    (i32.const 1))
  (func (export "__guest_call") (param $operation i32) (param $size i32) (result i32)
    (call $request (i32.const 0) (i32.const 65536))
    ;; "e": echo.
    (if (call $is (i32.const 0x65)) (then (return (call $answer (i32.const 65536) (local.get $size)))))
    ;; "f": fail; "n": with no reason; "2": by a result that is neither.
    (if (call $is (i32.const 0x66)) (then
      (call $error (i32.const 65536) (local.get $size))
      (return (i32.const 0))))
    (if (call $is (i32.const 0x6e)) (then (return (i32.const 0))))
    (if (call $is (i32.const 0x32)) (then
      (call $response (i32.const 65536) (local.get $size))
      (return (i32.const 2))))
    ;; "s": succeed with nothing; "q": with an error and no response; "b": with both.
    (if (call $is (i32.const 0x73)) (then (return (i32.const 1))))
    (if (call $is (i32.const 0x71)) (then
      (call $error (i32.const 65536) (local.get $size))
      (return (i32.const 1))))
    (if (call $is (i32.const 0x62)) (then
      (call $error (i32.const 80) (i32.const 5))
      (return (call $answer (i32.const 65536) (local.get $size)))))
    ;; "d": respond twice.
    (if (call $is (i32.const 0x64)) (then
      (call $response (i32.const 80) (i32.const 5))
      (return (call $answer (i32.const 65536) (local.get $size)))))
    ;; "t": trap after an error; "u": without one; "x": exit with the payload's first byte; "y": after an error.
    (if (call $is (i32.const 0x74)) (then
      (call $error (i32.const 65536) (local.get $size))
      (unreachable)))
    (if (call $is (i32.const 0x75)) (then (unreachable)))
    (if (call $is (i32.const 0x78)) (then (call $exit (i32.load8_u (i32.const 65536)))))
    (if (call $is (i32.const 0x79)) (then
      (call $error (i32.const 80) (i32.const 5))
      (call $exit (i32.load8_u (i32.const 65536)))))
    ;; "a": take memory until it is refused, then trap; "g": take one page.
    (if (call $is (i32.const 0x61)) (then
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (unreachable)))
    (if (call $is (i32.const 0x67)) (then
      (drop (memory.grow (i32.const 1)))
      (return (i32.const 1))))
    ;; "i": how often each initialiser ran.
    (if (call $is (i32.const 0x69)) (then (return (call $answer (i32.const 128) (i32.const 2)))))
    ;; "r": what the last invocation left, and leave the payload.
    (if (call $is (i32.const 0x72)) (then
      (call $response (i32.const 256) (i32.const 16))
      (memory.copy (i32.const 256) (i32.const 65536) (i32.const 16))
      (return (i32.const 1))))
    ;; "c": create a file and leave it open: its descriptor's number.
    (if (call $is (i32.const 0x63)) (then
      (drop (call $open (i32.const 3) (i32.const 0) (i32.const 76) (i32.const 4) (i32.const 5)
        (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 32)))
      (return (call $answer (i32.const 32) (i32.const 4)))))
    ;; "v": the environment.
    (if (call $is (i32.const 0x76)) (then
      (drop (call $environ_sizes (i32.const 16) (i32.const 32)))
      (drop (call $environ (i32.const 1024) (i32.const 4096)))
      (return (call $answer (i32.const 4096) (i32.load (i32.const 32))))))
    ;; "p": print the payload on standard output and log it, then respond with what standard input has.
    (if (call $is (i32.const 0x70)) (then
      (i32.store (i32.const 16) (i32.const 65536))
      (i32.store (i32.const 20) (local.get $size))
      (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))
      (call $log (i32.const 65536) (local.get $size))
      (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 32)))
      (return (call $answer (i32.const 65536) (i32.load (i32.const 32))))))
    ;; "h": call GetState of Dapr with the payload; respond with the host's response, or fail with its error.
    (if (call $is (i32.const 0x68)) (then
      (if (call $host_call (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 68)
          (i32.const 8) (i32.const 65536) (local.get $size))
        (then
          (call $host_response (i32.const 131072))
          (return (call $answer (i32.const 131072) (call $host_response_len)))))
      (call $host_error (i32.const 131072))
      (call $error (i32.const 131072) (call $host_error_len))
      (return (i32.const 0))))
    ;; "k": what the host answered to a call that was never made.
    (if (call $is (i32.const 0x6b)) (then
      (call $host_response (i32.const 131072))
      (return (call $answer (i32.const 131072)
        (i32.add (call $host_response_len) (call $host_error_len))))))
    ;; "w": which operation it is.
    (if (call $is (i32.const 0x77)) (then (return (call $answer (i32.const 0) (local.get $operation)))))
    ;; "m": how many invocations this instance has served.
    (if (call $is (i32.const 0x6d)) (then
      (i32.store8 (i32.const 144) (i32.add (i32.const 48) (call $count (i32.const 148))))
      (return (call $answer (i32.const 144) (i32.const 1)))))
    ;; "j": compute for ever.
    (if (call $is (i32.const 0x6a)) (then (loop $ever (br $ever))))
    ;; "z": a response that is longer than memory.
    (if (call $is (i32.const 0x7a)) (then (return (call $answer (i32.const 0) (i32.const -1)))))
    ;; "l": ask for ever.
    (if (call $is (i32.const 0x6c)) (then
      (loop $ever
        (drop (call $host_call (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 68)
          (i32.const 8) (i32.const 65536) (i32.const 0)))
        (br $ever))))
    (i32.const 0)))
