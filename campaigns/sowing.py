"""What the house needs from the first day, after every migration."""

from typing import Any

from campaigns import products


def sow(**_kwargs: Any) -> None:
    products.sow()
