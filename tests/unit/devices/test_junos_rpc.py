"""Bad answers and bad asks of Junos over NETCONF; the usual ones are golden files."""

from __future__ import annotations

import pytest

from fwguard.devices.junos_rpc import configuration, refusal, write_plan
from fwguard.errors import CommitRefusedError, InputError, PartialReadingError

TWO = "<rpc-reply><configuration-text>a;</configuration-text><configuration-text>b;</configuration-text></rpc-reply>"


@pytest.mark.parametrize(
    "reply",
    ["", "not xml", "<hello/>", "<rpc-reply/>", "<rpc-reply><configuration-text>a;", TWO,
     "<rpc-reply><configuration-text>a;<b/></configuration-text></rpc-reply>"],
)  # fmt: skip
def test_an_answer_that_is_no_whole_configuration_is_none(reply: str) -> None:
    """Half a text would be drift, and be put back."""
    with pytest.raises(PartialReadingError):
        configuration(reply)


def test_an_error_without_severity_is_an_error() -> None:
    """Only what says that it is a warning is one."""
    assert "no reason given" == refusal("<rpc-reply><ok/><rpc-error/></rpc-reply>")


def test_what_a_device_says_is_bounded() -> None:
    """It may say anything."""
    error = "<rpc-error><error-message>{}</error-message></rpc-error>"
    said = refusal(
        "<rpc-reply>" + "".join(error.format(f"{n} " * 1000) for n in range(1000)) + "</rpc-reply>"
    )
    assert 600 == len(said)


@pytest.mark.parametrize(("confirm_s", "minutes"), [(1, "1"), (60, "1"), (61, "2"), (600, "10")])
def test_a_deadline_is_told_in_whole_minutes(confirm_s: int, minutes: str) -> None:
    """Rounded up: never shorter than was meant."""
    assert (
        f"<confirm-timeout>{minutes}</confirm-timeout>"
        in write_plan("a;\n", id="w", confirm_s=confirm_s).write[1]
    )


@pytest.mark.parametrize("confirm_s", [0, -1, 65_535 * 60 + 1])
def test_a_deadline_that_no_device_takes_is_refused(confirm_s: int) -> None:
    """Before anything is said."""
    with pytest.raises(InputError):
        write_plan("a;\n", id="w", confirm_s=confirm_s)


def test_control_characters_are_refused() -> None:
    """XML cannot carry them."""
    with pytest.raises(CommitRefusedError):
        write_plan("a \x01;\n", id="w", confirm_s=60)
