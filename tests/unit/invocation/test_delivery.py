"""A message on its way: how its run ends, what Dapr does with it, and what the log says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.invocation.delivery import Delivered, Deliveries
from wasm_grpc.invocation.outcomes import Verdict
from wasm_grpc.manifest.tables import OutcomePolicy, Retry

pytestmark = pytest.mark.asyncio

LOG = logging.getLogger("wasm_grpc.test")
CRASHED = InvocationError(Reason.CRASHED, "the worker died")


class Job:
    """A message that is no topic's."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def identity(self) -> Hashable:
        """Return its name."""
        return self._name

    def __str__(self) -> str:
        return f"job '{self._name}'"


async def _end(error: BaseException | None) -> None:
    if error is not None:
        raise error


async def deliver(
    deliveries: Deliveries,
    error: BaseException | None = None,
    *,
    name: str = "a",
    rejected: Retry = Retry.DROP,
) -> Verdict:
    """Deliver a job whose run ends with an error, or well."""
    return await deliveries.settle(
        _end(error), message=Job(name), policy=OutcomePolicy(rejected=rejected), invocation_id="1"
    )


@pytest.mark.parametrize(
    ("error", "rejected", "verdict", "line"),
    [
        (None, Retry.DROP, Verdict.SUCCESS, ""),
        (
            InvocationError(Reason.REJECTED, "bad"),
            Retry.DROP,
            Verdict.DROP,
            "job 'a' (invocation 1) is dropped: REJECTED: bad",
        ),
        (
            InvocationError(Reason.REJECTED, "bad"),
            Retry.RETRY,
            Verdict.RETRY,
            "job 'a' (invocation 1) is to be retried: REJECTED: bad",
        ),
        (ZeroDivisionError(), Retry.DROP, Verdict.RETRY, "job 'a' (invocation 1): internal error"),
    ],
    ids=["success", "dropped", "retried", "internal error"],
)
async def test_a_run_ends(
    caplog: pytest.LogCaptureFixture,
    error: BaseException | None,
    rejected: Retry,
    verdict: Verdict,
    line: str,
) -> None:
    """The function's [outcome] decides on a failure, a bug of the server is retried, and both are logged."""
    found = await deliver(Deliveries(LOG), error, rejected=rejected)

    assert found is verdict
    assert "".join(caplog.messages) == line


async def test_daprd_waits_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    """A cancelled delivery stays cancelled, and is logged."""
    with pytest.raises(asyncio.CancelledError):
        await deliver(Deliveries(LOG), asyncio.CancelledError())

    assert caplog.messages == ["job 'a' (invocation 1): CANCELLED: daprd no longer waits"]


async def test_the_second_crash() -> None:
    """It drops its own message, and no other."""
    deliveries = Deliveries(LOG)

    verdicts = [await deliver(deliveries, CRASHED, name=name) for name in ("a", "b", "a")]

    assert verdicts == [Verdict.RETRY, Verdict.RETRY, Verdict.DROP]


async def test_a_crash_before_a_success() -> None:
    """It is forgotten: the next crash is a first one again."""
    deliveries = Deliveries(LOG)

    verdicts = [await deliver(deliveries, error) for error in (CRASHED, None, CRASHED)]

    assert verdicts == [Verdict.RETRY, Verdict.SUCCESS, Verdict.RETRY]


async def test_what_a_message_gives() -> None:
    """Beside the verdict there is what the run returned, or why it failed."""

    async def run(error: InvocationError | None) -> str:
        await _end(error)
        return "result"

    async def delivered(error: InvocationError | None) -> Delivered[str]:
        return await Deliveries(LOG).deliver(
            run(error), message=Job("a"), policy=OutcomePolicy(), invocation_id="1"
        )

    assert await delivered(None) == Delivered(Verdict.SUCCESS, "result", None)
    assert await delivered(CRASHED) == Delivered(Verdict.RETRY, None, CRASHED)
