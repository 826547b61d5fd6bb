;; A command that makes one call to Dapr. Its input is a line "<namespace> <operation>", then the request. Its
;; output is the response. If the call fails, it writes the error to standard error and exits with code 1.
;;
;; Memory: 0 an iovec, 8 a size, 16 the binding, 64 KiB the input, 16 MiB the answer.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $response_len (result i32)))
  (import "wapc" "__host_response" (func $response (param i32)))
  (import "wapc" "__host_error_len" (func $error_len (result i32)))
  (import "wapc" "__host_error" (func $error (param i32)))
  (memory (export "memory") 512)
  (data (i32.const 16) "dapr")

  (func $read_all (result i32)
    (local $len i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $len)))
      (i32.store (i32.const 4) (i32.const 1048576))
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $len (i32.add (local.get $len) (i32.load (i32.const 8))))
      (br_if $more (i32.load (i32.const 8))))
    (local.get $len))

  (func $find (param $at i32) (param $byte i32) (result i32)
    (loop $next
      (if (i32.ne (i32.load8_u (local.get $at)) (local.get $byte))
        (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $next))))
    (local.get $at))

  (func $write (param $fd i32) (param $size i32)
    (i32.store (i32.const 0) (i32.const 16777216))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func (export "_start")
    (local $end i32) (local $space i32) (local $newline i32)
    (local.set $end (i32.add (i32.const 65536) (call $read_all)))
    (local.set $space (call $find (i32.const 65536) (i32.const 32)))
    (local.set $newline (call $find (local.get $space) (i32.const 10)))
    (if (call $host_call (i32.const 16) (i32.const 4)
          (i32.const 65536) (i32.sub (local.get $space) (i32.const 65536))
          (i32.add (local.get $space) (i32.const 1))
          (i32.sub (local.get $newline) (i32.add (local.get $space) (i32.const 1)))
          (i32.add (local.get $newline) (i32.const 1))
          (i32.sub (local.get $end) (i32.add (local.get $newline) (i32.const 1))))
      (then
        (call $response (i32.const 16777216))
        (call $write (i32.const 1) (call $response_len)))
      (else
        (call $error (i32.const 16777216))
        (call $write (i32.const 2) (call $error_len))
        (call $proc_exit (i32.const 1))))))
