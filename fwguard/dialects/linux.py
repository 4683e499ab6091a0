"""A whole Linux firewall: nftables, iptables in both variants, sets, routes and forwarding as one policy.

What the kernel does with a packet is the sum of the parts: every base chain of every part must accept it,
and nothing is forwarded where forwarding is off. Source: nft(8), iptables(8), ip-sysctl (kernel).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects import iproute2, ipset
from fwguard.dialects.iptables import IPTABLES
from fwguard.dialects.named_sets import NamedSet
from fwguard.dialects.nftables import NFTABLES
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import Family, parse_span
from fwguard.model.change import Change, Edit, TextEdit
from fwguard.model.policy import Action, Chain, Hook, Match, NatRule, Policy, Route, Rule, Unread
from fwguard.model.snapshot import Snapshot

NAME: Final = "linux"
FAMILIES: Final = (Family.V4, Family.V6)
# Part -> the family of its text; None: all families.
FILTERS: Final[Mapping[str, Family | None]] = {
    "nft": None,
    "iptables": Family.V4,
    "ip6tables": Family.V6,
    "iptables-legacy": Family.V4,
    "ip6tables-legacy": Family.V6,
}
BOOT_FILTERS: Final[Mapping[str, Family | None]] = {
    "boot/nftables.conf": None,
    "boot/rules.v4": Family.V4,
    "boot/rules.v6": Family.V6,
}
ROUTES: Final = {"routes4": Family.V4, "routes6": Family.V6}
FORWARDING: Final = {
    "net.ipv4.ip_forward": Family.V4,
    "net.ipv4.conf.all.forwarding": Family.V4,
    "net.ipv6.conf.all.forwarding": Family.V6,
}
_SYSCTL: Final = re.compile(r"^\s*([\w.*/-]+)\s*=\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class _Text:
    """One part that filters: which dialect reads it, and with which sets."""

    part: str
    text: str
    family: Family | None
    sets: Mapping[str, NamedSet]

    @property
    def is_nft(self) -> bool:
        return self.family is None

    def read(self) -> Policy:
        if self.family is None:
            return NFTABLES.read(self.text)
        return IPTABLES.read(self.text, family=self.family, ipsets=self.sets)

    def write(self, change: Change) -> TextEdit:
        try:
            if self.family is None:
                return NFTABLES.write(change, self.text)
            return IPTABLES.write(change, self.text, family=self.family, ipsets=self.sets)
        except InputError as error:
            raise InputError(str(error), where=self.part) from None

    def judges_forwarded(self, *, idle: bool = False) -> Family:
        """Return the families whose forwarded packets this text judges by rules or a policy that drops.

        With `idle` also those for which it has a forward chain that lets everything pass.
        """
        try:
            policy = self.read()
        except UnreadableError:
            return Family(0)
        judged = Family(0)
        for key in policy.hooks.get(Hook.FORWARD, ()):
            chain = policy.chains[key]
            if not self.is_nft and not key.endswith("filter FORWARD"):
                continue
            if idle or chain.rules or chain.default is not Action.ACCEPT:
                judged |= chain.families
        return judged


class Linux:
    """Reads, compares and edits the snapshot of a Linux firewall (parts: model.snapshot.LINUX_PARTS)."""

    def policy(self, snapshot: Snapshot) -> Policy:
        """Return what the running parts do together, of both IP versions.

        A part that cannot be read makes every verdict unknown, and says so in `unread`; nothing raises,
        since its owner may write what it likes into it.
        """
        sum_of = _Sum()
        for text in _texts(snapshot, FILTERS, "ipset"):
            try:
                sum_of.add(text.part, text.read())
            except InputError as error:
                sum_of.add_unread(text.part, str(error), text.family or Family.BOTH)
        for part, family in ROUTES.items():
            try:
                sum_of.routes.extend(iproute2.read_routes(snapshot.get(part), family))
            except UnreadableError as error:
                sum_of.unread.append(Unread(line=error.line, text=part, why=str(error)))
        for family, line in _not_forwarding(snapshot.get("sysctl")):
            sum_of.add_no_forwarding(family, line)
        return sum_of.policy()

    def canonical(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return each part as it is compared; a part that cannot be read is compared as its text."""
        return {part: _canonical(part, text) for part, text in snapshot.parts.items()}

    def write(self, change: Change, snapshot: Snapshot) -> Edit:
        """Return the snapshot with the change in every part that must have it, running and boot.

        A rule goes wherever forwarded packets are judged, since all must accept; a redirection into the
        first such part. Raises InputError when no part judges them, or no rule bears the tag to remove.
        """
        running = _texts(snapshot, FILTERS, "ipset")
        boot = _texts(snapshot, BOOT_FILTERS, "boot/ipsets")
        edits = _Edits()
        if change.remove:
            for text in (*running, *boot):
                if f"fwguard:{change.tag}" in text.text:
                    edits.add(text, change)
            edits.require(f"no rule bears the comment fwguard:{change.tag}")
        else:
            self._add(change, running, edits)
            edits.require("no part of this firewall judges forwarded packets")
            kinds = {FILTERS[part] for part in edits.texts}
            legacy = any(part.endswith("-legacy") for part in edits.texts)
            self._add(change, [text for text in boot if text.family in kinds or legacy], edits)
        return Edit(after=snapshot.with_parts(edits.texts), shown="\n".join(edits.shown))

    @staticmethod
    def _add(change: Change, texts: list[_Text], edits: _Edits) -> None:
        judged = {text.part: text.judges_forwarded() for text in texts}
        if not any(judged.values()):
            judged = {text.part: text.judges_forwarded(idle=True) for text in texts}
        redirected: set[int] = set()
        for text in texts:
            families = judged[text.part] & (text.family or Family.BOTH)
            openings = tuple(
                replace(opening, source=source, target=target)
                for opening in change.openings
                for source in (opening.source.of_family(families),)
                for target in (opening.target.of_family(families),)
                if source.families & target.families
            )
            redirections = tuple(
                one
                for index, one in enumerate(change.redirections)
                if index not in redirected and _version(one.public) & families
            )
            redirected.update(change.redirections.index(one) for one in redirections)
            if openings or redirections:
                edits.add(text, replace(change, openings=openings, redirections=redirections))


LINUX: Final = Linux()


def _version(address: str) -> Family:
    return Family.V4 if parse_span(address)[0] == 4 else Family.V6


def _texts(snapshot: Snapshot, parts: Mapping[str, Family | None], set_part: str) -> list[_Text]:
    try:
        sets = ipset.read_sets(snapshot.get(set_part))
    except UnreadableError:
        sets = {}  # rules that name a set become unknown, and say so
    return [
        _Text(part, snapshot.get(part), family, sets)
        for part, family in parts.items()
        if _says_something(snapshot.get(part))
    ]


def _says_something(text: str) -> bool:
    """Tell whether there is more than what iptables-save and nft print when nothing is loaded."""
    return any(
        line.strip() and (not line.lstrip().startswith("#") or "incompatible" in line)
        for line in text.split("\n")
    )


class _Edits:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.shown: list[str] = []

    def add(self, text: _Text, change: Change) -> None:
        edit = text.write(change)
        self.texts[text.part] = edit.after
        self.shown.extend([f"# {text.part}", edit.shown])

    def require(self, complaint: str) -> None:
        if not self.texts:
            raise InputError(complaint, expected="a chain that sees forwarded packets")


class _Sum:
    """Parts added up to one policy; the keys of a part's chains start with its name."""

    def __init__(self) -> None:
        self.chains: dict[str, Chain] = {}
        self.hooks: dict[Hook, list[str]] = {hook: [] for hook in Hook}
        self.nat: list[NatRule] = []
        self.routes: list[Route] = []
        self.unread: list[Unread] = []

    def add(self, part: str, policy: Policy) -> None:
        for key, chain in policy.chains.items():
            rules = tuple(
                replace(rule, jump=f"{part}: {rule.jump}") if rule.jump else rule for rule in chain.rules
            )
            self.chains[f"{part}: {key}"] = replace(chain, rules=rules)
        for hook, keys in policy.hooks.items():
            self.hooks[hook].extend(f"{part}: {key}" for key in keys)
        self.nat.extend(policy.nat)
        self.routes.extend(policy.routes)
        self.unread.extend(replace(one, why=f"{part}: {one.why}") for one in policy.unread)

    def add_unread(self, part: str, why: str, families: Family) -> None:
        self.unread.append(Unread(line=0, text=part, why=why))
        rule = Rule(matches=(Match(),), action=Action.UNKNOWN, line=0, text=f"part {part} cannot be read")
        self._add_everywhere(part, Chain(name=part, families=families, rules=(rule,), default=Action.ACCEPT))

    def _add_everywhere(self, key: str, chain: Chain) -> None:
        self.chains[key] = chain
        for keys in self.hooks.values():
            keys.append(key)

    def add_no_forwarding(self, family: Family, line: int) -> None:
        key = f"sysctl: {family.name} forwarding"
        self.chains[key] = Chain(
            name=f"{family.name} forwarding is off", families=family, rules=(), default=Action.DROP,
            default_line=line,
        )  # fmt: skip
        self.hooks[Hook.FORWARD].insert(0, key)

    def policy(self) -> Policy:
        return Policy(
            dialect=NAME,
            families=Family.BOTH,
            chains=self.chains,
            hooks={hook: tuple(keys) for hook, keys in self.hooks.items()},
            nat=tuple(self.nat),
            routes=tuple(self.routes),
            unread=tuple(self.unread),
        )


def _not_forwarding(text: str) -> list[tuple[Family, int]]:
    """Return the families that the kernel does not forward, with the line that says so."""
    off: dict[Family, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if setting := _SYSCTL.match(line):
            family = FORWARDING.get(setting[1].replace("/", "."))
            if family and setting[2] == "0":
                off.setdefault(family, number)
    return list(off.items())


def _canonical(part: str, text: str) -> str:
    try:
        return _CANONICAL[part](text) if _says_something(text) else ""
    except InputError as error:
        # Whatever is no text of its kind is compared as it stands: it can hide nothing that way.
        return f"unread: {error}\n{text}"


def _sysctl(text: str) -> str:
    settings: dict[str, str] = {}
    for line in text.split("\n"):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        setting = _SYSCTL.match(bare)
        key, value = (setting[1].replace("/", "."), " ".join(setting[2].split())) if setting else (bare, "")
        settings[key] = value
    return "".join(f"{key} = {value}\n" for key, value in sorted(settings.items()))


def _iptables(family: Family) -> Callable[[str], str]:
    return lambda text: IPTABLES.canonical(text, family=family)


def _routes(family: Family | None) -> Callable[[str], str]:
    return lambda text: iproute2.canonical_routes(text, family)


_CANONICAL: Final[Mapping[str, Callable[[str], str]]] = {
    "nft": lambda text: NFTABLES.canonical(text),
    "iptables": _iptables(Family.V4),
    "ip6tables": _iptables(Family.V6),
    "iptables-legacy": _iptables(Family.V4),
    "ip6tables-legacy": _iptables(Family.V6),
    "ipset": ipset.canonical,
    "routes4": _routes(Family.V4),
    "routes6": _routes(Family.V6),
    "rules4": iproute2.canonical_rules,
    "rules6": iproute2.canonical_rules,
    "sysctl": _sysctl,
    "boot/nftables.conf": lambda text: NFTABLES.canonical(text),
    "boot/rules.v4": _iptables(Family.V4),
    "boot/rules.v6": _iptables(Family.V6),
    "boot/ipsets": ipset.canonical,
    "boot/routes": _routes(None),
    "boot/sysctl": _sysctl,
}
