"""What a file really is, and a clean copy of it. Pictures are drawn anew: no EXIF stays."""

import io
import struct
import zlib

from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from crm.errors import Refused

MAX_BYTES = 10 * 2**20
MAX_PIXELS = 40_000_000
MAX_SIDE = 2400
# What a damaged or crafted picture makes of its decoder.
BROKEN = (
    *(UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError),
    *(ValueError, EOFError, IndexError, TypeError, OverflowError, struct.error),
    *(zlib.error, MemoryError),
)


def inspect(data: bytes) -> tuple[str, bytes]:
    """(content type, clean bytes). Refused("file.size") or ("file.type")."""
    if len(data) > MAX_BYTES:
        raise Refused("file.size", _("A file may have 10 MB."))
    if data.startswith(b"%PDF-"):
        return "application/pdf", data
    return "image/jpeg", _redrawn(data)


def _redrawn(data: bytes) -> bytes:
    wrong = Refused(
        "file.type", _("Only PDF files and pictures (JPEG, PNG) can be attached.")
    )
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Refused("file.size", _("The picture is too large."))
            drawn = picture.convert("RGB")
            drawn.thumbnail((MAX_SIDE, MAX_SIDE))
    except BROKEN as error:
        raise wrong from error
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=88)
    return out.getvalue()
