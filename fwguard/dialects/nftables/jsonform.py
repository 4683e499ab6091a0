"""The JSON form (`nft -j list ruleset`) as commands: one line for each object, so that lines are its places.

Only what libnftables-json(5) describes is turned into words; anything else becomes a rule that nobody
understands, which the reader keeps as such. Text from the device never becomes syntax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from fwguard.dialects.nftables.lexer import MAX_TEXT_CHARS, open_source
from fwguard.errors import UnreadableError

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/*@+-]+")
_NAME: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")
_KEYWORD: Final = re.compile(r"[a-z][a-z0-9_-]*")
STATEFUL: Final = {"counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation", "flowtable", "secmark",
                   "synproxy", "tunnel"}  # fmt: skip


class _Strange(Exception):
    """A piece of JSON that has no words."""


def is_json(text: str) -> bool:
    """Tell whether a text is the JSON form."""
    return text.lstrip()[:1] == "{"


def to_text(text: str) -> str:
    """Return the same ruleset as commands; line N is the N-th object.

    Raises UnreadableError for what is no such JSON, too deep or too long.
    """
    if len(text) > MAX_TEXT_CHARS or "\0" in text:
        open_source(text.replace("\n", "")[: MAX_TEXT_CHARS + 1])
    try:
        whole = json.loads(text)
    except RecursionError:
        raise UnreadableError("JSON nested too deep", line=1, expected="what nft -j prints") from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise UnreadableError(f"broken JSON: {error}", line=line, expected="what nft -j prints") from None
    objects = whole.get("nftables") if isinstance(whole, dict) else None
    if not isinstance(objects, list):
        raise UnreadableError('no list "nftables"', line=1, expected='{"nftables": [ … ]}')
    return "\n".join(_line(one) for one in objects) + "\n"


def _line(one: Any) -> str:
    if isinstance(one, dict) and len(one) == 1:
        kind, body = next(iter(one.items()))
        if kind == "add" and isinstance(body, dict):
            return _line(body)
        if kind == "metainfo":
            return ""
        if isinstance(body, dict):
            try:
                return _command(kind, body)
            except (_Strange, RecursionError):
                pass
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                pass
            if kind == "rule":
                where = " ".join(_safe(body.get(key)) for key in ("family", "table", "chain"))
                return f"add rule {where} not-understood {_quoted(json.dumps(body.get('expr'))[:500])}"
    return f"include {_quoted('unknown object: ' + json.dumps(one)[:500])}"


def _safe(value: Any) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "unknown"


def _quoted(value: Any) -> str:
    return '"' + re.sub(r'[\n\r"\\]', " ", str(value)) + '"'


def _name(value: Any) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise _Strange


def _keyword(value: Any) -> str:
    if isinstance(value, str) and _KEYWORD.fullmatch(value):
        return value
    raise _Strange


def _command(kind: str, body: dict[str, Any]) -> str:
    family = _name(body["family"])
    if kind == "table":
        flags = " { flags dormant; }" if "dormant" in _list(body.get("flags")) else ""
        return f"add table {family} {_name(body['name'])}{flags}"
    where = f"{family} {_name(body['table'])}"
    if kind == "chain":
        return f"add chain {where} {_name(body['name'])}{_hook(body)}"
    if kind == "rule":
        rule = " ".join(_statement(one) for one in body["expr"])
        comment = f" comment {_quoted(body['comment'])}" if body.get("comment") else ""
        return f"add rule {where} {_name(body['chain'])} {rule}{comment}"
    if kind in ("set", "map"):
        return f"add {kind} {where} {_name(body['name'])} {{ {_set(body)} }}"
    if kind == "element":
        return f"add element {where} {_name(body['name'])} {{ {_elements(body['elem'])} }}"
    if kind in STATEFUL:
        skipped = ("family", "table", "name", "handle", "packets", "bytes", "used")
        rest = {key: value for key, value in body.items() if key not in skipped}
        words = _quoted(json.dumps(rest, sort_keys=True).replace('"', "'"))
        return f"add {kind} {where} {_name(body['name'])} {{ comment {words}; }}"
    raise _Strange


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _hook(body: dict[str, Any]) -> str:
    if "hook" not in body:
        return ""
    devices = "".join(f" {_quoted(one)}" for one in _list(body.get("dev")))
    devices = f" device{devices}" if devices else ""
    policy = f" policy {_keyword(body['policy'])};" if body.get("policy") else ""
    priority = int(body["prio"])
    return f" {{ type {_keyword(body['type'])} hook {_keyword(body['hook'])}{devices} priority {priority};{policy} }}"


def _set(body: dict[str, Any]) -> str:
    out = [f"type {' . '.join(_name(one) for one in _list(body['type']))}"]
    if isinstance(body.get("map"), str):
        out[0] += f" : {' . '.join(_name(one) for one in body['map'].split(' . '))}"
    if body.get("flags"):
        out.append("flags " + ", ".join(_keyword(one) for one in _list(body["flags"])))
    out += [f"{key} {int(body[key])}" for key in ("size", "timeout", "gc-interval") if key in body]
    if body.get("auto-merge"):
        out.append("auto-merge")
    if body.get("elem"):
        out.append(f"elements = {{ {_elements(body['elem'])} }}")
    return "; ".join(out) + ";"


def _elements(elements: Any) -> str:
    out = []
    for one in _list(elements):
        if isinstance(one, list):
            key, data = one
            out.append(f"{_value(key)} : {_data(data)}")
        else:
            out.append(_value(one))
    return ", ".join(out)


def _data(data: Any) -> str:
    if isinstance(data, dict) and next(iter(data)) in _VERDICTS:
        return _statement(data)
    return _value(data)


# ---------------------------------------------------------------------- expressions

_VERDICTS: Final = ("accept", "drop", "continue", "return", "jump", "goto")


def _value(one: Any) -> str:
    """Write an expression (libnftables-json(5) EXPRESSIONS)."""
    if isinstance(one, bool):
        return "exists" if one else "missing"
    if isinstance(one, int):
        return str(one)
    if isinstance(one, str):
        if _PLAIN.fullmatch(one):
            return one if _plain_word(one) else _quoted(one)
        if '"' in one or "\n" in one or "\\" in one:
            raise _Strange
        return _quoted(one)
    if isinstance(one, list):
        return ",".join(_value(part) for part in one)
    if not isinstance(one, dict) or len(one) != 1:
        raise _Strange
    kind, body = next(iter(one.items()))
    return _EXPRESSIONS[kind](body)


def _plain_word(text: str) -> bool:
    return bool(re.fullmatch(r"@?[A-Za-z0-9_][A-Za-z0-9_./*-]*|[0-9A-Fa-f:.]+|\*", text))


def _range(body: Any) -> str:
    low, high = body
    return f"{_value(low)}-{_value(high)}"


def _elem(body: dict[str, Any]) -> str:
    timeout = f" timeout {int(body['timeout'])}s" if "timeout" in body else ""
    return _value(body["val"]) + timeout


def _binary(sign: str) -> Callable[[Any], str]:
    def write(body: Any) -> str:
        left, *right = body
        parts = [_value(left), *(f"({' | '.join(map(_value, one))})" if isinstance(one, list) else _value(one)
                                 for one in right)]  # fmt: skip
        return f" {sign} ".join(parts)

    return write


def _ct(body: dict[str, Any]) -> str:
    direction = f" {_keyword(body['dir'])}" if "dir" in body else ""
    family = f" {_keyword(body['family'])}" if "family" in body else ""
    return f"ct{direction}{family} {_keyword(body['key'])}"


def _payload(body: dict[str, Any]) -> str:
    if "base" in body:
        return f"@{_keyword(body['base'])},{int(body['offset'])},{int(body['len'])}"
    return f"{_keyword(body['protocol'])} {_keyword(body['field'])}"


def _fib(body: dict[str, Any]) -> str:
    flags = " . ".join(_keyword(one) for one in _list(body["flags"]))
    return f"fib {flags} {_keyword(body['result'])}"


def _numgen(body: dict[str, Any]) -> str:
    return f"numgen {_keyword(body['mode'])} mod {int(body['mod'])} offset {int(body.get('offset', 0))}"


def _map(body: dict[str, Any]) -> str:
    return f"{_value(body['key'])} map {_value(body['data'])}"


_EXPRESSIONS: Final[dict[str, Callable[[Any], str]]] = {
    "payload": _payload,
    "meta": lambda body: f"meta {_keyword(body['key'])}",
    "ct": _ct,
    "fib": _fib,
    "numgen": _numgen,
    "concat": lambda body: " . ".join(_value(one) for one in body),
    "set": lambda body: f"{{ {_elements(body)} }}",
    "prefix": lambda body: f"{_value(body['addr'])}/{int(body['len'])}",
    "range": _range,
    "elem": _elem,
    "map": _map,
    "&": _binary("&"),
    "|": _binary("|"),
    "^": _binary("^"),
}


# ---------------------------------------------------------------------- statements


def _statement(one: Any) -> str:
    """Write a statement (libnftables-json(5) STATEMENTS)."""
    if not isinstance(one, dict) or len(one) != 1:
        raise _Strange
    kind, body = next(iter(one.items()))
    if kind in ("accept", "drop", "continue", "return", "masquerade", "redirect", "notrack") and body is None:
        return str(kind)
    return _STATEMENTS[kind](body)


def _match(body: dict[str, Any]) -> str:
    operator = body["op"]
    if operator not in ("==", "!=", "<", ">", "<=", ">=", "in", "!"):
        raise _Strange
    left, right = _value(body["left"]), _value(body["right"])
    is_list = isinstance(body["right"], list)
    return f"{left} {right if operator == 'in' else operator + ' ' + (right if not is_list else '(' + right + ')')}"


def _counter(body: Any) -> str:
    return f"counter name {_quoted(body)}" if isinstance(body, str) else "counter"


def _log(body: Any) -> str:
    out = ["log"]
    for key in ("prefix", "level", "group", "snaplen", "queue-threshold"):
        if body and key in body:
            out.append(f"{key} {_quoted(body[key])}")
    return " ".join(out)


def _limit(body: Any) -> str:
    if isinstance(body, str):
        return f"limit name {_quoted(body)}"
    over = "over " if body.get("inv") else ""
    unit = body.get("rate_unit", "packets")
    unit = "" if unit == "packets" else f" {_keyword(unit)}"
    return f"limit rate {over}{int(body['rate'])}{unit}/{_keyword(body['per'])} burst {int(body.get('burst', 5))}"


def _reject(body: Any) -> str:
    if not body:
        return "reject"
    if body["type"] == "tcp reset":
        return "reject with tcp reset"
    what = f" {_value(body['expr'])}" if "expr" in body else " port-unreachable"
    return f"reject with {_keyword(body['type'])}{what}"


def _nat(kind: str) -> Callable[[Any], str]:
    def write(body: Any) -> str:
        if not body:
            return kind
        family = f" {_keyword(body['family'])}" if "family" in body else ""
        flags = "".join(f" {_keyword(one)}" for one in _list(body.get("flags")))
        address = body.get("addr")
        to = ""
        if address is not None:
            to = _value(address)
            if ":" in to and not isinstance(address, dict):
                to = f"[{to}]"
        if "port" in body:
            to += f":{_value(body['port'])}"
        return f"{kind}{family} to {to}{flags}" if to else f"{kind}{flags}"

    return write


def _update(body: dict[str, Any]) -> str:
    inner = "".join(f" {_statement(one)}" for one in _list(body.get("stmt")))
    return f"{_keyword(body['op'])} {_value(body['set'])} {{ {_value(body['elem'])}{inner} }}"


def _ct_count(body: dict[str, Any]) -> str:
    return f"ct count {'over ' if body.get('inv') else ''}{int(body['val'])}"


def _quota(body: Any) -> str:
    if isinstance(body, str):
        return f"quota name {_quoted(body)}"
    return f"quota {'over ' if body.get('inv') else ''}{int(body['val'])} {_keyword(body['val_unit'])}"


_STATEMENTS: Final[dict[str, Callable[[Any], str]]] = {
    "match": _match,
    "counter": _counter,
    "log": _log,
    "limit": _limit,
    "quota": _quota,
    "ct count": _ct_count,
    "jump": lambda body: f"jump {_name(body['target'])}",
    "goto": lambda body: f"goto {_name(body['target'])}",
    "reject": _reject,
    "mangle": lambda body: f"{_value(body['key'])} set {_value(body['value'])}",
    "set": _update,
    "vmap": lambda body: f"{_value(body['key'])} vmap {_value(body['data'])}",
    "snat": _nat("snat"),
    "dnat": _nat("dnat"),
    "masquerade": _nat("masquerade"),
    "redirect": _nat("redirect"),
    "queue": lambda body: "queue",
    "flow": lambda body: f"flow add {_value(body['flowtable'])}",
    "ct helper": lambda body: f"ct helper set {_quoted(body)}",
    "ct timeout": lambda body: f"ct timeout set {_quoted(body)}",
    "secmark": lambda body: f"meta secmark set {_quoted(body)}",
}
