"""What detectors say to a person."""

from __future__ import annotations

import re
from pathlib import Path

import fwguard.detect
from fwguard.detect.flow import quote
from fwguard.detect.words import WORDS, say
from fwguard.model.detection import Reason
from fwguard.model.inventory import Language

ROOM = Path(fwguard.detect.__file__).parent


def test_every_reason_is_said_in_both_languages() -> None:
    """With the same facts in each."""
    for key, words in WORDS.items():
        assert set(Language) == set(words), key
        fields = [set(re.findall(r"{(\w+)}", text)) for text in words.values()]
        assert fields[0] == fields[1], key


def test_no_detector_gives_a_reason_without_words() -> None:
    """Each key that stands in the code is in the table."""
    used: set[str] = set()
    for path in ROOM.glob("*.py"):
        used |= set(re.findall(r'Reason\(\s*"([a-z0-9-]+)"', path.read_text()))
    assert used
    assert used <= set(WORDS)


def test_says_the_facts() -> None:
    """A sentence."""
    reason = Reason("socks5", (("methods", "0 2"), ("chosen", "2")))
    assert "SOCKS 5: methods 0 2 offered, 2 chosen" == say(reason, Language.EN)


def test_what_an_attacker_wrote_is_quoted_without_control_characters() -> None:
    """Short, one line, printable ASCII."""
    assert "NICK a..[2J" == quote(b"NICK a\x00\x1b[2J\r\nmore")
    assert 60 == len(quote(b"x" * 5000))
