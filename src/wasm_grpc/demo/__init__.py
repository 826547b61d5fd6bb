"""The demo: a web page and the functions behind it, four Dapr apps started by one command."""
