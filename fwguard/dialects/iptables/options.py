"""The words of one rule as options: spellings, abbreviations and `!` made one, the target told apart.

Source: iptables(8), iptables-extensions(8).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from fwguard.dialects.iptables.blocks import Quoted

# Spelling -> (one name, how many values). Core options; `-c` are the counters of a rule.
CORE: Final = {
    "-s": ("--source", 1), "--src": ("--source", 1), "--source": ("--source", 1),
    "-d": ("--destination", 1), "--dst": ("--destination", 1), "--destination": ("--destination", 1),
    "-i": ("--in-interface", 1), "--in-interface": ("--in-interface", 1),
    "-o": ("--out-interface", 1), "--out-interface": ("--out-interface", 1),
    "-p": ("--protocol", 1), "--protocol": ("--protocol", 1), "--proto": ("--protocol", 1),
    "-f": ("--fragment", 0), "--fragment": ("--fragment", 0), "--fragments": ("--fragment", 0),
    "-j": ("--jump", 1), "--jump": ("--jump", 1), "-g": ("--goto", 1), "--goto": ("--goto", 1),
    "-m": ("--match", 1), "--match": ("--match", 1), "-c": ("--set-counters", 2),
    "--set-counters": ("--set-counters", 2),
}  # fmt: skip
# Options of match modules that can be decided for the first packet of a connection.
DECIDED: Final = {
    "--sport": ("--sport", 1), "--source-port": ("--sport", 1), "--dport": ("--dport", 1),
    "--destination-port": ("--dport", 1), "--sports": ("--sports", 1), "--source-ports": ("--sports", 1),
    "--dports": ("--dports", 1), "--destination-ports": ("--dports", 1), "--ports": ("--ports", 1),
    "--src-range": ("--src-range", 1), "--dst-range": ("--dst-range", 1), "--icmp-type": ("--icmp-type", 1),
    "--icmpv6-type": ("--icmpv6-type", 1), "--state": ("--ctstate", 1), "--ctstate": ("--ctstate", 1),
    "--ctproto": ("--ctproto", 1), "--ctorigsrc": ("--ctorigsrc", 1), "--ctorigdst": ("--ctorigdst", 1),
    "--ctorigsrcport": ("--ctorigsrcport", 1), "--ctorigdstport": ("--ctorigdstport", 1),
    "--ctdir": ("--ctdir", 1),
    "--tcp-flags": ("--tcp-flags", 2), "--syn": ("--syn", 0), "--match-set": ("--match-set", 2),
    "--comment": ("--comment", 1),
}  # fmt: skip
DECIDED_MODULES: Final = frozenset({
    "tcp", "udp", "udplite", "sctp", "dccp", "multiport", "iprange", "icmp", "icmp6", "ipv6-icmp", "icmpv6",
    "state", "conntrack", "set", "comment", "standard",
})  # fmt: skip
# Well known, but no packet alone decides them: a rate, a mark, the hour, what lies inside.
UNDECIDED_MODULES: Final = frozenset({
    "addrtype", "ah", "bpf", "cgroup", "cluster", "condition", "connbytes", "connlabel", "connlimit",
    "connmark",
    "cpu", "devgroup", "dscp", "dst", "ecn", "esp", "eui64", "frag", "fuzzy", "geoip", "hashlimit", "hbh",
    "helper", "hl", "iface", "ipcomp", "ipp2p", "ipv4options", "ipv6header", "ipvs", "length", "length2",
    "limit",
    "lscan", "mac", "mark", "mh", "nfacct", "osf", "owner", "physdev", "pkttype", "policy", "pom", "psd",
    "quota",
    "quota2", "random", "rateest", "realm", "recent", "rpfilter", "rt", "socket", "srh", "statistic",
    "string",
    "tcpmss", "time", "tos", "ttl", "u32", "webstr",
})  # fmt: skip
# One value whatever it looks like: text that may start with a dash.
ONE_WORD: Final = frozenset({
    "--log-prefix", "--nflog-prefix", "--ulog-prefix", "--string", "--hex-string", "--name",
    "--hashlimit-name",
    "--u32", "--bytecode", "--object-pinned", "--rateest-name", "--path", "--helper", "--led-trigger-id",
})  # fmt: skip


MAX_WORDS: Final = 255  # iptables-restore takes no more (MAX_ARGC)


class Option(NamedTuple):
    """One option: its one name, its values, whether `!` stood before it, and whose module it is."""

    name: str
    values: tuple[str, ...]
    negated: bool
    owner: str


@dataclass(slots=True)
class Parsed:
    """A rule as options. `problems` says what is well formed but not understood."""

    options: list[Option] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    target: str = ""
    goto: bool = False
    target_options: list[Option] = field(default_factory=list)
    comment: str = ""
    problems: list[str] = field(default_factory=list)
    torn: bool = False  # the target itself is in doubt

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of a target option, empty when it does not stand there."""
        return next((option.values for option in self.target_options if option.name == name), ())


def parse_rule(words: list[str]) -> Parsed:
    """Read the words after the chain's name. Never raises: what is odd is said in `problems`."""
    parsed = Parsed()
    if len(words) > MAX_WORDS:
        parsed.problems.append(f"{len(words)} words")
        parsed.torn = True
        return parsed
    owner = ""  # "" core, "-j" the target, else a match module
    negated = False
    position, end = 0, len(words)
    while position < end:
        word = words[position]
        position += 1
        if word == "!" and not isinstance(word, Quoted):
            negated = not negated
            continue
        if word[:1] != "-" or isinstance(word, Quoted):
            parsed.problems.append(f"{word[:60]!r} is no option")
            parsed.torn = True
            continue
        known = CORE.get(word) or DECIDED.get(word)
        if known is None:
            word, attached, known = _other_spelling(word, owner)
            if attached is not None:
                words = [*words[:position], attached, *words[position:]]
                end += 1
        if known is None:
            start = position
            if word in ONE_WORD:
                position = min(position + 1, end)
            else:
                while position < end and (
                    words[position][:1] not in ("-", "!") or isinstance(words[position], Quoted)
                ):
                    position += 1
            _add_other(parsed, Option(word, tuple(words[start:position]), negated, owner))
            negated = False
            continue
        name, arity = known
        if arity and position < end and words[position] == "!" and not isinstance(words[position], Quoted):
            negated = not negated  # the old spelling, `-s ! 192.0.2.1`
            position += 1
        values = tuple(words[position : position + arity])
        position += arity
        if len(values) < arity:
            parsed.problems.append(f"{word} has no value")
            parsed.torn = True
            break
        if name == "--match":
            owner = values[0]
            parsed.modules.append(owner)
        elif name in ("--jump", "--goto"):
            if parsed.target or negated or values[0][:1] in ("-", ""):
                parsed.problems.append(f"{word} {values[0][:40]}")
                parsed.torn = True
            parsed.target, parsed.goto, owner = values[0], name == "--goto", "-j"
        elif name == "--comment":
            parsed.comment = values[0]
        elif name != "--set-counters":
            parsed.options.append(Option(name, values, negated, owner))
        negated = False
    if negated:
        parsed.problems.append("! stands before nothing")
        parsed.torn = True
    for module in parsed.modules:
        if module not in DECIDED_MODULES and module not in UNDECIDED_MODULES:
            parsed.problems.append(f"match {module[:40]!r} is not known")
    return parsed


def _add_other(parsed: Parsed, option: Option) -> None:
    if option.owner == "-j":
        parsed.target_options.append(option)
        return
    parsed.options.append(option)
    if option.owner not in UNDECIDED_MODULES:
        parsed.problems.append(f"option {option.name[:40]} is not known")


def _other_spelling(word: str, owner: str) -> tuple[str, str | None, tuple[str, int] | None]:
    """Return the word, a value written in one with it, and what it means if it is known after all."""
    if word[:2] != "--":
        if len(word) > 2 and word[:2] in CORE:
            return word[:2], word[2:], CORE[word[:2]]
        return word, None, None
    name, equals, value = word.partition("=")
    attached = value if equals else None
    known = CORE.get(name) or DECIDED.get(name)
    if known is None and (owner == "" or owner in DECIDED_MODULES):
        # getopt_long takes any abbreviation that means one option.
        meant = {entry for full, entry in (CORE | DECIDED).items() if full.startswith(name)}
        if len(meant) == 1 and len(name) > 3:
            known = meant.pop()
    return name, attached, known
