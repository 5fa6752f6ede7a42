"""What goes wrong with a user's input.

Every program turns `InputError` into one line on standard error and exit code 2.
"""

_REASON = 120
"""Letters that are taken over of what another library says."""


class InputError(ValueError):
    """Bad input: the message is one line that names the value, what was expected, what to do.

    Names of files and columns may hold anything: line breaks become spaces, and what else isn't
    printable is escaped.
    """

    def __init__(self, message: str = "") -> None:
        line = " ".join(one.strip() for one in message.splitlines())
        super().__init__("".join(one if one.isprintable() else ascii(one)[1:-1] for one in line))


def reason(problem: Exception) -> str:
    """Return what another library says, in one line that fits into a message of ours."""
    return " ".join(str(problem).split())[:_REASON] or type(problem).__name__


class PixelScaleError(InputError):
    """An image has other pixels than those that are expected."""


class InputWarning(UserWarning):
    """Input that was mended on the way in; the message says what was wrong and what was done."""
