"""The one error that says a business rule said no."""


class Refused(Exception):
    """A rule refuses; `code` is stable, the message is for the person.

    409 in the API, 422 with the form in HTML.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
