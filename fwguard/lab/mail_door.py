"""The operator's mail door: a real exim that takes mail in, stamps what it knows of the sender, delivers.

Port 25 takes mail from anyone for the lab's mailboxes. Port 587 wants a login, whose own address must be
sender and From. Every mail leaves with one Authentication-Results of the door's own at its top; what
came with that header name is removed, as RFC 8601 section 5 allows at a border. The desk's mail goes to
the controller over LMTP, tried again every two seconds; all other mailboxes are Maildirs.
"""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Sequence
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Final

from fwguard.errors import InputError
from fwguard.lab import packages, traffic
from fwguard.lab import plan as p
from fwguard.lab.box import Box, File
from fwguard.lab.people import DESK, OPERATOR_DOMAIN, Person, outsiders
from fwguard.lab.plan import Plan

AUTHSERV_ID: Final = f"mail.{OPERATOR_DOMAIN}"
SUBMISSION_PORT: Final = 587
MAIL_DIRS: Final = "/var/mail"  # in the box; `mail` in the run's directory outside
_CONF: Final = "/etc/exim4/exim4.conf"  # where Debian's exim looks; named by -C, it would drop its rights
_EXIM: Final = "/usr/local/sbin/exim4"
_USER: Final = ("Debian-exim", 111, "/var/spool/exim4", "/usr/sbin/nologin")
_MEBIBYTE: Final = 1 << 20
MOST_BYTES: Final = 50 * _MEBIBYTE


def mail_box(plan: Plan, directory: Path) -> Box:
    """Return the mail host; its Maildirs stand in `directory`, which anyone who may read it can read.

    Raises:
        DeviceError: exim is not unpacked (`python -m fwguard.lab.packages`).
    """
    root = packages.mail_server()
    people = (*plan.people, *outsiders())
    domains = tuple(sorted({person.mail.partition("@")[2] for person in people}))
    mailboxes = "".join(f"{person.mail}: {person.mail}\n" for person in people)
    directory.mkdir()
    return Box(
        host="mail",
        netns=plan.netns("mail"),
        files={
            _CONF: File(text=exim_conf(domains)),
            "/etc/exim4/logins": File(text=_lines(people, "password"), mode=0o600),
            "/etc/exim4/senders": File(text=_lines(people, "mail")),
            "/etc/exim4/mailboxes": File(text=mailboxes),
            "/etc/network/addresses": File(text=_addresses()),
        },
        boot=(
            # Exim calls itself set-uid root, for which the loader believes its cache and no variable.
            f"install -m 4755 {packages.program(root)} {_EXIM}",
            f"cp {packages.loader_cache(root)} /etc/ld.so.cache",
            "ip -batch /etc/network/addresses",
            "mkdir -p /var/spool/exim4 /var/log/exim4 /run/exim4",
            "chown Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 /run/exim4 /etc/exim4/logins",
            f"chown Debian-exim:Debian-exim {MAIL_DIRS}",
            f"{_EXIM} -bV > /dev/null",  # a wrong configuration ends the start, with its line
        ),
        daemons=(f"{_EXIM} -bdf -q2s",),
        shared={MAIL_DIRS: directory},
        keep=(root,),
        users=(_USER,),
    )


def _lines(people: tuple[Person, ...], attribute: str) -> str:
    """Return an lsearch file of exim by login."""
    return "".join(f"{person.login}: {getattr(person, attribute)}\n" for person in people)


def _addresses() -> str:
    return f"""\
addr add {p.MAIL4}/24 dev eth0
addr add {p.MAIL6}/64 dev eth0 nodad
addr add {p.MAIL_MGMT4}/16 dev mgmt0
addr add {p.MAIL_MGMT6}/64 dev mgmt0 nodad
link set lo up
link set eth0 up
link set mgmt0 up
route add default via {p.MAIL_GATEWAY4}
route add default via {p.MAIL_GATEWAY6}
"""


def exim_conf(domains: tuple[str, ...]) -> str:
    """Return exim's configuration, for mailboxes in these domains."""
    values = {
        "@EXIM@": _EXIM,
        "@NAME@": AUTHSERV_ID,
        "@DOMAINS@": " : ".join(domains),
        "@DESK_LOCAL@": DESK.partition("@")[0],
        "@DESK_DOMAIN@": DESK.partition("@")[2],
        "@CONTROLLER@": p.CONTROLLER4,
        "@LMTP_PORT@": str(p.LMTP_PORT),
        "@SUBMISSION@": str(SUBMISSION_PORT),
        "@MOST_BYTES@": str(MOST_BYTES),
        "@MAIL_DIRS@": MAIL_DIRS,
    }
    text = _TEMPLATE
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


# Exim specification 4.96: chapters 14 (main), 43 (ACLs), 34 (plaintext), 20 (manualroute), 30 (smtp).
# Nobody is asked by DNS; a connection may bring any number of mails; a line may have any length.
_TEMPLATE: Final = r"""
primary_hostname = @NAME@
domainlist mailbox_domains = @DOMAINS@
daemon_smtp_ports = 25 : @SUBMISSION@
local_interfaces = <; 0.0.0.0 ; ::0
exim_path = @EXIM@
keep_environment =
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
message_size_limit = @MOST_BYTES@
ignore_bounce_errors_after = 1m
timeout_frozen_after = 1h
dkim_verify_signers =
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data

begin acl

acl_mail:
  accept condition = ${if !={$received_port}{@SUBMISSION@}}
  deny   !authenticated = *
         message = 530 5.7.0 Log in first
  deny   condition = ${if !eqi{$sender_address}{${lookup{$authenticated_id}lsearch{/etc/exim4/senders}}}}
         message = 553 5.7.1 <$sender_address> is not the address of $authenticated_id
  accept

acl_rcpt:
  require message = 550 5.7.1 No mail is passed on to $domain
          domains = +mailbox_domains
  require message = 550 5.1.1 There is no mailbox $local_part@$domain
          verify = recipient
  accept

acl_data:
  deny   authenticated = *
         condition = ${if !eqi{${address:$h_from:}}{$sender_address}}
         message = 553 5.7.1 From must be the one address of $authenticated_id
  warn   remove_header = Authentication-Results
  warn   authenticated = *
         add_header = :at_start:Authentication-Results: @NAME@; auth=pass smtp.auth=$authenticated_id
  warn   !authenticated = *
         add_header = :at_start:Authentication-Results: @NAME@; none
  accept

begin routers

desk:
  driver = manualroute
  domains = @DESK_DOMAIN@
  local_parts = @DESK_LOCAL@
  local_part_suffix = +*
  local_part_suffix_optional
  transport = controller
  route_list = * @CONTROLLER@ byname

mailboxes:
  driver = accept
  domains = +mailbox_domains
  address_data = ${lookup{$local_part@$domain}lsearch{/etc/exim4/mailboxes}{$value}fail}
  transport = maildir

begin transports

controller:
  driver = smtp
  protocol = lmtp
  port = @LMTP_PORT@
  connect_timeout = 2s
  command_timeout = 1m
  final_timeout = 2m
  message_linelength_limit = 1000000000
  rcpt_include_affixes
  return_path_add

maildir:
  driver = appendfile
  directory = @MAIL_DIRS@/$address_data
  maildir_format
  create_directory
  directory_mode = 0755
  mode = 0644
  user = Debian-exim
  group = Debian-exim
  envelope_to_add
  return_path_add

begin retry

*  *  F,14d,1s

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${if eq{$received_port}{@SUBMISSION@}}
  server_prompts = :
  server_condition = ${if and {{!eq{$auth3}{}} {eq{$auth3}{${lookup{$auth2}lsearch{/etc/exim4/logins}}}}}}
  server_set_id = ${lookup{$auth2}lsearch{/etc/exim4/senders}}

login:
  driver = plaintext
  public_name = LOGIN
  server_advertise_condition = ${if eq{$received_port}{@SUBMISSION@}}
  server_prompts = <| Username: | Password:
  server_condition = ${if and {{!eq{$auth2}{}} {eq{$auth2}{${lookup{$auth1}lsearch{/etc/exim4/logins}}}}}}
  server_set_id = ${lookup{$auth1}lsearch{/etc/exim4/senders}}
"""


def send(
    netns: str,
    mail: bytes,
    *,
    sender: str,
    recipients: Sequence[str],
    login: Person | None = None,
    timeout_s: float = 30.0,
) -> None:
    """Hand a mail to the door from inside a namespace: on port 587 with a login, else on port 25.

    Raises:
        smtplib.SMTPException: the door refuses the login, the sender, all recipients or the mail.
    """
    address = p.MAIL_MGMT4 if netns.endswith("-controller") else p.MAIL4
    with _Session(netns, address, SUBMISSION_PORT if login else 25, timeout_s) as session:
        session.ehlo("client.example")
        if login:
            session.login(login.login, login.password)
        session.sendmail(sender, list(recipients), mail)


class _Session(smtplib.SMTP):
    """An SMTP session whose connection begins in another namespace."""

    def __init__(self, netns: str, address: str, port: int, timeout_s: float) -> None:
        self._netns = netns
        super().__init__(address, port, local_hostname="client.example", timeout=timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        probe = traffic.connect(self._netns, host, port, timeout_s=timeout)
        if probe is None:
            raise smtplib.SMTPConnectError(421, f"{host} port {port} does not answer")
        return probe


def mailboxes(directory: Path) -> list[str]:
    """Return the addresses that have received mail, whose Maildirs are in `directory`."""
    return sorted(entry.name for entry in directory.iterdir() if (entry / "new").is_dir())


def messages(directory: Path, address: str) -> list[EmailMessage]:
    """Return the mails of one mailbox, oldest first.

    Raises:
        InputError: what is no address of the form name@domain.
    """
    if "@" not in address or "/" in address or address.startswith("."):
        raise InputError(f"mailbox {address!r}", expected="an address, as in alice@acme.example")
    new = directory / address.lower() / "new"
    if not new.is_dir():
        return []
    files = sorted(new.iterdir(), key=lambda file: (file.stat().st_mtime_ns, file.name))
    return [BytesParser(policy=policy.default).parsebytes(file.read_bytes()) for file in files]
