"""Keys under DATA_DIR: made once, readable by their owner alone. Knows nothing of Django."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def secret(root: Path, name: str) -> str:
    """A key made once and readable by the owner alone."""
    path = root / "keys" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        with suppress(FileExistsError):  # RACE: the first of two processes wins
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
