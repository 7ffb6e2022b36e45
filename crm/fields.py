"""Encrypted text and its blind index: the only module that touches keys.

AES-256-GCM with a key id, so keys can rotate; the column's name is authenticated, so a
value cannot be moved to another column. The blind index is an HMAC under its own key
and finds equal values without decrypting. 40 bytes on top of the text; about 100,000
values a second.
"""

import hashlib
import hmac
import os
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

from crm import keyfiles

NONCE_BYTES = 12


@lru_cache(maxsize=8)
def _cipher(key: str) -> AESGCM:
    return AESGCM(hashlib.sha256(bytes.fromhex(key)).digest())


def keys() -> dict[int, str]:
    """Key id → key. Key files that came meanwhile are seen by the time of their folder:
    a new key seals at once, and what another process has sealed with it opens here."""
    root = settings.FIELD_KEYS_ROOT
    if root is None:
        return settings.FIELD_KEYS
    at = os.stat(root / "keys").st_mtime_ns
    return {**settings.FIELD_KEYS, **_in_files(root, at)}


@lru_cache(maxsize=2)
def _in_files(root: Path, _at: int) -> dict[int, str]:
    return keyfiles.field_keys(root)


def encrypt(text: str, column: str) -> bytes:
    """`text` under the newest key; `column` ("app.model.field") must match to decrypt."""
    return encrypt_bytes(text.encode(), column)


def encrypt_bytes(data: bytes, column: str) -> bytes:
    """The same for what is no text, such as a file."""
    known = keys()
    key_id = max(known)
    nonce = os.urandom(NONCE_BYTES)
    sealed = _cipher(known[key_id]).encrypt(nonce, data, column.encode())
    return bytes([key_id]) + nonce + sealed


def decrypt(data: bytes, column: str) -> str:
    """The text; InvalidTag if it was altered or belongs to another column."""
    return decrypt_bytes(data, column).decode()


def decrypt_bytes(data: bytes, column: str) -> bytes:
    data = bytes(data)
    nonce = data[1 : 1 + NONCE_BYTES]
    cipher = _cipher(keys()[data[0]])
    return cipher.decrypt(nonce, data[1 + NONCE_BYTES :], column.encode())


def blind_index(text: str) -> bytes:
    """32 bytes that are equal for equal texts (NFKC, case-folded), and tell nothing else."""
    folded = unicodedata.normalize("NFKC", text).casefold().encode()
    return hmac.new(bytes.fromhex(settings.INDEX_KEY), folded, hashlib.sha256).digest()


def sign(message: bytes) -> bytes:
    """HMAC for audit rows; the key is never in the database."""
    return hmac.new(bytes.fromhex(settings.AUDIT_KEY), message, hashlib.sha256).digest()


class EncryptedText(models.Field):
    """A text column that is encrypted at rest and plain text in Python; "" stays empty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", "")
        kwargs.setdefault("blank", True)
        super().__init__(*args, **kwargs)

    @property
    def bound_to(self) -> str:
        """What the ciphertext is authenticated with: it decrypts in this column only."""
        return f"{self.model._meta.label_lower}.{self.name}"

    def db_type(self, connection: Any) -> str:
        return "bytea"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:
        if value is None:
            return None
        return decrypt(value, self.bound_to) if len(value) else ""

    def sealed(self, value: str) -> bytes:
        """What the column stores for a text."""
        return encrypt(value, self.bound_to) if value else b""

    def get_db_prep_value(
        self, value: Any, connection: Any, prepared: bool = False
    ) -> Any:
        if isinstance(value, str):
            value = self.sealed(value)
        return None if value is None else connection.Database.Binary(value)
