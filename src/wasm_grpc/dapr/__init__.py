"""The Dapr sidecar as the server uses it: a client, what is subscribed to, where results go."""
