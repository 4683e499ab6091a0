"""How long addresses wait: the control `address` of clause 4, every value checked, every complaint with its line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Final

from fwguard.errors import InputError
from fwguard.model.document import read_document
from fwguard.model.machine_state import AddressRules

FILE: Final = "04-address.yaml"
_MOST_S: Final = 3660 * 86400


def read_address_rules(folder: Path) -> AddressRules:
    """Read the control of the folder `rules/`. Raises InputError with file, line and what was expected."""
    path = folder / "clauses" / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{error}", where=str(path), expected="clause 4 with its control `address`"
        ) from None
    return parse_address_rules(text, str(path))


def parse_address_rules(text: str, file: str) -> AddressRules:
    """Read the text of the clause: all of its values, in whole seconds, none of them more than ten years."""
    root = read_document(text, file)
    parts = root.mapping()
    if "controls" not in parts:
        raise root.fail("lacks controls", "a line `controls:` with `address:` below it")
    control = parts["controls"].mapping()
    if "address" not in control:
        raise parts["controls"].fail("lacks address", "a line `address:` with its times below it")
    values = control["address"].mapping(required=tuple(one.name for one in fields(AddressRules)))
    return AddressRules(**{name: value.integer(0, _MOST_S) for name, value in values.items()})
