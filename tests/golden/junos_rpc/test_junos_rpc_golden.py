"""What Junos is told over NETCONF, and what is read from its answers. `--update-golden` rewrites them."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from fwguard.devices.junos_rpc import configuration, refusal, warnings, write_plan
from fwguard.errors import PartialReadingError

HERE = Path(__file__).parent
WRITES = sorted(path.parent for path in HERE.glob("*/input.after"))
REPLIES = sorted(path.parent for path in HERE.glob("*/input.xml"))


def compare(case: Path, actual: str, config: pytest.Config) -> None:
    """Compare with the reviewed text, or rewrite it."""
    if config.getoption("--update-golden", default=False):
        (case / "want.txt").write_text(actual)
    assert (case / "want.txt").read_text() == actual


@pytest.mark.parametrize("case", WRITES, ids=lambda case: case.name)
def test_is_told_the_reviewed_requests(case: Path, pytestconfig: pytest.Config) -> None:
    """To write, to make it final, to take it back; 90 seconds are two minutes."""
    after = (case / "input.after").read_text()
    plan = write_plan(after, id="w1", confirm_s=90)
    assert after == etree.fromstring(plan.write[0]).findtext("configuration-text")
    actual = "".join(
        f"[{name}]\n" + "".join(f"{request}\n" for request in requests)
        for name, requests in (("write", plan.write), ("confirm", plan.confirm), ("undo", plan.undo))
    )
    compare(case, actual, pytestconfig)


@pytest.mark.parametrize("case", REPLIES, ids=lambda case: case.name)
def test_an_answer_is_read_as_reviewed(case: Path, pytestconfig: pytest.Config) -> None:
    """A refusal in the device's words, what it warns of, and the configuration where it holds one."""
    reply = (case / "input.xml").read_text()
    try:
        text = configuration(reply)
    except PartialReadingError as error:
        text = f"none: {error}\n"
    warned = "".join(f"{one}\n" for one in warnings(reply))
    compare(case, f"[refused]\n{refusal(reply)}\n[warned]\n{warned}[configuration]\n{text}", pytestconfig)
