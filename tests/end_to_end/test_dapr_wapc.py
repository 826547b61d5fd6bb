"""waPC guests of the public SDKs call Dapr behind a real sidecar, with warm instances."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from end_to_end.dapr_app import APP_ID, STATE, DaprApp, write_caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUESTS = Path(__file__).parents[1] / "conformance" / "wapc" / "guests"
LANGUAGES = ("assemblyscript", "c", "go", "rust")
GRANT = f'state = ["{STATE}/orders-*"]'


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warm function of each SDK that asks for a key, and one that saves keys."""
    folder = tmp_path_factory.mktemp("wapc") / "functions"
    write_caller(folder, "caller", GRANT)
    for language in LANGUAGES:
        place = folder / language
        place.mkdir()
        shutil.copy(GUESTS / language / "guest.wasm", place)
        (place / "function.toml").write_text(
            f'name = "{language}"\nmodule = "guest.wasm"\nguest = "wapc"\n[pool]\nreuse = "warm"\n'
            f'[[trigger.invoke]]\nmethod = "{language}"\ncall = "ask"\n[capabilities.dapr]\n{GRANT}\n'
        )
    return folder


def _request(key: str) -> bytes:
    return json.dumps({"storeName": STATE, "key": key}).encode()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_warm_guest_gets_a_key(dapr_app: DaprApp, language: str) -> None:
    """Call after call, it gets what the state store has now."""
    key = f"orders-{language}"
    seen = []
    for value in (b"first", b"second"):
        state = {"key": key, "value": base64.b64encode(value).decode()}
        await dapr_app.response("caller", "SaveState", {"storeName": STATE, "states": [state]})
        reply = await dapr_app.sidecar.invoke(APP_ID, language, _request(key))
        seen.append(base64.b64decode(json.loads(reply.body)["data"]))

    assert seen == [b"first", b"second"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_key_that_is_not_granted(dapr_app: DaprApp, language: str) -> None:
    """The SDK makes an error of it, the guest fails, and its caller is told that it was denied something."""
    reply = await dapr_app.sidecar.invoke(APP_ID, language, _request("users-1"))

    assert reply.status == 403
    assert f"state '{STATE}/users-1' is not granted" in json.loads(reply.body)["message"]
