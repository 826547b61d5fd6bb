;; Fills 96 MiB and then computes for ever: its worker can be told from the others by its size.
(module
  (memory (export "memory") 1536)

  (func (export "_start") (local $at i32)
    (loop $pages
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $pages (i32.lt_u (local.get $at) (i32.const 100663296))))
    (loop (br 0))))
