"""
The host module ``wasmedge-bindgen``: how a wasmedge-bindgen guest hands over its results.

Guests of the macro 0.1.x call `return_result` or `return_error`, which they import (`calls`). Guests of 0.4.x
return the address of a record instead, which the guest interface reads. For both, `results` reads what is in
memory, and `bodies` makes a body of it.

Source: the published crates wasmedge-bindgen-macro 0.1.0, 0.1.7, 0.1.8, 0.1.11 to 0.1.14, 0.4.0 and 0.4.1.
"""
