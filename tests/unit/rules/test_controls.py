"""The controls of clauses: read whole or not at all, every complaint with its line; previews name who is meant."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_states import large_state

from fwguard.errors import InputError
from fwguard.model.controls import Mode, Passage, Reason, Rung, ServiceKind
from fwguard.rules.controls import CONTROLS_BY_CLAUSE, read_controls
from fwguard.rules.preview import check_rules, moves, read_rules, touched
from fwguard.rules.services import parse_services

RULES = Path(__file__).parents[3] / "rules"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the rules we ship."""
    return Path(shutil.copytree(RULES, tmp_path / "rules"))


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Change one file of the copy."""
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_we_ship_is_what_the_contract_says() -> None:
    """Mail on 25, 465, 587, 2525; 101 Mbit/s; 72 hours; at once for intrusion; nothing open for who does not pay."""
    controls = read_controls(RULES)
    assert (25, 465, 587, 2525) == controls.mail.ports
    assert (101_000_000, 72 * 3600) == (controls.bandwidth.assured_bps, controls.retrieval.window_s)
    assert (Rung.SERVER,) == controls.intrusion.ladder.rungs
    assert (Rung.WARN, Rung.PORT, Rung.SERVICE, Rung.SERVER) == controls.mail.ladder.rungs
    assert Mode.ENFORCE == controls.firewall.mode
    assert () == controls.isolation.stays_open[Reason.PAYMENT]
    assert (Passage.CONSOLE,) == controls.isolation.stays_open[Reason.HACKED]
    assert set(ServiceKind) == {service.kind for service in controls.registration.services}


def test_every_clause_that_is_enforced_has_its_control() -> None:
    """Those of the issue, by name."""
    enforced = {"4", "6.1", "7.1", "7.1.1", "7.4", "7.5", "7.7", "8", "13.2", "annex-2", "annex-3"}
    assert enforced <= CONTROLS_BY_CLAUSE.keys()
    assert [] == check_rules(RULES)


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("clauses/07-7-bandwidth.yaml", "101000000", "lots", r"07-7-bandwidth\.yaml:\d+: .*assured_bps.*number"),
        ("clauses/07-7-bandwidth.yaml", "101000000", "0", r"bandwidth\.yaml:\d+: .*out of bounds"),
        ("clauses/07-7-bandwidth.yaml", "assured_bps", "assured", r"bandwidth\.yaml:\d+: .*assured.*not known"),
        ("clauses/07-7-bandwidth.yaml", "  bandwidth:", "  width:", r"bandwidth\.yaml:\d+: .*width: is not known"),
        ("clauses/07-4-mail.yaml", "smtps", "smtpz", r"mail\.yaml:\d+: .*smtpz.*one of"),
        ("clauses/07-4-mail.yaml", "[warn, port", "[port, warn", r"mail\.yaml:\d+: .*mildest first"),
        ("clauses/07-4-mail.yaml", "[smtp, smtps, submission]", "[dns]", r"mail\.yaml:\d+: .*no mail"),
        ("clauses/07-5-registration.yaml", "[irc, ircs]", "[irc, socks]", r"registration\.yaml:\d+: .*port 1080"),
        ("clauses/08-suspension.yaml", "      payment: []", "      pay: []", r"suspension\.yaml:\d+: .*pay"),
        ("clauses/08-suspension.yaml", "[console]", "[door]", r"suspension\.yaml:\d+: .*door"),
        ("clauses/13-2-leaving.yaml", "window_s: 72 h", "window_s: 72 hours", r"leaving\.yaml:\d+: .*duration"),
        ("clauses/07-1-1-firewall.yaml", "mode: enforce", "mode: maybe", r"firewall\.yaml:\d+: .*enforce"),
        ("clauses/15-secrecy.yaml", "clause:", "controls: {a: b}\nclause:", r"secrecy\.yaml:\d+: .*not known here"),
        ("services.yaml", "tcp/25]", "tcp/25-20]", r"services\.yaml:\d+: .*20-25"),
        ("services.yaml", "tcp/25]", "icmp]", r"services\.yaml:\d+: .*tcp/25 or"),
        ("services.yaml", "smtp: ", "smtps: ", r"services\.yaml:\d+: smtps: stands twice"),
    ],
)  # fmt: skip
def test_a_bad_line_refuses_the_whole(folder: Path, name: str, old: str, new: str, complaint: str) -> None:
    """With file, line and what was expected."""
    edit(folder, name, old, new)
    with pytest.raises(InputError, match=complaint):
        read_controls(folder)
    assert check_rules(folder)


def test_a_clause_without_its_control_is_missed(folder: Path) -> None:
    """What is enforced today cannot be dropped by leaving it out."""
    (folder / "clauses" / "07-4-mail.yaml").unlink()
    with pytest.raises(InputError, match=r"7\.4 lacks its control"):
        read_controls(folder)


def test_a_service_has_ports() -> None:
    """A name without any would enforce nothing."""
    with pytest.raises(InputError, match="no port"):
        parse_services("smtp: []\n", "services.yaml")


def test_a_preview_names_what_moves_and_for_whom(folder: Path) -> None:
    """A new mail port is about every server that is no mail server, and the digest moves."""
    before = read_rules(RULES)
    edit(folder, "clauses/07-4-mail.yaml", "submission]", "submission, http]")
    after = read_rules(folder)
    (move,) = moves(before, after)
    assert ("7.4", "mail.ports", "25, 465, 587, 2525", "25, 80, 465, 587, 2525") == (
        move.clause, move.path, move.before, move.after,
    )  # fmt: skip
    assert before.digest != after.digest
    assert ("s0-0", "s0-1") == touched(move, large_state(2, 0))


def test_equal_folders_move_nothing(folder: Path) -> None:
    """Neither values nor the digest."""
    assert [] == moves(read_rules(RULES), read_rules(folder))
    assert read_rules(RULES).digest == read_rules(folder).digest
