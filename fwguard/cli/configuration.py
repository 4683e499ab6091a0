"""Firewall configurations on disk, for the offline commands: read with bounds, complaints with file and line."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fwguard.errors import InputError, UnreadableError

if TYPE_CHECKING:
    from fwguard.dialects.protocol import Dialect
    from fwguard.model.policy import Policy

MAX_BYTES: Final = 64 << 20
MAX_LINE_BYTES: Final = 1 << 20
_WHERE: Final = re.compile(r"line (\d+): ")


@dataclass(frozen=True, slots=True)
class Configuration:
    """One file, its dialect and the policy that it means."""

    path: str
    text: str
    dialect: Dialect
    policy: Policy


def dialect_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--dialect`: which language the file is in, when it should not be guessed."""
    return click.option("--dialect", metavar="D", help="The language of the file; guessed when absent.")(
        command
    )


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`: one object for programs instead of words for people."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def load(path: str, dialect: str | None) -> Configuration:
    """Read a file (`-` for standard input) in a given or guessed dialect.

    Raises InputError with `file:line: … (expected …)` on anything that is no configuration.
    """
    from fwguard.dialects.table import detect
    from fwguard.dialects.table import dialect as by_name

    # A short-lived process on large immutable values: collecting cycles costs a tenth of its time.
    gc.disable()
    text = read_text(path)
    chosen = by_name(dialect) if dialect else None
    with located(path):
        chosen = chosen or detect(text)
        return Configuration(path, text, chosen, chosen.read(text))


def read_text(path: str) -> str:
    """Read a text file whole. Raises InputError when it is absent, binary or too large."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{error.strerror}", where=path, expected="a readable file") from None
    if len(data) > MAX_BYTES:
        raise InputError("too large", where=path, expected=f"at most {MAX_BYTES >> 20} MiB")
    if not data.strip():
        raise InputError("is empty", where=f"{path}:1", expected="a firewall configuration")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError("holds a NUL byte: binary", where=f"{path}:{line}", expected="text")
    if len(data) > MAX_LINE_BYTES:
        longest = max(data.split(b"\n"), key=len)
        if len(longest) > MAX_LINE_BYTES:
            line = data.count(b"\n", 0, data.index(longest)) + 1
            raise InputError(
                f"a line of {len(longest)} bytes", where=f"{path}:{line}", expected="at most 1 MiB a line"
            )
    return data.decode("utf-8", "replace")


@contextmanager
def located(path: str) -> Iterator[None]:
    """Put the file's name before the line of every complaint."""
    try:
        yield
    except InputError as error:
        message = str(error)
        found = _WHERE.match(message)
        if found:
            message = f"{path}:{found[1]}: {message[found.end() :]}"
        elif not message.startswith(path):
            line = getattr(error, "line", 0)
            message = f"{path}:{line}: {message}" if line else f"{path}: {message}"
        raise InputError(message) from None
    except RecursionError:
        raise UnreadableError("nests too deep", file=path, line=1, expected="fewer levels") from None


def print_json(value: object) -> None:
    """Print one JSON object on one line, as UTF-8."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False))


def clean(text: str) -> str:
    """Return device text without control characters: a hostile file must not drive the terminal."""
    return "".join(ch if ch.isprintable() else " " for ch in text)
