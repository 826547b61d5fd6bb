(module
  (global $started (mut i32) (i32.const 0))
  (func $start (global.set $started (i32.const 1)))
  (func $started (result i32) (global.get $started))
  (export "started" (func $started))
  (start $start))
