"""Keeping personal data out of the log; imports nothing of ours."""

import logging
import re

LONG_DIGITS = re.compile(r"\d{7,}")


class ScrubFilter(logging.Filter):
    """Keeps personal data and forged lines out of the log.

    SECURITY: query strings go, runs of seven or more digits are starred, line ends are
    written out (B40).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        text = re.sub(r"\?\S*", "?…", text) if "?" in text else text
        text = LONG_DIGITS.sub(lambda found: found.group()[:2] + "*" * 6, text)
        record.msg = text.replace("\r", "\\r").replace("\n", "\\n")
        record.args = ()
        return True
