"""How a page is read."""

from __future__ import annotations

from pathlib import Path

from pages.page import Command, File, read_page

__all__ = []

TEXT = """# A page

Say `make it` or `dapr run -f .`; `dapr run` alone is a name, and `x | y z` no command.

## One

`a/b.toml`, a manifest:

```toml
name = "b"
```

```sh
curl here   # a comment
printf '#' \\
  | cat     # two lines
cat <<'END'
# kept
END
```

```json
{"a": …}
```

### Two

```toml
no = "file"
```

```console
$ false
$ echo $?
1
```

```python
print(1)
```
"""


def test_files_and_commands_come_in_order(tmp_path: Path) -> None:
    """Files have their names, commands their lines, sections, output and no comments; all else is left out."""
    file = tmp_path / "page.md"
    file.write_text(TEXT, "utf-8")

    page = read_page(file)

    assert page.name == "page.md"
    assert page.steps == (
        Command(3, "", "make it"),
        Command(3, "", "dapr run -f ."),
        File(10, "One", "a/b.toml", 'name = "b"\n'),
        Command(14, "One", "curl here"),
        Command(15, "One", "printf '#' \\\n  | cat"),
        Command(17, "One", "cat <<'END'\n# kept\nEND", ('{"a": …}',)),
        Command(33, "Two", "false", ()),
        Command(34, "Two", "echo $?", ("1",)),
        Command(39, "Two", "print(1)\n", language="python"),
    )
