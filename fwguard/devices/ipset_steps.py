"""From one text of `ipset save` to another, as input of `ipset -exist restore` (ipset(8))."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSteps:
    """What to do around the rules that match the sets; every field is the input of one step, or empty.

    `retyped` names, a line each, the sets whose type changes: no rule may match them meanwhile, since a set
    in use can neither go nor be swapped with one of another type.
    """

    before_rules: str
    retyped: str
    after_retyping: str
    unwanted: str


def set_steps(now: str, wanted: str) -> SetSteps:
    """Compare two texts. A set in use is filled beside and swapped in at once."""
    old, new = _sets(now), _sets(wanted)
    first: list[str] = []
    again: list[str] = []
    retyped: list[str] = []
    for name, lines in new.items():
        if name not in old:
            first += [lines[0], f"flush {name}"]
        elif old[name][0] != lines[0]:
            retyped.append(name)
            again += lines
    for number, (name, lines) in enumerate(new.items()):
        if name not in old:
            first += lines[1:]
        elif old[name][0] == lines[0] and old[name] != lines:
            beside = f"fwguard-{number}"
            first += [lines[0], _renamed(lines[0], beside), f"flush {beside}"]
            first += [_renamed(line, beside) for line in lines[1:]]
            first += [f"swap {beside} {name}", f"destroy {beside}"]
    # Members of another set go after it.
    unwanted = sorted((name for name in old if name not in new), key=lambda name: not _is_list(old[name][0]))
    retyped.sort(key=lambda name: not _is_list(old[name][0]))
    return SetSteps(
        before_rules=_text(first),
        retyped=_text(retyped),
        after_retyping=_text(again),
        unwanted=_text(unwanted),
    )


def _sets(text: str) -> dict[str, list[str]]:
    """Each set's create line and its entries, in the order of the text."""
    sets: dict[str, list[str]] = {}
    for line in text.split("\n"):
        words = line.split(maxsplit=2)
        if len(words) == 3 and words[0] == "create":
            sets[words[1]] = [line.strip()]
        elif len(words) == 3 and words[0] == "add" and words[1] in sets:
            sets[words[1]].append(line.strip())
    return sets


def _renamed(line: str, name: str) -> str:
    verb, _, rest = line.split(maxsplit=2)
    return f"{verb} {name} {rest}"


def _is_list(create: str) -> bool:
    return create.split()[2].startswith("list:")


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
