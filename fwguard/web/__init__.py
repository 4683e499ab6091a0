"""The portal: what people and their browsers meet. Reads the folder `web/`.

app.py            create_app(house): puts all of it together
configuration.py  secrets, cookies and limits, from the house's settings
identity.py       who is here: password, second factor, codes that count once
credentials.py    the same for `fwguard init` and `fwguard login`
shield.py         before and after every request: who may enter, headers, safe ways back
tries.py          how often one may guess
language.py       French and English, from one file of translations
wording.py        what states, events and risks are called
presenting.py     how times, digests and changed lines look on a page
sessions.py       a session of the store for each request: a client's sees only its own
problems.py       what went wrong, as a page
serving.py        the server
login.py start.py requests.py tickets.py firewalls.py addresses.py registrations.py cases.py mails.py log.py health.py
                  the pages; each is a door: it reads, asks a flow, shows, and decides nothing
"""
