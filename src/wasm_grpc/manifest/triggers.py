"""The ``[trigger]`` tables: what calls a function."""

from __future__ import annotations

import abc
import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from wasm_grpc.manifest.checks import TABLE, wrong
from wasm_grpc.manifest.jobs import JobFailure, JobName, PointInTime, Schedule
from wasm_grpc.manifest.keys import Argument, Method, Text, Verb
from wasm_grpc.manifest.outputs import Destinations, Then
from wasm_grpc.manifest.quantities import Duration, PositiveCount
from wasm_grpc.manifest.wording import listed

__all__ = [
    "BindingTrigger",
    "Bulk",
    "Fanout",
    "InvokeTrigger",
    "JobTrigger",
    "NamedTrigger",
    "TopicTrigger",
    "Trigger",
    "Triggers",
]


def _not_empty(verbs: tuple[Verb, ...]) -> tuple[Verb, ...]:
    # Not min_length: it also reports an empty list when the only verb is wrong.
    if not verbs:
        raise wrong("is empty", "at least one verb")
    return verbs


_Call = Annotated[
    Text | None,
    Field(
        description="Operation (waPC) or export (wasmedge-bindgen) to call; by default the method's name, "
        "of a pattern what stands before '/*', else the function's name."
    ),
]
_Then = Annotated[Destinations, Field(description="Destination of the result, or several; none by default.")]


class Trigger(abc.ABC):
    """
    What every trigger has, whatever its kind.

    Attributes:
        call: The export or operation to call; None for the default.
        then: Where the result goes, in order; empty for nowhere.
    """

    __slots__ = ()

    # Declared by each table, since the schema has the keys in the order of their declaration.
    call: str | None
    then: tuple[Then, ...]

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """
        What calls the function, for people: ``pubsub/images``.
        """

    @property
    @abc.abstractmethod
    def key(self) -> tuple[str, str] | None:
        """
        The manifest key that no two triggers of the kind may share, and its value; None if there is none.
        """


class NamedTrigger(Trigger):
    """
    A trigger whose calls carry its name, and no more, to find the function by.
    """

    __slots__ = ()

    name: str

    @property
    def label(self) -> str:
        """
        See `Trigger.label`.
        """
        return self.name

    @property
    def key(self) -> tuple[str, str]:
        """
        See `Trigger.key`.
        """
        return "name", self.name


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class InvokeTrigger(Trigger):
    """
    A Dapr service invocation.
    """

    method: Method = Field(
        description="The method, or a prefix whose rest is the guest's PATH_INFO.", examples=["grayscale"]
    )
    verbs: Annotated[tuple[Verb, ...], AfterValidator(_not_empty)] | None = Field(
        default=None, description="Verbs that it accepts; all by default."
    )
    call: _Call = None
    then: _Then = ()

    @property
    def label(self) -> str:
        """
        See `Trigger.label`.
        """
        verbs = "/".join(verb.value for verb in self.verbs or ())
        return f"{verbs} {self.method}".lstrip()

    @property
    def key(self) -> tuple[str, str]:
        """
        See `Trigger.key`.
        """
        return "method", str(self.method)


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class Bulk:
    """
    Delivery of many messages in one call.
    """

    max_messages: PositiveCount = Field(
        default=100, description="Largest number of messages in one delivery."
    )
    max_await: Duration = Field(default=1.0, description="Longest wait for a delivery to fill.")


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class TopicTrigger(Trigger):
    """
    A pub/sub message.
    """

    pubsub: Text = Field(description="The pub/sub component.", examples=["pubsub"])
    topic: Text = Field(description="The topic.", examples=["images"])
    match: Text | None = Field(
        default=None, description="CEL expression on the event; without it this is the topic's default."
    )
    dead_letter: Text | None = Field(default=None, description="Topic for messages that are dropped.")
    bulk: Bulk | None = Field(default=None, description="Deliver many messages in one call.")
    metadata: Mapping[Text, Argument] = Field(
        default_factory=dict, description="Metadata of Dapr's subscription."
    )
    call: _Call = None
    then: _Then = ()

    @property
    def label(self) -> str:
        """
        See `Trigger.label`.
        """
        return f"{self.pubsub}/{self.topic}"

    @property
    def key(self) -> None:
        """
        See `Trigger.key`.
        """
        # Several functions may receive from one topic, each by its own `match`.
        return None


class Fanout(str, enum.Enum):
    """
    How Dapr sends a result to several output bindings (``BindingEventResponse`` in its appcallback.proto).
    """

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class BindingTrigger(NamedTrigger):
    """
    An input binding's event.
    """

    name: Text = Field(description="The binding component.", examples=["cron"])
    to: tuple[Text, ...] = Field(
        default=(), description="Output bindings that Dapr then sends the result to, with 'create'."
    )
    concurrency: Fanout = Field(
        default=Fanout.SEQUENTIAL, description="Whether Dapr sends to them in turn or at the same time."
    )
    call: _Call = None
    then: _Then = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class JobTrigger(NamedTrigger):
    """
    A scheduled job. Without schedule and due_time it is received, but somebody else schedules it.
    """

    name: JobName = Field(description="The job.", examples=["nightly"])
    schedule: Schedule | None = Field(default=None, description="When it runs, in Dapr's format: '@daily'.")
    due_time: PointInTime | None = Field(
        default=None, description="When it runs for the first or only time, in Dapr's format."
    )
    data: Argument | None = Field(default=None, description="Text that becomes the guest's input.")
    failure: JobFailure | None = Field(default=None, description="What Dapr does after a failure.")
    call: _Call = None
    then: _Then = ()

    @property
    def label(self) -> str:
        """
        See `Trigger.label`.
        """
        return f"{self.name} {self.schedule or self.due_time or ''}".rstrip()

    @property
    def is_scheduled(self) -> bool:
        """
        Whether the server schedules it with Dapr.
        """
        return self.schedule is not None or self.due_time is not None

    @model_validator(mode="after")
    def _check_schedule(self) -> JobTrigger:
        for key in ("data", "failure"):
            if getattr(self, key) is not None and not self.is_scheduled:
                raise wrong("has no schedule", "schedule or due_time beside it", key=key)
        return self


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class Triggers:
    """
    Everything that calls the function; at least one trigger.
    """

    invoke: tuple[InvokeTrigger, ...] = Field(default=(), description="Service invocations.")
    topic: tuple[TopicTrigger, ...] = Field(default=(), description="Pub/sub messages.")
    binding: tuple[BindingTrigger, ...] = Field(default=(), description="Input bindings' events.")
    job: tuple[JobTrigger, ...] = Field(default=(), description="Scheduled jobs.")

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """
        Return the kinds of trigger, which are the tables' names.
        """
        return tuple(field.name for field in dataclasses.fields(cls))

    def each(self) -> Iterator[tuple[str, int, Trigger]]:
        """
        Yield every trigger after its kind and its index, as in ``trigger.<kind>[<index>]``.
        """
        for kind in self.kinds():
            triggers: tuple[Trigger, ...] = getattr(self, kind)
            for index, trigger in enumerate(triggers):
                yield kind, index, trigger

    @model_validator(mode="after")
    def _check_some(self) -> Triggers:
        if not any(self.each()):
            others = listed([kind for kind in self.kinds() if kind != "invoke"], "or")
            raise wrong(
                "is empty, so nothing calls the function",
                f"a line [[trigger.invoke]] and below it method = '<name>'; or a {others}",
            )
        return self
