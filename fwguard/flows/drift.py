"""How one reading differs from the approved state, and what that means in words (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fwguard.analysis.compare import compare
from fwguard.analysis.difference import Difference
from fwguard.analysis.explain import explain
from fwguard.dialects.table import PLATFORMS
from fwguard.errors import FwguardError
from fwguard.model.inventory import Language, Platform
from fwguard.model.policy import Policy
from fwguard.model.snapshot import Snapshot

MOST_LINES: Final = 12
LONGEST_LINE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Which parts differ, their changed lines as text, and what they mean in each language."""

    parts: tuple[str, ...]
    text: str
    words: Mapping[Language, tuple[str, ...]]


@lru_cache(maxsize=256)
def canonical(platform: Platform, snapshot: Snapshot) -> Mapping[str, str]:
    """Return each part as it is compared. Cached: a baseline is compared with thousands of readings."""
    return PLATFORMS[platform].canonical(snapshot)


@lru_cache(maxsize=64)
def policy_of(platform: Platform, snapshot: Snapshot) -> Policy:
    """Return what a snapshot does."""
    return PLATFORMS[platform].policy(snapshot)


def differing_parts(platform: Platform, approved: Snapshot, reading: Snapshot) -> tuple[str, ...]:
    """Return the names of the parts that differ in more than counters, comments and order without meaning.

    A text that its dialect cannot read at all is compared as it is: unknown is never equal (DESIGN.md 4.5).
    """
    if approved.digest == reading.digest:
        return ()
    try:
        before, after = canonical(platform, approved), canonical(platform, reading)
    except FwguardError:
        before, after = approved.parts, reading.parts
    return tuple(name for name in sorted({*before, *after}) if before.get(name, "") != after.get(name, ""))


def describe(
    platform: Platform,
    approved: Snapshot,
    reading: Snapshot,
    parts: tuple[str, ...],
    name_of: Callable[[str], str | None],
) -> Drift:
    """Say what differs: in words where both sides can be read, and as changed lines in any case."""
    difference = _difference(platform, approved, reading)
    words: dict[Language, tuple[str, ...]] = {}
    for language in Language:
        lines = list(explain(difference, language=language, name_of=name_of)) if difference else []
        words[language] = tuple(lines or _by_part(parts, language))
    return Drift(parts=parts, text=changed_lines(platform, approved, reading, parts), words=words)


def _difference(platform: Platform, approved: Snapshot, reading: Snapshot) -> Difference | None:
    try:
        return compare(policy_of(platform, approved), policy_of(platform, reading))
    except FwguardError:
        return None  # what was written there is no longer a text of its dialect


def _by_part(parts: tuple[str, ...], language: Language) -> tuple[str, ...]:
    """Say where something differs when nothing that passes does (a boot file, a rule without effect)."""
    boot = {
        Language.FR: "modifie la configuration de démarrage ({})",
        Language.EN: "changes the boot configuration ({})",
    }
    running = {
        Language.FR: "modifie {} sans effet sur les nouvelles connexions",
        Language.EN: "changes {} without effect on new connections",
    }
    return tuple(
        (boot if name.startswith(("boot/", "startup")) else running)[language].format(name) for name in parts
    )


def changed_lines(platform: Platform, approved: Snapshot, reading: Snapshot, parts: tuple[str, ...]) -> str:
    """Return the lines taken away (`- `) and added (`+ `), part by part, bounded in number and length."""
    try:
        before, after = canonical(platform, approved), canonical(platform, reading)
    except FwguardError:
        before, after = approved.parts, reading.parts
    lines: list[str] = []
    for name in parts:
        changed = [
            line[:LONGEST_LINE]
            for line in difflib.unified_diff(
                before.get(name, "").splitlines(), after.get(name, "").splitlines(), n=0, lineterm=""
            )
            if line[:1] in "+-" and line[:3] not in ("+++", "---")
        ]
        lines.append(f"[{name}]")
        lines += changed[:MOST_LINES]
        if len(changed) > MOST_LINES:
            lines.append(f"… {len(changed) - MOST_LINES} more")
    return "\n".join(lines)
