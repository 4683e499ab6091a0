"""A person with a browser, as far as the story needs one: pages, forms, cookies, a second factor.

Forms are read from the page and sent as a browser would, hidden fields included; so what works here
works for people, and what does not (a moved field, a missing token) fails.
"""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from fwguard.errors import DeviceError, InputError
from fwguard.lab.control_room import code_of, next_code_of
from fwguard.lab.people import Person

TIMEOUT_S: Final = 20.0


@dataclass(slots=True)
class Form:
    """One form of a page: where it goes, and what its fields hold."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, set[str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    """Collects the forms of a page with what is filled in already."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
            self._inside = True
        if not self._inside:
            return
        form, name = self.forms[-1], given.get("name", "")
        if tag == "input" and name and (given.get("type") != "radio" or "checked" in given):
            form.fields[name] = given.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in form.fields):
            form.fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            form.fields[name] = ""
        elif tag == "button" and name:
            form.buttons.setdefault(name, set()).add(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._inside and self._textarea:
            self.forms[-1].fields[self._textarea] += data


class Visitor:
    """One person in one browser. `page` holds what they look at, `url` where it is."""

    def __init__(self, portal: str) -> None:
        self._portal = portal
        self._open = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        ).open
        self.page = ""
        self.url = portal
        self.status = 0

    def visit(self, path: str) -> str:
        """Open a page and return it; its status is kept, also when it is an error page."""
        return self._load(urllib.request.Request(urllib.parse.urljoin(self._portal, path)))

    def submit(self, action: str, **values: str) -> str:
        """Fill and send the form of this page whose action ends in `action`; return the page that follows.

        Raises InputError when there is no such form or field, as a person would not find it.
        """
        parser = _Forms()
        parser.feed(self.page)
        found = [form for form in parser.forms if urllib.parse.urlsplit(form.action).path.endswith(action)]
        if not found:
            there = ", ".join(form.action for form in parser.forms) or "none"
            raise InputError(f"no form {action!r} on {self.url}", expected=f"one of: {there}")
        form = found[0]
        for name in values.keys() - form.fields.keys() - form.buttons.keys():
            if f'name="{name}"' not in self.page:
                raise InputError(f"no field {name!r} in {form.action}", expected=", ".join(form.fields))
        body = urllib.parse.urlencode({**form.fields, **values}).encode()
        target = urllib.parse.urljoin(self.url, form.action)
        return self._load(urllib.request.Request(target, data=body, headers={"Referer": self.url}))

    def log_in(self, person: Person) -> None:
        """Log in with password and second factor. Raises InputError when the portal does not let them in."""
        self.visit("/login")
        self.submit("/login", login=person.login, password=person.password)
        self.submit("/login/code", code=code_of(person))
        if self._is_asked_for_a_code():
            self.submit("/login/code", code=next_code_of(person))
        if "/login" in urllib.parse.urlsplit(self.url).path:
            raise InputError(f"{person.login} is not let in", expected="a code that was not used before")

    def _is_asked_for_a_code(self) -> bool:
        return urllib.parse.urlsplit(self.url).path.endswith("/login/code")

    def _load(self, request: urllib.request.Request) -> str:
        try:
            with self._open(request, timeout=TIMEOUT_S) as answer:
                self.status, self.url, self.page = answer.status, answer.url, answer.read().decode()
        except urllib.error.HTTPError as error:
            self.status, self.url, self.page = (
                error.code,
                error.url or request.full_url,
                error.read().decode(),
            )
        except (urllib.error.URLError, TimeoutError) as error:
            raise DeviceError(f"the portal does not answer: {error}") from error
        return self.page
