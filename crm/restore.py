"""`python -m crm.restore --to FOLDER`: a data folder as it was, which then proves itself.

Stands alone: the product need not run, and may be gone. Prints one JSON line; exit code 2
with one line for wrong input, 1 when the copy does not prove itself.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from crm import backup, embedded
from crm.keyfiles import bring_back_retired

ROOT = Path(__file__).resolve().parent.parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="crm.restore", description=__doc__)
    parser.add_argument("--to", required=True, type=Path, help="an empty folder")
    parser.add_argument("--from", dest="vault", type=Path, help="BACKUP_DIR")
    parser.add_argument("--keys", type=Path, help="the kept copy of DATA_DIR/keys")
    parser.add_argument("--until", help="2026-11-20T08:30+08:00; the newest without")
    return parser.parse_args()


def lay_out(asked: argparse.Namespace) -> Path:
    """The data folder, its keys in place; the full copy that was used."""
    target = asked.to.resolve()
    here = embedded.data_dir()
    keys = asked.keys or here / "keys"
    if not (keys / "backup_key").exists():
        raise backup.Broken(f"{keys} has no backup_key: name the kept copy by --keys")
    until = None
    if asked.until:
        try:
            until = datetime.fromisoformat(asked.until).astimezone()
        except ValueError:
            raise backup.Broken(f"not a moment: {asked.until}") from None
    target.mkdir(parents=True, exist_ok=True)
    if keys.resolve() != target / "keys":
        shutil.copytree(keys, target / "keys", dirs_exist_ok=True)
        (target / "keys").chmod(0o700)
        bring_back_retired(target)
    folder = asked.vault or Path(os.environ.get("BACKUP_DIR") or here / "backups")
    return backup.restore(backup.Vault.of(target, folder), target, until=until)


def prove(target: Path) -> int:
    """Run the restored copy's own proof on its own servers; its exit code."""
    env = {**os.environ, "DATA_DIR": str(target)}
    for name in ("DATABASE_URL", "REDIS_URL"):
        env.pop(name, None)
    proof = subprocess.run(
        [sys.executable, "manage.py", "restore_proof"], cwd=ROOT, env=env, check=False
    )
    return proof.returncode


def main() -> int:
    asked = arguments()
    try:
        copy = lay_out(asked)
    except (backup.Broken, embedded.CannotStart) as error:
        sys.stderr.write(f"restore: {error}\n")
        return 2
    sys.stderr.write(f"restore: laid out from {copy.name}; the server plays its log\n")
    code = prove(asked.to.resolve())
    sys.stderr.write(
        f"restore: run `DATA_DIR={asked.to} make backup`: a restored place is not "
        "backed up before.\n"
    )
    if code:
        sys.stderr.write(json.dumps({"proved": False}) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
