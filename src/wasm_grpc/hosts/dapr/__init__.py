"""
Dapr as files: the directory ``/dapr`` of a guest that was granted calls to Dapr.

`names` and `target` read what a path says. `requests` turns it into a call to Dapr, and reads the response.
`files` makes the calls of one invocation, and `folders` are the directories. What stands for a name in a
component is in `state`, `values` (secrets and configuration), `topic` and `exchange` (bindings and methods).
"""
