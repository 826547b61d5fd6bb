"""When a job runs, and what Dapr does after a failure: the keys of ``[[trigger.job]]`` that Dapr reads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PlainValidator, StrictBool, StrictStr, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass

from wasm_grpc.manifest.checks import TABLE, Matches, wrong
from wasm_grpc.manifest.quantities import Duration
from wasm_grpc.manifest.wording import shown

__all__ = ["JobFailure", "JobName", "PointInTime", "Schedule"]

_UNLIMITED = "unlimited"
_RETRIES = 3
_MOST_RETRIES = 1_000_000_000

# `time.ParseDuration` of Go: "1h30m", "1.5s".
_GO_DURATION = "(?:[0-9]+(?:\\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+"
_DATE_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
_ISO_DURATION = "P[0-9YMWDTHS.]+"
# `Parser.Parse` in the package cron of dapr/kit, with the options that Dapr's scheduler sets.
_ZONE = "(?:(?:CRON_)?TZ=[^ ]+ +)?"
_PERIODS = "@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)"
_FIELDS = "[^ @]+(?: +[^ ]+){5}"


def _retries(value: object) -> int | None:
    if value == _UNLIMITED:
        return None
    # bool is a subclass of int, but `true` is not a number.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_RETRIES:
        raise wrong(f"{shown(value)} is not a number of retries", f"0 to {_MOST_RETRIES}, or {_UNLIMITED!r}")
    return value


JobName = Annotated[
    StrictStr, Matches(r"[^/\\#?\x00-\x1f\x7f]+", "a name without '/', '\\', '#', '?' and control characters")
]
Schedule = Annotated[
    StrictStr,
    Matches(
        f"{_ZONE}(?:{_PERIODS}|@every {_GO_DURATION}|{_FIELDS})",
        "a period such as '@daily' or '@every 1h30m', or six fields from seconds to days of the week, "
        "such as '0 30 3 * * *'",
    ),
]
PointInTime = Annotated[
    StrictStr,
    Matches(
        f"{_DATE_TIME}|{_GO_DURATION}|{_ISO_DURATION}",
        "a time such as '2030-01-31T12:00:00Z', or a duration such as '10m' or 'PT10M'",
    ),
]
_Retries = Annotated[
    int | None,
    PlainValidator(_retries),
    WithJsonSchema(
        {"oneOf": [{"type": "integer", "minimum": 0, "maximum": _MOST_RETRIES}, {"const": _UNLIMITED}]}
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class JobFailure:
    """
    What Dapr does when a job fails and is to be retried. The defaults are Dapr's own.
    """

    retries: _Retries = Field(default=_RETRIES, description="How often it is tried again, or 'unlimited'.")
    interval: Duration = Field(default=1.0, description="Time between two tries.")
    drop: StrictBool = Field(default=False, description="Never try it again; excludes the other two.")

    @model_validator(mode="after")
    def _check_drop(self) -> JobFailure:
        if self.drop and (self.retries, self.interval) != (_RETRIES, 1.0):
            raise wrong("stands beside retries or interval", "either drop or the other two", key="drop")
        return self
