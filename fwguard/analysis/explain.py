"""A difference in words: what a client's change opens, closes, redirects or routes elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from fwguard.analysis.boxes import Box, show_protocols
from fwguard.analysis.difference import Difference
from fwguard.analysis.words import phrase
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Language
from fwguard.model.policy import Hook, InterfaceSet, Match, NatKind, NatRule, Route
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, show_ports, show_protocol

NameOf = Callable[[str], str | None]
MAX_LINES: Final = 12
_MOST_ADDRESSES: Final = 3
_MOST_PROTOCOLS: Final = 4
_MOST_TEXT: Final = 100
_ECHO: Final = {ICMP: 8, ICMPV6: 128}
_KEYS: Final = {"opens": "may-open", "closes": "may-close", "": "unclear"}


def explain(
    difference: Difference,
    *,
    language: Language = Language.EN,
    name_of: NameOf | None = None,
    max_lines: int = MAX_LINES,
) -> list[str]:
    """Say a difference in at most `max_lines` lines, what matters most first; empty when there is none.

    `name_of` returns the name of the server at an address, if it has one. Device text is cut short and its
    control characters are removed; whoever shows it escapes it.
    """
    said: dict[str, None] = {}
    left = 0
    for sentence in _sentences(difference, language, name_of or (lambda _: None)):
        if len(said) > max_lines:
            left += 1  # counted, not written: there may be thousands
        else:
            said[sentence()] = None
    lines = list(said)
    if len(lines) > max_lines:
        kept = max(1, max_lines - 1)
        return [*lines[:kept], phrase("more", language, count=len(lines) - kept + left)]
    return lines


def _sentences(difference: Difference, language: Language, name_of: NameOf) -> Iterator[Callable[[], str]]:
    """Yield what there is to say, what matters most first; each is put into words when it is called."""
    opens, undecided, closes = difference.spoken
    for box in opens:
        yield partial(say_box, box, "opens", language, name_of)
    for rule in difference.nat.added:
        yield partial(say_nat, rule, "+", language, name_of)
    for route in difference.routes.added:
        yield partial(say_route, route, "+", language)
    for box in undecided:
        yield partial(say_box, box, _KEYS[box.leans], language, name_of)
    for line in difference.unread.added:
        yield partial(phrase, "unread+", language, line=line.line, text=_short(line.text))
    for box in closes:
        yield partial(say_box, box, "closes", language, name_of)
    for rule in difference.nat.removed:
        yield partial(say_nat, rule, "-", language, name_of)
    if difference.nat.reordered:
        yield partial(phrase, "nat-order", language)
    for route in difference.routes.removed:
        yield partial(say_route, route, "-", language)
    for line in difference.unread.removed:
        yield partial(phrase, "unread-", language, text=_short(line.text))
    if difference.omitted:
        yield partial(phrase, "omitted", language, count=difference.omitted)
    if not difference.passes_differently:
        for idle in difference.rules.added:
            text = _short(idle.text or idle.action.value)
            yield partial(phrase, "idle-added", language, line=idle.line, text=text)
        for idle in difference.rules.removed:
            yield partial(phrase, "idle-removed", language, text=_short(idle.text or idle.action.value))
        if difference.rules.reordered:
            yield partial(phrase, "idle-order", language)


def say_box(box: Box, key: str, language: Language, name_of: NameOf) -> str:
    """Say what happens to the new connections of a box: `key` is an entry of the table of words."""
    service = say_service(box.protocol, box.dport, language)
    # One IP version is named where no address on the line shows it.
    spoken = AddressSet() if box.hook is Hook.INPUT and _is_any(box.target) else box.target
    source = say_addresses(_spoken(box.source, spoken), "anyone", language, name_of)
    target = say_addresses(_spoken(box.target, box.source), "every-address", language, name_of)
    if box.hook is Hook.FORWARD and _is_any(box.source):
        target = say_addresses(box.target, "every-address", language, name_of)
    if box.hook is Hook.OUTPUT:
        source = phrase("from-itself", language)
        where = phrase("at", language, target=target)
        text = phrase(f"reach-{key}", language, source=source, service=service, target=where)
    elif box.hook is Hook.INPUT:
        key_of_target = "itself" if _is_any(box.target) else "itself-at"
        target = phrase(key_of_target, language, target=target)
        text = phrase(key, language, service=service, target=target, source=source)
        text = text.replace(" de du ", " du ")
    elif _is_any(box.target) and not _is_any(box.source):
        where = phrase("anywhere", language)
        text = phrase(f"reach-{key}", language, source=source, service=service, target=where)
    else:
        text = phrase(key, language, service=service, target=target, source=source)
    if language is Language.FR:
        text = text.replace(" à le ", " au ")
    if box.sport != ANY_PORT:
        text += phrase("from-ports", language, ports=_short(show_ports(box.sport)))
    return text + _say_interfaces(box.ingress, box.egress, language)


def _say_interfaces(ingress: InterfaceSet, egress: InterfaceSet, language: Language) -> str:
    here, there = _say_names(ingress, language), _say_names(egress, language)
    if ingress.is_any and egress.is_any:
        return ""
    if egress.is_any:
        return phrase("in", language, names=here)
    if ingress.is_any:
        return phrase("out", language, names=there)
    return phrase("in-out", language, names=here, others=there)


def _say_names(interfaces: InterfaceSet, language: Language) -> str:
    names = _short(",".join(sorted(interfaces.names)))
    if interfaces.but:
        names = phrase("names-but", language, names=names, but=_short(",".join(sorted(interfaces.but))))
    return phrase("names-not", language, names=names) if interfaces.negated else names


def _is_any(addresses: AddressSet) -> bool:
    return addresses in (ANY_ADDRESS, ANY_V4, ANY_V6)


def _spoken(addresses: AddressSet, other: AddressSet) -> AddressSet:
    """Return all addresses for all of one IP version, when `other` shows which version is meant."""
    return ANY_ADDRESS if _is_any(addresses) and other else addresses


def say_addresses(addresses: AddressSet, anyone: str, language: Language, name_of: NameOf) -> str:
    """Say a set of addresses: `anyone` for all, names where they are known, a few and how many more."""
    if addresses == ANY_ADDRESS:
        return phrase(anyone, language)
    for whole, suffix in ((ANY_V4, "-v4"), (ANY_V6, "-v6")):
        if addresses == whole:
            return phrase(anyone + suffix, language)
    outside = AddressSet(
        ANY_ADDRESS.v4 - addresses.v4 if addresses.v4 else addresses.v4,
        ANY_ADDRESS.v6 - addresses.v6 if addresses.v6 else addresses.v6,
    )
    few = len(outside.texts()) <= _MOST_ADDRESSES and len(addresses.texts()) > len(outside.texts())
    if few and addresses.v4.size > 1 << 31:
        rest = say_addresses(outside, anyone, language, name_of)
        return phrase(f"{anyone}-but", language, rest=rest)
    words = addresses.texts()
    shown = []
    for word in words[:_MOST_ADDRESSES]:
        name = name_of(word) if "/" not in word and "-" not in word else None
        shown.append(f"{word} ({name})" if name else word)
    return _list(shown, len(words) - len(shown), language)


def _list(words: list[str], left: int, language: Language) -> str:
    text = ", ".join(words)
    return f"{text} {phrase('more', language, count=left)}" if left else text


def say_service(protocol: Intervals, dport: Intervals, language: Language) -> str:
    """Say protocol and ports: "tcp/443", "udp/53,123", "ping", "every service"."""
    if protocol == ANY_PROTOCOL and dport == ANY_PORT:
        return phrase("every-service", language)
    if protocol.size > 128:
        return phrase("all-but", language, rest=say_service(ANY_PROTOCOL - protocol, dport, language))
    numbers = [n for low, high in protocol for n in range(low, high + 1)]
    shown = [_service(number, dport, language) for number in numbers[:_MOST_PROTOCOLS]]
    if len(numbers) > _MOST_PROTOCOLS:
        return show_protocols(protocol) + ("" if dport == ANY_PORT else f"/{_short(show_ports(dport))}")
    return ", ".join(shown)


def _service(number: int, dport: Intervals, language: Language) -> str:
    name = show_protocol(number)
    if dport == ANY_PORT:
        return name
    if number not in _ECHO:
        return f"{name}/{_short(show_ports(dport))}"
    kinds = sorted({kind for low, high in dport for kind in range(low >> 8, (high >> 8) + 1)})
    if kinds == [_ECHO[number]]:
        return phrase("ping", language)
    return f"{name} {_short(','.join(map(str, kinds)))}"


def say_nat(rule: NatRule, sign: str, language: Language, name_of: NameOf) -> str:
    """Say what a translation that came (`+`) or went (`-`) does."""
    if rule.kind is NatKind.UNKNOWN or not rule.matches:
        return phrase(f"unknown-nat{sign}", language, line=rule.line, text=_short(rule.text))
    match = _merged(rule.matches)
    values = {
        "service": say_service(match.protocol, match.dport, language),
        "source": say_addresses(match.source, "anyone", language, name_of),
        "target": say_addresses(match.target, "every-address", language, name_of),
    }
    if rule.kind is NatKind.EXEMPT:
        return phrase(f"exempt{sign}", language, **values)
    own = phrase("own-address", language)
    to = say_addresses(rule.to, "anyone", language, name_of) if rule.to else own
    if rule.to_ports:
        ports = show_ports(rule.to_ports)
        if rule.to or rule.kind is NatKind.REDIRECT:
            to = phrase("to-port", language, address=to, port=ports)
        else:
            to = phrase("port-only", language, port=ports)
    kind = "snat" if rule.kind in (NatKind.SNAT, NatKind.MASQUERADE) else "dnat"
    interfaces = _say_interfaces(match.ingress, match.egress, language)
    return phrase(f"{kind}{sign}", language, to=to, **values) + interfaces


def _merged(matches: tuple[Match, ...]) -> Match:
    """Return the union of the fields of several matches, to name them in one breath."""
    first = matches[0]
    if len(matches) == 1:
        return first
    source, target, dport, protocol = first.source, first.target, first.dport, first.protocol
    for other in matches[1:]:
        source, target = source | other.source, target | other.target
        dport, protocol = dport | other.dport, protocol | other.protocol
    return Match(source=source, target=target, dport=dport, protocol=protocol)


def say_route(route: Route, sign: str, language: Language) -> str:
    """Say a route that came (`+`) or went (`-`)."""
    way = phrase("via", language, via=route.via) if route.via else ""
    way += phrase("by", language, interface=_short(route.interface)) if route.interface else ""
    way += phrase("table", language, table=_short(route.table)) if route.table not in ("", "main") else ""
    kind = f"{route.kind} " if route.kind not in ("", "unicast") else ""
    return phrase(f"route{sign}", language, kind=kind, prefix=route.prefix, way=way)


def _short(text: str) -> str:
    """Cut device text short and keep it on one line: it comes from whoever is root there."""
    clean = " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
    return clean if len(clean) <= _MOST_TEXT else clean[: _MOST_TEXT - 1] + "…"
