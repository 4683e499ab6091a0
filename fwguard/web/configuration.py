"""What Flask and its extensions are told: secrets, cookies, limits. Everything comes from the house."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fwguard.flows.house import House

SESSION_HOURS: Final = 12  # then one logs in anew
IDLE_MINUTES: Final = 60
MOST_FORM_BYTES: Final = 256 << 10
TOTP_WINDOW_S: Final = 30  # RFC 6238 5.2: one step of 30 s each way, for clocks that differ


def configuration(house: House) -> dict[str, Any]:
    """Return the settings of the portal. Secrets of replaced keys still open what they signed."""
    keys = house.settings.keys
    session_keys = [key.hex() for key in keys.derive_all("portal session").values()]
    secure = house.settings.portal_url.startswith("https://")
    return {
        "SECRET_KEY": session_keys[0],
        "SECRET_KEY_FALLBACKS": session_keys[1:],
        # __Host- (RFC 6265bis 4.1.3.2): only over TLS, for this host alone, set by itself.
        "SESSION_COOKIE_NAME": "__Host-fwguard" if secure else "fwguard",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",  # a link in a mail must find its reader logged in
        "PERMANENT_SESSION_LIFETIME": timedelta(minutes=IDLE_MINUTES),
        "MAX_CONTENT_LENGTH": MOST_FORM_BYTES,
        "MAX_FORM_MEMORY_SIZE": MOST_FORM_BYTES,
        "WTF_CSRF_TIME_LIMIT": None,  # a token lives as long as the session that it is for
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(hours=1),
        **_security(house),
    }


def _security(house: House) -> dict[str, Any]:
    """Return the settings of Flask-Security: password and authenticator; no page of its own."""
    totp_keys = house.settings.keys.derive_all("totp secrets")
    return {
        # scrypt comes with Python, has no limit of 72 bytes, and needs no salt of ours that would have
        # to outlive a rotation of the keys. 16 MiB and five lanes: OWASP Password Storage Cheat Sheet.
        "SECURITY_PASSWORD_HASH": "scrypt",
        "SECURITY_PASSWORD_SCHEMES": ["scrypt"],
        "SECURITY_DEPRECATED_PASSWORD_SCHEMES": [],
        "SECURITY_PASSWORD_SINGLE_HASH": ["scrypt"],
        "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {"scrypt__rounds": 14, "scrypt__parallelism": 5},
        "SECURITY_PASSWORD_SALT": house.settings.keys.derive("portal unused salt").hex(),
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_REQUIRED": True,
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": TOTP_WINDOW_S,
        "SECURITY_TOTP_SECRETS": {key_id: key.hex() for key_id, key in totp_keys.items()},
        "SECURITY_TOTP_ISSUER": "fwguard",
        "SECURITY_TRACKABLE": True,
        "SECURITY_USE_REGISTER_V2": True,
        "SECURITY_REGISTERABLE": False,
        "SECURITY_RECOVERABLE": False,
        "SECURITY_CHANGEABLE": False,
        "SECURITY_DEFAULT_REMEMBER_ME": False,
        "SECURITY_CLI_USERS_NAME": False,
        "SECURITY_CLI_ROLES_NAME": False,
    }
