;; Counts primes by trial division, and adds up counts; primes-workflow.yaml calls both.
(module
  (func $is_prime (param $number i32) (result i32)
    (local $divisor i32)
    (if (i32.lt_u (local.get $number) (i32.const 2)) (then (return (i32.const 0))))
    (local.set $divisor (i32.const 2))
    (loop $next
      (if (i32.gt_u (i32.mul (local.get $divisor) (local.get $divisor)) (local.get $number))
        (then (return (i32.const 1))))
      (if (i32.eqz (i32.rem_u (local.get $number) (local.get $divisor)))
        (then (return (i32.const 0))))
      (local.set $divisor (i32.add (local.get $divisor) (i32.const 1)))
      (br $next))
    unreachable)

  ;; How many primes there are from the first number up to, and without, the last.
  (func (export "count") (param $number i32) (param $last i32) (result i32)
    (local $count i32)
    (loop $next
      (if (i32.lt_u (local.get $number) (local.get $last))
        (then
          (local.set $count (i32.add (local.get $count) (call $is_prime (local.get $number))))
          (local.set $number (i32.add (local.get $number) (i32.const 1)))
          (br $next))))
    local.get $count)

  (func (export "sum") (param i32 i32 i32 i32) (result i32)
    (i32.add (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 2) (local.get 3)))))
