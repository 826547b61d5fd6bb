"""Programs on the CGI libraries of others run as functions with ``response = "cgi"``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from integration.client import connect
from integration.conftest import StartServer
from rig import need

pytestmark = pytest.mark.asyncio

PROGRAM = """
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
)

func main() {
	answer := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %q %s %q", r.Method, r.URL, r.Host, r.Header.Get("X-Tag"), body)
	}
	if err := cgi.Serve(http.HandlerFunc(answer)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
"""
MANIFEST = """
name = "go-cgi"
module = "program.wasm"
response = "cgi"

[[trigger.invoke]]
method = "orders/*"
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program as a function."""
    go = need(shutil.which("go"), "go: not found; expected Go 1.21 or newer, for a program on net/http/cgi")
    folder = tmp_path_factory.mktemp("functions") / "go-cgi"
    folder.mkdir()
    (folder / "main.go").write_text(PROGRAM)
    (folder / "function.toml").write_text(MANIFEST)
    build = [go, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", "program.wasm", "main.go"]
    env = {**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local"}
    subprocess.run(build, cwd=folder, env=env, check=True, timeout=150)
    return folder.parent


@pytest.mark.timeout(240)  # the first build of Go's library
async def test_go(start_server: StartServer, functions: Path) -> None:
    """Go's net/http/cgi takes the request, and its answer has its status, headers and body."""
    metadata = (("dapr-host", "shop.example:8080"), ("x-tag", "t"))

    async with start_server(functions) as server, connect(server.address) as caller:
        call = caller.start("orders/7", b"body", verb="PUT", query="a=1", metadata=metadata)
        reply = await call
        headers = [(str(name), str(value)) for name, value in await call.initial_metadata()]

    assert reply.data.value == b'PUT http://shop.example:8080/orders/7?a=1 "shop.example:8080" t "body"'
    assert (reply.content_type, ("set-cookie", "seen=1") in headers) == ("text/plain", True)
