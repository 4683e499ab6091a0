"""What Junos is told over NETCONF, and what it answers: pure. Written from Juniper's documents alone.

Sources: Juniper, "NETCONF XML Management Protocol Developer Guide", chapter "Junos XML Protocol Elements
Supported in NETCONF Sessions": `<get-configuration>`, `<load-configuration>`, `<load-configuration-results>`,
`<lock-configuration/>`, `<commit-configuration>` (confirm-timeout is in minutes there, while `<commit>` takes
seconds), `<xnm:error>`; "Commit the Candidate Configuration Using NETCONF" (a commit that succeeds with warnings
is answered by `<ok/>` and `<rpc-error>` of severity warning).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from fwguard.devices.command_line.plan import Plan
from fwguard.dialects.rfc8519.tree import BASE_NS
from fwguard.errors import CommitRefusedError, InputError, PartialReadingError

CAPABILITY: Final = "http://xml.juniper.net/netconf/junos/1.0"
COMMITTED: Final = '<get-configuration database="committed" format="text"/>'
CANDIDATE: Final = '<get-configuration database="candidate" format="text"/>'
LOCK: Final = "<lock-configuration/>"
UNLOCK: Final = "<unlock-configuration/>"
DISCARD: Final = f'<discard-changes xmlns="{BASE_NS}"/>'
COMMIT: Final = "<commit-configuration/>"
BACK: Final = '<load-configuration rollback="1"/>'  # what was committed before the last commit
MAX_CONFIRM_S: Final = 65_535 * 60
MOST_SAID: Final = 600


def write_plan(after: str, *, id: str, confirm_s: int) -> Plan:
    """Return the requests that make a locked device run `after`, make that final, and take it back.

    The deadline is rounded up to whole minutes. Raises InputError for one that no device takes,
    CommitRefusedError for a text that XML cannot carry.
    """
    if not 1 <= confirm_s <= MAX_CONFIRM_S:
        raise InputError(f"confirm_s {confirm_s}", expected=f"1 to {MAX_CONFIRM_S} seconds")
    confirmed = etree.Element("commit-configuration")
    etree.SubElement(confirmed, "confirmed")
    etree.SubElement(confirmed, "confirm-timeout").text = str(-(-confirm_s // 60))
    etree.SubElement(confirmed, "log").text = f"fwguard {id}"
    return Plan(
        write=(load(after), etree.tostring(confirmed, encoding="unicode")),
        confirm=(COMMIT,),
        undo=(BACK, COMMIT),
    )


def load(text: str) -> str:
    """Return the request that replaces the whole candidate by a text."""
    request = etree.Element("load-configuration", {"action": "override", "format": "text"})
    try:
        etree.SubElement(request, "configuration-text").text = text
    except ValueError:
        raise CommitRefusedError("the text holds control characters, which XML cannot carry") from None
    return etree.tostring(request, encoding="unicode")


def configuration(reply: str) -> str:
    """Return the text that a `get-configuration` was answered with. Raises PartialReadingError."""
    if said := refusal(reply):
        raise PartialReadingError(said)
    found = [one for one in _root(reply) if _name(one) == "configuration-text"]
    if len(found) != 1 or len(found[0]):
        raise PartialReadingError("an answer without one <configuration-text>: may our user see it there?")
    return (found[0].text or "").strip("\n") + "\n"


def refusal(reply: str) -> str:
    """Return why a request was refused, in the device's words and bounded; "" where it was not.

    A warning beside `<ok/>` is no refusal. An error is: at any depth, as `rpc-error` without severity too, as
    `xnm:error`, or only as the number of lines that were not loaded.
    """
    said = []
    for one in _root(reply).iter():
        name = _name(one)
        if name == "error" or (name == "rpc-error" and _text(one, "error-severity") != "warning"):
            said.append(_in_words(one))
        elif name == "load-error-count" and (one.text or "").strip() != "0":
            said.append(f"{(one.text or '?').strip()[:20]} errors while loading")
    return "; ".join(dict.fromkeys(said))[:MOST_SAID]


def warnings(reply: str) -> tuple[str, ...]:
    """Return what a device warns of, bounded: for the log."""
    found = [
        _in_words(one)
        for one in _root(reply).iter()
        if _name(one) == "warning"
        or (_name(one) == "rpc-error" and _text(one, "error-severity") == "warning")
    ]
    return tuple(one[:MOST_SAID] for one in dict.fromkeys(found))[:20]


def _root(reply: str) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(reply.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise PartialReadingError(f"an answer that is no XML: {error.msg}") from None
    if _name(root) != "rpc-reply":
        raise PartialReadingError(f"<{_name(root)[:40]}> where an <rpc-reply> was expected")
    return root


def _name(element: etree._Element) -> str:
    """Releases differ in the namespaces that they put around the same names."""
    return etree.QName(element).localname


def _below(element: etree._Element, name: str) -> Iterator[etree._Element]:
    return (one for one in element.iter() if _name(one) == name)


def _text(element: etree._Element, *names: str) -> str:
    for name in names:
        for one in _below(element, name):
            if text := " ".join("".join(part for part in one.itertext() if isinstance(part, str)).split()):
                return text
    return ""


def _in_words(error: etree._Element) -> str:
    """Say what, and at which statement; the names are those of rpc-error and of xnm:error."""
    message = _text(error, "error-message", "message") or _text(error, "error-tag") or "no reason given"
    parts = (message, _text(error, "error-path", "edit-path"), _text(error, "bad-element", "statement"))
    return " ".join(part for part in parts if part)
