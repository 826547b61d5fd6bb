"""A drawn digit goes in through a sidecar, and what it shows comes out."""

from __future__ import annotations

import json

import pytest

from end_to_end.app import App
from end_to_end.failures import failure_of
from end_to_end.pictures import DIGIT, digit

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_digit_is_read(app: App) -> None:
    """From another app's sidecar, the answer is JSON: the model, and its labels best first."""
    reply = await app.invoke("classify", digit(), headers={"content-type": "image/png"})

    answer = json.loads(reply.body)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert (answer["model"], answer["labels"][0]["label"], len(answer["labels"])) == ("digits", DIGIT, 5)


async def test_who_accepts_text_gets_a_sentence(app: App) -> None:
    """The header `Accept` of an HTTP caller reaches the function, and its content type the caller."""
    reply = await app.invoke("classify", digit(), headers={"accept": "text/plain"})

    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert reply.body.decode() == f"The picture very likely shows {DIGIT}.\n"


async def test_what_is_no_picture_is_the_callers_mistake(app: App) -> None:
    """A body that is no picture comes back as 400 with a sentence."""
    failure = failure_of(await app.invoke("classify", b"seven"))

    assert (failure.status, failure.reason) == (400, "REJECTED")
    assert failure.message == (
        "function 'classify': rejected the input: the body is not a picture that this function can read; "
        "expected a JPEG, PNG, GIF, BMP or WebP picture"
    )
