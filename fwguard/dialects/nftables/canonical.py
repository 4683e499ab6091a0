"""A ruleset as it is compared: without counters, handles, comments and order that means nothing."""

from __future__ import annotations

import json
import re
from typing import Final

from fwguard.dialects.nftables.lexer import STRING, Token
from fwguard.dialects.nftables.ruleset import ChainText, Ruleset, SetText, TableText
from fwguard.dialects.nftables.values import SERVICES

_SIMPLE: Final = re.compile(r"[A-Za-z0-9_./*:-]+")
_ENDS: Final = frozenset({"accept", "jump", "goto", "return", "continue", "queue", "dnat", "snat", "masquerade",
                          "redirect", "vmap", "map", "tproxy"})  # fmt: skip
UPDATES: Final = frozenset({"add", "update", "delete"})


def canonical_text(ruleset: Ruleset) -> str:
    """Return the comparable text: tables, sets and chains by name, rules in their order."""
    out: list[str] = []
    if ruleset.flushes:
        out.append("flush ruleset")
    for name, value in sorted(ruleset.defines.items()):
        out.append(f"define {name} = {_words(value)}")
    for key in sorted(ruleset.tables):
        out += _table(ruleset.tables[key])
    out += [f"unread {one.text}" for one in ruleset.unread]
    return "\n".join(out) + "\n"


def _table(table: TableText) -> list[str]:
    out = [f"table {table.family} {table.name}{' dormant' if table.dormant else ''}"]
    for name, tokens in sorted(table.objects):
        is_count = name.startswith("counter ")
        out.append(f" {name}" if is_count else f" {name} {_words(tokens)}".rstrip())
    for set_name in sorted(table.sets):
        out += _set(table, table.sets[set_name])
    for chain_name in sorted(table.chains):
        out += _chain(table.chains[chain_name])
    return out


def _set(table: TableText, one: SetText) -> list[str]:
    head = " ".join(
        f"{key} {' '.join(sorted(value) if key == 'flags' else value)}".rstrip()
        for key, value in sorted(one.head.items())
    )
    out = [f" {'map' if one.is_map else 'set'} {one.name} {head}".rstrip()]
    if not _comes_and_goes(table, one):
        out += sorted(f"  {_words(element)}" for element in one.elements)
    return out


def _comes_and_goes(table: TableText, one: SetText) -> bool:
    """Tell whether packets fill the set and whatever is in it is only dropped."""
    updated = False
    word = f"@{one.name}"
    for chain in table.chains.values():
        for rule in chain.rules:
            texts = ["" if token.kind == STRING else token.text for token in rule.tokens]
            for index, text in enumerate(texts):
                if text != word:
                    continue
                if index and texts[index - 1] in UPDATES:
                    updated = True
                elif (index and texts[index - 1] in ("!=", "vmap", "map")) or not _only_drops(texts):
                    return False
    flags = one.head.get("flags", ())
    return updated or "dynamic" in flags


def _only_drops(texts: list[str]) -> bool:
    return ("drop" in texts or "reject" in texts) and not _ENDS & set(texts)


def _chain(chain: ChainText) -> list[str]:
    head = ""
    if chain.hook:
        devices = f" device {' '.join(sorted(chain.devices))}" if chain.devices else ""
        head = (
            f" type {chain.kind} hook {chain.hook}{devices} priority {chain.priority} policy {chain.policy}"
        )
    flags = f" flags {' '.join(sorted(chain.flags))}" if chain.flags else ""
    return [f" chain {chain.name}{head}{flags}", *(f"  {_words(rule.tokens)}" for rule in chain.rules)]


# ---------------------------------------------------------------------- words


def _words(tokens: list[Token]) -> str:
    """Write tokens in one way: sets and lists sorted, counts and comments left out."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        text = token.text if token.kind != STRING else ""
        if text == "comment" and at + 1 < len(tokens):
            at += 2
        elif text == "counter" and out[-1:] not in (["jump"], ["goto"]):  # netlink takes any name for a chain
            at = _past_counts(tokens, at + 1)
        elif text == "expires" or (text == "used" and out):
            at = _past_amount(tokens, at + 1)
        elif text == "{":
            end = _closing(tokens, at)
            of_ports = _is_port(tokens, at)
            elements = sorted(
                str(SERVICES[one[0].text])
                if of_ports and len(one) == 1 and one[0].text in SERVICES
                else _words(one)
                for one in _split(tokens[at + 1 : end])
            )
            out.append("{ " + ", ".join(elements) + " }")
            at = end + 1
        else:
            if text == "," and out and at + 1 < len(tokens):
                out[-1] = ",".join(sorted({*out[-1].split(","), _word(tokens[at + 1])}))
                at += 2
                continue
            out.append(_port(tokens, at) or _word(token))
            at += 1
    return " ".join(out)


def _word(token: Token) -> str:
    return token.text if _SIMPLE.fullmatch(token.text) or token.kind != STRING else json.dumps(token.text)


def _port(tokens: list[Token], at: int) -> str:
    """Return the number of a service that is written by its name after dport or sport."""
    return str(SERVICES[tokens[at].text]) if tokens[at].text in SERVICES and _is_port(tokens, at) else ""


def _is_port(tokens: list[Token], at: int) -> bool:
    """Tell whether what stands here is compared with a port."""
    before = [token.text for token in tokens[max(at - 2, 0) : at]]
    if before and before[-1] in ("!=", "=="):
        before.pop()
    return bool(before) and before[-1] in ("dport", "sport")


def _past_counts(tokens: list[Token], at: int) -> int:
    if at + 1 < len(tokens) and tokens[at].text == "name":
        return at + 2
    while at + 1 < len(tokens) and tokens[at].text in ("packets", "bytes"):
        at += 2
    return at


def _past_amount(tokens: list[Token], at: int) -> int:
    """Skip `5m30s` or `10 mbytes`, and the word never."""
    at += 1
    while at < len(tokens) and tokens[at].text in ("bytes", "kbytes", "mbytes", "gbytes"):
        at += 1
    return at


def _closing(tokens: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index].kind != STRING:
            depth += (tokens[index].text == "{") - (tokens[index].text == "}")
        if depth == 0:
            return index
    return len(tokens)


def _split(tokens: list[Token]) -> list[list[Token]]:
    out: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind != STRING:
            depth += (token.text == "{") - (token.text == "}")
            if token.text in (",", ";", "\n") and depth == 0:
                out.append([])
                continue
        out[-1].append(token)
    return [one for one in out if one]
