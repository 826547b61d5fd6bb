"""The demo: a web page and the two functions behind it, three Dapr apps started by one command."""
