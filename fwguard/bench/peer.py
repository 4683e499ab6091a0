"""The same questions to a peer: Aerleon's `aclcheck` and shade check, on the same rules and packets, in the same run.

Aerleon is an optional extra (`pip install fwguard[peers]`); without it the benchmark says so. Both get one
flat list, since Aerleon has no chains, made by `generated.py`.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from dataclasses import replace
from typing import Any, Final

from fwguard.analysis.lint import Kind, lint
from fwguard.analysis.query import Judge
from fwguard.bench.generated import generated_packets, generated_policy
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Action, Chain, Hook, Match, Policy, Rule

RULES: Final = 2_000
PACKETS: Final = 100
_ACTIONS: Final = {Action.ACCEPT: "accept", Action.DROP: "deny"}
_PROTOCOLS: Final = {6: "tcp", 17: "udp"}


def run_peer(*, rules: int = RULES, packets: int = PACKETS) -> dict[str, Any]:
    """Return both tools' times on about `rules` rules, and how often they agree; seconds unless named so."""
    if importlib.util.find_spec("aerleon") is None:
        return {"aerleon": "not installed: pip install 'fwguard[peers]'; no ratio was taken"}
    policy = flat_policy(rules)
    asked = generated_packets(policy, packets)
    own = _own(policy, asked)
    theirs = _aerleon(policy, asked)
    answers = zip(own.pop("answers"), theirs.pop("answers"), strict=True)
    shadowed, accused, shaded = own["shadowed"], own.pop("accused"), theirs["shaded"]
    return {
        "rules": policy.rule_count,
        "packets": packets,
        "fwguard": {**own, "shadowed": len(shadowed)},
        "aerleon": {**theirs, "shaded": len(shaded)},
        "answers_alike": sum(ours == other for ours, other in answers),
        "shaded_that_lint_accuses_too": len(shaded & accused),
        "query_times_faster": round(theirs["query_s"] / own["query_s"]),
        "shadowing_times_faster": round(theirs["shade_check_s"] / own["lint_s"]),
    }


def flat_policy(rules: int) -> Policy:
    """Return the generated service rules as one chain, without states and interfaces; the last one drops all."""
    flat: list[Rule] = []
    for chain in generated_policy(max(2 * rules, 600)).chains.values():
        for rule in chain.rules:
            match = rule.matches[0]
            if rule.action is Action.ACCEPT and match.dport.size < 65536 and len(flat) < rules:
                plain = Match(
                    source=match.source, target=match.target, protocol=match.protocol, dport=match.dport
                )
                flat.append(replace(rule, matches=(plain,), line=len(flat) + 1))
    only = Chain(name="forward", families=flat[0].matches[0].target.families, rules=tuple(flat),
                 default=Action.DROP)  # fmt: skip
    return Policy(
        dialect="generated",
        families=only.families,
        chains={"forward": only},
        hooks={Hook.FORWARD: ("forward",)},
    )


def _own(policy: Policy, packets: list[Packet]) -> dict[str, Any]:
    started = time.perf_counter()
    findings = lint(policy)
    lint_s = time.perf_counter() - started
    started = time.perf_counter()
    judge = Judge(policy)  # built here: its cost is part of the answer
    answers = [judge.verdict(packet).answer is Answer.ACCEPT for packet in packets]
    query_s = time.perf_counter() - started
    idle = (Kind.SHADOWED, Kind.REDUNDANT, Kind.NEVER_MATCHES)
    return {
        "lint_s": round(lint_s, 4),
        "query_s": round(query_s, 6),
        "answers": answers,
        "shadowed": {finding.line for finding in findings if finding.kind is Kind.SHADOWED},
        "accused": {finding.line for finding in findings if finding.kind in idle},
    }


def _aerleon(policy: Policy, packets: list[Packet]) -> dict[str, Any]:
    """Ask Aerleon: its policy is built from a dictionary, as its own API has it."""
    from aerleon.lib import naming
    from aerleon.lib.aclcheck import AclCheck
    from aerleon.lib.policy import FromBuilder
    from aerleon.lib.policy_builder import PolicyBuilder

    definitions, terms = _in_their_words(policy)
    names = naming.Naming()
    names.ParseDefinitionsObject(definitions, "")
    filters: Any = [{"header": {"targets": {"cisco": "test extended"}}, "terms": terms}]
    shaded: set[int] = set()
    heard = _Warnings(shaded)
    logging.getLogger().addHandler(heard)
    built = {}
    try:
        for shade_check in (False, True):
            started = time.perf_counter()
            builder = PolicyBuilder({"filename": "bench", "filters": filters}, names, True, shade_check)
            built[shade_check] = FromBuilder(builder), time.perf_counter() - started
    finally:
        logging.getLogger().removeHandler(heard)
    found, build_s = built[False]
    started = time.perf_counter()
    answers = []
    for packet in packets:
        check = AclCheck(
            found, src=packet.source, dst=packet.target, sport=packet.sport, dport=packet.dport,
            proto=_PROTOCOLS[packet.protocol],
        )  # fmt: skip
        answers.append(any("accept" in match.action for match in check.ExactMatches()))
    return {
        "build_s": round(build_s, 4),
        "shade_check_s": round(built[True][1] - build_s, 4),
        "query_s": round(time.perf_counter() - started, 4),
        "answers": answers,
        "shaded": shaded,
    }


def _in_their_words(policy: Policy) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    networks: dict[str, Any] = {}
    services: dict[str, Any] = {}
    terms = []
    for rule in policy.chains["forward"].rules:
        match = rule.matches[0]
        protocol = _PROTOCOLS[match.protocol.first]
        service = f"S{protocol}" + "_".join(f"{low}-{high}" for low, high in match.dport)
        services[service.upper()] = [
            {"protocol": protocol, "port": f"{low}-{high}" if high > low else str(low)}
            for low, high in match.dport
        ]
        term: dict[str, Any] = {
            "name": f"line-{rule.line}",
            "protocol": protocol,
            "destination-port": service.upper(),
            "action": _ACTIONS[rule.action],
        }
        for field, addresses in (("source-address", match.source), ("destination-address", match.target)):
            if addresses.v4.size < 1 << 32:
                name = "N" + "_".join(addresses.texts()).replace(".", "_").replace("/", "_")
                networks[name] = {"values": [{"address": text} for text in addresses.texts()]}
                term[field] = name
        terms.append(term)
    terms.append({"name": "drop", "action": "deny"})
    return {"networks": networks, "services": services}, terms


class _Warnings(logging.Handler):
    """Aerleon says what is shaded in warnings only."""

    def __init__(self, lines: set[int]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage().split()
        if words[1:3] == ["is", "shaded"] and words[0].startswith("line-"):
            self._lines.add(int(words[0].removeprefix("line-")))


if __name__ == "__main__":
    import json

    print(json.dumps(run_peer(), indent=1))
