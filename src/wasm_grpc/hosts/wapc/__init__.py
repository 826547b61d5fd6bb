"""
The host module ``wapc``: calls to the host for every guest, and the call of a waPC guest.

`host_calls.FUNCTIONS` is the table of what every guest may import. `guest_calls.FUNCTIONS` is the table of
what only waPC guests may import, by which they get their request and hand over their answer.
`state.WapcState` is the state that all of them share during one invocation.

Source: the specification at wapc.io, and the hosts wapc-rs and wapc-go.
"""
