"""The demo: the web page and the two functions behind it, three Dapr apps in one command."""
