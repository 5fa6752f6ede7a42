"""What came of one cube of a batch."""

from dataclasses import dataclass

from astropy.table import Table

CRASHED = "crashed"
"""Beside the words of `goodness.verdict`."""


@dataclass(frozen=True)
class Outcome:
    """What came of one cube.

    Attributes
    ----------
    name : str
    source : str
        What was read.
    status : str
        "good"; "doubtful", a result that isn't to be relied on; "no detection"; "failed", bad
        input; or "crashed", a mistake of ours or a lost process.
    messages : tuple of str
        Why it isn't good.
    remarks : tuple of str
        What else is to be known of the result: limits, the variance that was used.
    warnings : tuple of str
        What else a user should know.
    table : Table or None
        The result.
    seconds : float
        Wall clock; 0 where it was there before.
    details : str
        Traceback of a crash.
    """

    name: str
    source: str
    status: str
    messages: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    table: Table | None = None
    seconds: float = 0.0
    details: str = ""

    def __str__(self) -> str:
        words = f"{self.name}: {self.status}"
        if self.table is not None:
            meta = self.table.meta
            words += (
                f", reduced chi^2 {meta['reduced_chi_squared']:.3g}, S/N "
                f"{meta['signal_to_noise']:.3g}"
            )
        words += f", {self.seconds:.1f} s"
        return words + (f" ({'; '.join(self.messages)})" if self.messages else "")
