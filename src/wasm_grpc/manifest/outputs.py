"""The tables of ``then``: where a trigger's result goes besides the reply."""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import Field, GetCoreSchemaHandler, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import CoreSchema, core_schema

from wasm_grpc.manifest.checks import TABLE, wrong
from wasm_grpc.manifest.keys import Metadata, Template
from wasm_grpc.manifest.quantities import TimeToLive
from wasm_grpc.manifest.wording import shown

__all__ = ["BindingOutput", "Destinations", "PublishOutput", "StateConcurrency", "StateOutput", "Then"]


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class PublishOutput:
    """
    A topic to publish the result to.
    """

    pubsub: Template = Field(description="The pub/sub component.", examples=["pubsub"])
    topic: Template = Field(description="The topic.", examples=["grey-images"])


class StateConcurrency(str, enum.Enum):
    """
    Which of two writes to a key succeeds (``StateOptions.StateConcurrency`` in Dapr's common.proto).
    """

    FIRST_WRITE = "first-write"
    LAST_WRITE = "last-write"


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class StateOutput:
    """
    A state store key to save the result under.
    """

    store: Template = Field(description="The state store component.", examples=["statestore"])
    key: Template = Field(description="The key to save under.", examples=["orders-{id}"])
    concurrency: StateConcurrency = Field(
        default=StateConcurrency.LAST_WRITE,
        description="Whether a write replaces what others have written (last-write) or fails (first-write).",
    )
    etag: Template | None = Field(
        default=None,
        description="ETag that the key must still have, with first-write.",
        examples=["{json:/etag}"],
    )
    ttl: TimeToLive = Field(
        default=None, description="How long the store keeps it, in whole seconds; for ever by default."
    )

    @model_validator(mode="after")
    def _check_etag(self) -> StateOutput:
        if self.etag is not None and self.concurrency is not StateConcurrency.FIRST_WRITE:
            raise wrong("has no effect on a last-write", "concurrency = 'first-write' beside it", key="etag")
        return self


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class BindingOutput:
    """
    An output binding to send the result to.
    """

    name: Template = Field(description="The binding component.", examples=["mail"])
    operation: Template = Field(description="The operation of the binding.", examples=["create"])
    metadata: Metadata = Field(
        default_factory=dict, description="Metadata of the operation. A list is sent as a JSON array."
    )

    @model_validator(mode="after")
    def _check_sql(self) -> BindingOutput:
        sql, parameters = self.metadata.get("sql"), self.metadata.get("params")
        if isinstance(sql, tuple):
            raise wrong("it is an array", "a string", key="metadata.sql")
        # In a string, a value with a quotation mark could add parameters.
        if sql is not None and isinstance(parameters, str):
            raise wrong(
                f"{shown(parameters)} is a string",
                "an array with a string for each parameter, such as ['{id}', '{json:/total}']",
                key="metadata.params",
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class Then:
    """
    One destination of the result: exactly one of the keys.
    """

    publish: PublishOutput | None = Field(default=None, description="Publish the result.")
    state: StateOutput | None = Field(default=None, description="Save the result in a state store.")
    binding: BindingOutput | None = Field(default=None, description="Send the result to an output binding.")

    @property
    def label(self) -> str:
        """
        The destination, for people: ``publish pubsub/grey-images``.
        """
        if self.publish is not None:
            return f"publish {self.publish.pubsub}/{self.publish.topic}"
        if self.state is not None:
            return f"state {self.state.store}/{self.state.key}"
        if self.binding is not None:
            return f"binding {self.binding.name}/{self.binding.operation}"
        raise AssertionError("_check_one lets no such table pass")

    @model_validator(mode="after")
    def _check_one(self) -> Then:
        given = [key for key in ("publish", "state", "binding") if getattr(self, key) is not None]
        if len(given) != 1:
            raise wrong(
                f"has {' and '.join(given)}" if given else "is empty",
                "exactly one of publish, state or binding",
            )
        return self


class _OneOrSeveral:
    """
    Annotation of a tuple of tables, of which a manifest may write a single one without an array.
    """

    def __get_pydantic_core_schema__(self, source: object, inner: GetCoreSchemaHandler) -> CoreSchema:
        one = core_schema.no_info_after_validator_function(
            lambda table: (table,), inner.generate_schema(Then)
        )
        several = core_schema.no_info_after_validator_function(_not_empty, inner(source))
        # Tagged, since pydantic would otherwise report the errors of both alternatives.
        return core_schema.tagged_union_schema({"<table>": one, "<tables>": several}, _tag)


def _tag(value: object) -> str:
    return "<tables>" if isinstance(value, (list, tuple)) else "<table>"


def _not_empty(tables: tuple[Then, ...]) -> tuple[Then, ...]:
    if not tables:
        raise wrong("is empty", "at least one destination")
    return tables


Destinations = Annotated[tuple[Then, ...], _OneOrSeveral()]
"""The destinations of a result, in the order in which they get it."""
