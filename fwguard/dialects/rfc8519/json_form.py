"""YANG instance data as JSON (RFC 7951), read with the line of every value."""

from __future__ import annotations

import json
import re
from typing import Final

from fwguard.dialects.rfc8519.tree import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, Node
from fwguard.errors import UnreadableError

_TOKEN: Final = re.compile(
    r'[ \t\r\n]*(?:([{}\[\],:])|("(?:[^"\\\x00-\x1f]|\\.)*")'
    r"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))"
)


class _Scanner:
    """One pass over the text; `line` is where the last sign ended."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.line, self.count = text, 0, 1, 0

    def fail(self, expected: str) -> UnreadableError:
        return UnreadableError("no JSON", line=self.line, expected=expected)

    def take(self) -> str:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            raise self.fail("a JSON value or sign")
        self.line += self.text.count("\n", self.at, match.end())
        self.at = match.end()
        return match[1] or match[2] or match[3]

    def expect(self, wanted: str) -> None:
        if self.take() != wanted:
            raise self.fail(wanted)

    def string(self, sign: str) -> str:
        try:
            value = json.loads(sign)
        except ValueError:
            raise self.fail("a JSON string") from None
        if not isinstance(value, str):
            raise self.fail("a string in double quotes")
        return value

    def members(self, module: str, depth: int) -> list[Node]:
        """Read the members of an object whose `{` is taken."""
        nodes: list[Node] = []
        seen: set[str] = set()
        sign = self.take()
        while sign != "}":
            key = self.string(sign)
            if key in seen:
                raise UnreadableError(f"{key!r} stands twice", line=self.line, expected="one of them")
            seen.add(key)
            own, colon, name = key.rpartition(":")
            self.expect(":")
            nodes += self.value(own if colon else module, name, self.take(), depth + 1)
            sign = self.take()
            if sign == ",":
                sign = self.take()
                if sign == "}":
                    raise self.fail("a member after the comma")
            elif sign != "}":
                raise self.fail(", or }")
        return nodes

    def value(self, module: str, name: str, sign: str, depth: int) -> list[Node]:
        """Read a value: an array becomes several nodes of one name."""
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_NODES:
            raise UnreadableError("too deep or too many nodes", line=self.line, expected=f"depth {MAX_DEPTH}")
        line = self.line
        if sign == "{":
            return [Node(module=module, name=name, line=line, children=self.members(module, depth))]
        if sign == "[":
            nodes: list[Node] = []
            sign = self.take()
            while sign != "]":
                nodes += self.value(module, name, sign, depth + 1)
                sign = self.take()
                if sign == ",":
                    sign = self.take()
                elif sign != "]":
                    raise self.fail(", or ]")
            for node in nodes:
                node.listed = True
            return nodes
        if sign.startswith('"'):
            text = self.string(sign)
            return [Node(module=module, name=name, line=line, text=text.removeprefix(f"{module}:"))]
        if sign in ("}", "]", ",", ":"):
            raise self.fail("a value")
        text = "" if sign == "null" else sign
        return [Node(module=module, name=name, line=line, text=text, literal=True)]


def parse_json(text: str) -> list[Node]:
    """Return the top-level nodes of an object of `module:name` members. Raises UnreadableError."""
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"{len(text)} characters", expected=f"at most {MAX_CHARACTERS}")
    scanner = _Scanner(text)
    scanner.expect("{")
    tops = scanner.members("", 0)
    if text[scanner.at :].strip():
        raise scanner.fail("nothing after the object")
    if len(tops) == 1 and tops[0].name in ("config", "data") and tops[0].module in ("", "ietf-netconf"):
        return tops[0].children
    return tops


def show_json(tops: list[Node]) -> str:
    """Write the nodes as RFC 7951 JSON, two spaces a level."""
    return json.dumps(_members(tops, ""), indent=2, ensure_ascii=False) + "\n"


def _members(nodes: list[Node], outer: str) -> dict[str, object]:
    out: dict[str, object] = {}
    for node in nodes:
        key = node.name if node.module == outer else f"{node.module}:{node.name}"
        value: object = _members(node.children, node.module)
        if not node.children and (node.text or node.literal):
            value = json.loads(node.text or "null") if node.literal else node.text
        if node.listed:
            array = out.setdefault(key, [])
            if isinstance(array, list):
                array.append(value)
        else:
            out[key] = value
    return out
