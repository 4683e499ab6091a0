"""A YAML text that people edit: every value read from it is checked, and every complaint names its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import yaml

from fwguard.errors import InputError

T = TypeVar("T")
MAX_BYTES: Final = 1 << 20
_DURATION: Final = re.compile(r"(\d+)\s*(s|min|h|d)")
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a document, with the file and line it stands on and the keys that led there."""

    node: yaml.Node
    file: str
    path: str = ""

    def fail(self, message: str, expected: str) -> InputError:
        """Return an error that names file, line and key; the caller raises it."""
        where = f"{self.file}:{self.node.start_mark.line + 1}"
        return InputError(f"{self.path or 'document'}: {message}", where=where, expected=expected)

    def mapping(self, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, Field]:
        """Return the fields of a mapping; with neither list given, any key goes."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fail("is no mapping", "key: value lines")
        fields: dict[str, Field] = {}
        for key_node, value_node in self.node.value:
            key = str(key_node.value)
            field = Field(value_node, self.file, f"{self.path}.{key}" if self.path else key)
            if key in fields:
                raise field.fail("stands twice", "one of them")
            if (required or optional) and key not in required and key not in optional:
                raise field.fail("is not known", "one of " + ", ".join((*required, *optional)))
            fields[key] = field
        for key in required:
            if key not in fields:
                raise self.fail(f"lacks {key}", f"a line `{key}: …`")
        return fields

    def sequence(self) -> list[Field]:
        """Return the items of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fail("is no list", "lines that start with `- `")
        return [Field(node, self.file, f"{self.path}[{i}]") for i, node in enumerate(self.node.value)]

    def text(self) -> str:
        """Return a non-empty scalar as it is written."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.strip():
            raise self.fail("is no text", "one value")
        return str(self.node.value)

    def integer(self, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        expected = f"a whole number from {low} to {high}"
        try:
            number = int(self.text())
        except ValueError:
            raise self.fail(f"{self.text()!r} is no number", expected) from None
        if not low <= number <= high:
            raise self.fail(f"{number} is out of bounds", expected)
        return number

    def boolean(self) -> bool:
        """Return true or false."""
        value = {"true": True, "false": False}.get(self.text().lower())
        if value is None:
            raise self.fail(f"{self.text()!r}", "true or false")
        return value

    def seconds(self) -> int:
        """Return a duration written with its unit ("90 s", "10 min", "4 h", "30 d") in seconds."""
        match = _DURATION.fullmatch(self.text().strip())
        if not match:
            raise self.fail(f"{self.text()!r} is no duration", "a number and s, min, h or d")
        return int(match[1]) * _SECONDS[match[2]]

    def choice(self, values: Mapping[str, T]) -> T:
        """Return what the word stands for."""
        if self.text() not in values:
            raise self.fail(f"{self.text()!r}", "one of " + ", ".join(values))
        return values[self.text()]

    def parsed(self, parse: Callable[[str], T]) -> T:
        """Return the text read by another reader, whose complaint gets our file and line."""
        try:
            return parse(self.text())
        except (InputError, ValueError) as error:
            raise self.fail(str(error), "see the message") from error

    def plain(self) -> Any:
        """Return the value as plain Python data (for values that another room checks)."""
        return yaml.SafeLoader("").construct_document(self.node)


def read_document(text: str, file: str) -> Field:
    """Parse YAML (safe: no tags, no objects). Raises InputError with file and line."""
    if len(text) > MAX_BYTES:
        raise InputError(f"{len(text)} characters", where=file, expected=f"at most {MAX_BYTES}")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{error.problem}", where=f"{file}:{line}", expected="YAML") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"no YAML: {error}", where=file, expected="YAML text") from None
    if node is None:
        raise InputError("is empty", where=file, expected="key: value lines")
    return Field(node, file)
