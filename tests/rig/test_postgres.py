"""The rig's PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig import postgres

pytestmark = pytest.mark.asyncio


async def test_postgres_answers_queries() -> None:
    """What is written to the database is in its rows, and it ends when it is asked to."""
    async with postgres() as database:
        await database.run("CREATE TABLE orders (id int, paid boolean); INSERT INTO orders VALUES (7, true)")
        rows = await database.rows("SELECT * FROM orders")

    assert rows == [{"id": 7, "paid": True}]
    assert database.process.exit_code == 0


async def test_a_machine_without_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that needs PostgreSQL is skipped with the remedy, or fails in CI."""
    monkeypatch.setenv("POSTGRES_SERVER", str(tmp_path / "postgres"))
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception) as caught:
        async with postgres():
            pass

    assert (
        str(caught.value)
        == "no postgres; expected Debian's package postgresql, or POSTGRES_SERVER to name one"
    )
