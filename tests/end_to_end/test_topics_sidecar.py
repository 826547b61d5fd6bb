"""What lies between a topic and a function: tokens that don't match, and results that are sent on."""

from __future__ import annotations

import asyncio
import base64
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from end_to_end.pictures import encoded, grey_difference, opened, sample
from end_to_end.topics import (
    publish,
    run_topics,
    texts_of,
    topic_sidecar,
    topic_trigger,
    write_topic_function,
)
from integration.commands import run_command
from rig import broker, serve

__all__ = []

pytestmark = pytest.mark.asyncio

REPOSITORY = Path(__file__).resolve().parents[2]
JPEG_DIFFERENCE = 2  # of 255: two decoders round differently
OUT = 'then = { publish = { pubsub = "pubsub", topic = "out" } }'


async def test_a_call_that_is_refused_loses_no_message(
    cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """An error of ours, here for a token that doesn't match, is a retry to daprd, and the dead letter without a policy."""
    functions = tmp_path / "functions"
    write_topic_function(functions, "act", topic_trigger("in", 'dead_letter = "dead"', OUT))
    env = {**cache_environment, "APP_API_TOKEN": "another token"}
    async with (
        broker(tmp_path, has_policy=False) as running,
        run_topics(functions, tmp_path, running, env=env) as app,
    ):
        await app.publish("in", b"message")
        await app.settled("in")

        assert await texts_of(running, "dead") == ["message"]
        assert await running.length("out") == 0


async def test_daprd_before_1_16_2_sends_no_token_with_events(
    cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """With WASM_GRPC_EVENT_TOKEN off a message is taken without the token, as old sidecars deliver it."""
    functions = tmp_path / "functions"
    write_topic_function(functions, "act", topic_trigger("in", OUT))
    env = {**cache_environment, "APP_API_TOKEN": "another token", "WASM_GRPC_EVENT_TOKEN": "false"}
    async with (
        broker(tmp_path, has_policy=False) as running,
        run_topics(functions, tmp_path, running, env=env) as app,
    ):
        await app.publish("in", b"message")

        assert len(await running.messages("out", 1)) == 1


async def test_a_sidecar_with_another_token(cache_environment: dict[str, str], tmp_path: Path) -> None:
    """A server that can't send results, since its sidecar refuses its token, doesn't start, and says why."""
    functions = tmp_path / "functions"
    write_topic_function(functions, "act", topic_trigger("in", OUT))
    async with broker(tmp_path) as running, topic_sidecar(tmp_path, running) as sidecar:
        env = {**cache_environment, **sidecar.app_environment, "DAPR_API_TOKEN": "another"}

        ended = await asyncio.to_thread(run_command, "serve", functions, "--port", "0", env=env)

        assert (ended.code, ended.errors[-1]) == (
            2,
            f"wasm-grpc serve: the sidecar at {sidecar.grpc_address} refused the token; "
            "expected its own in DAPR_API_TOKEN",
        )


async def test_a_result_waits_for_a_sidecar_that_went(
    cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """A sidecar that is started anew is found again by the server, which it told its name before."""
    functions = tmp_path / "functions"
    write_topic_function(functions, "act", topic_trigger("in", OUT))
    async with broker(tmp_path) as running, AsyncExitStack() as stack:
        sidecar = topic_sidecar(tmp_path, running)
        env = {**sidecar.app_environment, **cache_environment, "APP_ID": ""}
        async with sidecar:
            await stack.enter_async_context(serve(functions, port=sidecar.app_port or 0, env=env))
        async with sidecar:
            await sidecar.app_ready()
            await publish(sidecar, "in", b"after")

            (event,) = await running.events("out", 1)

    assert event["source"] == "wasm-grpc/consumer/act"


async def test_a_picture_comes_out_grey(
    engine: str, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """A picture published to a topic comes out grey on another, and whoever takes that gets its bytes."""
    functions = tmp_path / "functions"
    shutil.copytree(
        REPOSITORY / "functions" / "grayscale",
        functions / "grayscale",
        ignore=shutil.ignore_patterns("target"),
    )
    manifest = functions / "grayscale" / "function.toml"
    trigger = topic_trigger("images", 'then = { publish = { pubsub = "pubsub", topic = "grey" } }')
    manifest.write_text(manifest.read_text() + trigger)
    write_topic_function(functions, "environment", topic_trigger("grey", OUT), guest="environment")
    picture = encoded(sample(), "JPEG")
    async with (
        broker(tmp_path) as running,
        run_topics(functions, tmp_path, running, "--engine", engine, env=cache_environment) as app,
    ):
        await app.publish("images", picture, "application/octet-stream")
        (event,) = await running.events("grey", 1)
        (taken,) = await running.events("out", 1)

    png = base64.b64decode(event["data_base64"])
    variables = base64.b64decode(taken["data_base64"]).split(b"\0")
    assert (event["datacontenttype"], event["source"]) == ("image/png", "wasm-grpc/consumer/grayscale")
    assert (opened(png).format, opened(png).size) == ("PNG", opened(picture).size)
    assert grey_difference(png, picture) <= JPEG_DIFFERENCE
    assert f"CONTENT_LENGTH={len(png)}".encode() in variables
    assert b"CONTENT_TYPE=image/png" in variables
