"""The rule by which a function's grants allow a call to Dapr."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["is_component_granted", "is_granted"]


def is_granted(grants: Iterable[str], component: str, name: str) -> bool:
    """
    Return whether a name in a component is granted, such as a key in a state store.

    The component must be the grant's own. The name must be the grant's own too, or begin with what stands
    before the "*" at the grant's end.

    Args:
        grants: Grants of one kind, each ``<component>/<name>``; see `DaprGrants`.
        component: Name of the component, or of the app.
        name: The key, topic, method or operation.
    """
    for grant in grants:
        granted_component, _, granted_name = grant.partition("/")
        if component != granted_component or not name:
            continue
        if name == granted_name or (granted_name.endswith("*") and name.startswith(granted_name[:-1])):
            return True
    return False


def is_component_granted(grants: Iterable[str], component: str) -> bool:
    """
    Return whether anything in a component is granted.
    """
    return any(grant.partition("/")[0] == component for grant in grants)
