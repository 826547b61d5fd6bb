"""The variables that a guest finds."""

from __future__ import annotations

import pytest

from wasm_grpc.server.environment import request_environment


@pytest.mark.parametrize(
    ("is_cgi", "withheld", "expected"),
    [(True, (), "CGI/1.1"), (False, (), None), (True, ("GATEWAY_INTERFACE",), None)],
    ids=["cgi", "raw", "set by the manifest"],
)
def test_only_a_cgi_guest_is_told_so(is_cgi: bool, withheld: tuple[str, ...], expected: str | None) -> None:  # noqa: FBT001 - a case
    """GATEWAY_INTERFACE is set where header lines are expected, so that one program can serve both ways."""
    found = dict(
        request_environment(
            verb="GET",
            query="",
            content_type="",
            content_length=0,
            path_info="",
            metadata=(),
            withheld=withheld,
            is_cgi=is_cgi,
        )
    )

    assert found.get("GATEWAY_INTERFACE") == expected
