"""`fwguard user`: add people."""

from __future__ import annotations

import secrets

import click
import pyotp

from fwguard.cli.desk import house_here, staff
from fwguard.errors import NotAllowedError
from fwguard.model.inventory import Language
from fwguard.store.audit import append
from fwguard.store.people import UserRole, add_user, client_named, contacts_with_mail


@click.group()
def command() -> None:
    """Add people.

    \b
    Example: fwguard user add --login eve@acme.example --name "Eve" --role client --client acme
    """


@command.command()
@click.option("--login", required=True, help="Also their mail address, unless --mail says otherwise.")
@click.option("--mail", default="")
@click.option("--name", required=True)
@click.option("--role", type=click.Choice([it.value for it in UserRole]), required=True)
@click.option("--client", default="", help="For the role client.")
@click.option("--language", type=click.Choice([it.value for it in Language]), default="fr", show_default=True)
@click.option("--first", is_flag=True, help="The very first person, while there is none: needs no token.")
def add(login: str, mail: str, name: str, role: str, client: str, language: str, first: bool) -> None:
    """Add a person; prints a first password and the secret of the second factor, once.

    \b
    Example: fwguard user add --login root@operator.example --name Root --role admin --first
    """
    from sqlalchemy import func, select

    from fwguard.store.people import UserRow
    from fwguard.web.app import create_app
    from fwguard.web.credentials import credentials

    password, secret = secrets.token_urlsafe(12), pyotp.random_base32()
    with house_here() as house:
        app = create_app(house)
        with app.app_context(), house.store.session() as session:
            nobody_yet = not session.scalar(select(func.count(UserRow.id)))
            actor = "system" if first and nobody_yet else staff(session, house).actor
            if actor != "system" and staff(session, house).role is not UserRole.ADMIN:
                raise NotAllowedError("only an administrator adds people")
            owner = client_named(session, client) if client else None
            known = [
                it for it in contacts_with_mail(session, mail or login) if owner and it.client_id == owner.id
            ]
            keep = credentials(app)
            row = add_user(
                session, username=login, email=mail or login, name=name, role=UserRole(role), client=owner,
                contact=known[0] if known else None, password_hash=keep.hash_password(password),
                language=Language(language), at=house.clock(),
            )  # fmt: skip
            row.tf_primary_method, row.tf_totp_secret = "authenticator", keep.seal_totp(secret)
            append(
                session, actor=actor, action="command:user:add", clause="4-third-parties", at=house.clock(),
                subject=row.actor, body={"role": role},
            )  # fmt: skip
    click.echo(f"login     {login}\npassword  {password}\nsecret    {secret}")
    click.echo(pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="fwguard"))
