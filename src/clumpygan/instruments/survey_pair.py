"""What a network recovers: images of one survey, as sharp as those of another camera."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clumpygan.errors import InputError
from clumpygan.instruments.grid_pair import GridPair
from clumpygan.instruments.imaging import ImagingInstrument
from clumpygan.instruments.presets import (
    DEFAULT_SURVEY,
    DEFAULT_TARGET,
    INSTRUMENTS,
    get_instrument,
)

DEPTH_REACH = 0.35
"""Half the range of log10 of the noise that networks know: 2.7 standard deviations of the depth."""

_OLD_CARD: dict[str, Any] = {
    "survey": DEFAULT_SURVEY,
    "target": DEFAULT_TARGET,
    "observed_scale": 0.168,
    "target_scale": 0.06,
    "depth_range": (0.0, 0.7),
}
"""What a card without the section means: it is from when there was one survey."""


def _from_the_ground() -> list[str]:
    return [name for name, one in INSTRUMENTS.items() if one.moffat_beta_range is not None]


@dataclass(frozen=True)
class SurveyPair:
    """A survey, the camera whose images are recovered from its own, and the pixels of both.

    Attributes
    ----------
    survey_name, target_name : str
        Imaging presets.
    grid : GridPair
        Their pixels; where the two scales have no small ratio, the target's is changed a little.
    depth_range : tuple of float
        log10 of the noise in nJy per observed pixel, least and most: around the survey's depth.
    """

    survey_name: str
    target_name: str
    grid: GridPair
    depth_range: tuple[float, float]

    @classmethod
    def of(cls, survey: str = DEFAULT_SURVEY, target: str = DEFAULT_TARGET) -> "SurveyPair":
        """Return the pair of two imaging presets.

        Raises
        ------
        InputError
            If there is no such preset, their pixels don't go together, or the target isn't sharper.
        """
        observed, wanted = get_instrument(survey), get_instrument(target)
        if observed.moffat_beta_range is None:
            raise InputError(
                f"{survey} sees without an atmosphere: expected a survey from the ground, "
                f"{', '.join(_from_the_ground())}"
            )
        try:
            grid = GridPair.nearest(wanted.pixel_scale, observed.pixel_scale)
        except InputError as error:
            raise InputError(f"{target} can't be recovered from {survey}: {error}") from None
        if wanted.psf_fwhm >= observed.psf_fwhm_range[0]:
            raise InputError(
                f'{target} (PSF of {wanted.psf_fwhm:g}") is no sharper than {survey} at its best '
                f'({observed.psf_fwhm_range[0]:g}"): choose a sharper target'
            )
        middle = math.log10(observed.sky_sigma)
        # Adding 0 turns -0.0 into 0.0.
        low, high = (round(middle + side * DEPTH_REACH, 1) + 0.0 for side in (-1, 1))
        return cls(observed.name, wanted.name, grid, (low, high))

    @classmethod
    def from_card(cls, section: Mapping[str, Any] | None) -> "SurveyPair":
        """Return the pair that a card describes; one without the section means HSC and HST.

        Raises
        ------
        InputError
            If the section isn't one, or its pixels don't go together.
        """
        values = _OLD_CARD if section is None else section
        try:
            grid = GridPair(float(values["target_scale"]), float(values["observed_scale"]))
            low, high = values["depth_range"]
            return cls(str(values["survey"]), str(values["target"]), grid, (low, high))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the card's section `observation` is damaged: {error!r}") from error

    def to_card(self) -> dict[str, Any]:
        """Return the section of a card: plain numbers, strings and lists."""
        return {
            "survey": self.survey_name,
            "target": self.target_name,
            "observed_scale": self.grid.observed_scale,
            "target_scale": self.grid.target_scale,
            "depth_range": list(self.depth_range),
        }

    @property
    def survey(self) -> ImagingInstrument:
        """Return the preset of the observed images."""
        return get_instrument(self.survey_name)

    @property
    def target(self) -> ImagingInstrument:
        """Return the preset of the sharp images, with the pixels of the grid."""
        return get_instrument(self.target_name).with_pixels(self.grid.target_scale)

    def survey_in(self, band: str | None) -> ImagingInstrument:
        """Return the preset of the same survey in another band; None means its own.

        Raises
        ------
        InputError
            If there is none.
        """
        own = self.survey
        if band is None or band == own.band:
            return own
        family = own.name.removesuffix(f"_{own.band.lower()}")
        bands = {
            one.band: one
            for name, one in INSTRUMENTS.items()
            if name == f"{family}_{one.band.lower()}"
        }
        found = next((one for one in bands.values() if one.band.lower() == band.lower()), None)
        if found is None:
            raise InputError(f"`band` is {band!r}: expected one of {', '.join(bands)} of {family}")
        return found

    @property
    def adapted(self) -> bool:
        """Tell whether the pixels of the target aren't those of its preset."""
        return get_instrument(self.target_name).pixel_scale != self.grid.target_scale

    def __str__(self) -> str:
        """Return it in words, as in hsc_wide_i to hst_wfc3_f160w (0.168" to 0.06")."""
        return f"{self.survey_name} to {self.target_name} ({self.grid})"
