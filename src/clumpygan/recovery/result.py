"""What comes out of a recovery: images with errors, measurements, and their files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clumpygan import __version__
from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.intervals import Widening
from clumpygan.evaluation.recovery.metrics import METRICS
from clumpygan.evaluation.recovery.out_of_distribution import Likeness
from clumpygan.io import atomic_path, write_image
from clumpygan.recovery.catalogue import ds9_regions, measured_quantities, source_table

if TYPE_CHECKING:
    from astropy.nddata import CCDData
    from astropy.wcs import WCS
    from matplotlib.figure import Figure

    from clumpygan.evaluation.recovery.sources import Source
    from clumpygan.recovery.scene import Scene
    from clumpygan.recovery.settings import RecoverySettings

_COLUMNS = {"network": "mean", "sample": "sample", "richardson_lucy": "R-L"}


@dataclass(frozen=True, eq=False, repr=False)
class Recovery:
    """A recovered galaxy.

    Images (Y, X) have the pixels of `scene.grid`, whole blocks of them; they are in the unit of the
    scene per pixel, "nJy" or "counts". `print` tells the measurements and what to know of them.

    Attributes
    ----------
    settings : RecoverySettings
        What was asked for; its `seed` is the one that was used.
    scene : Scene
        The observed image, its noise and PSF, and the sharp image where there is one.
    best, error : numpy.ndarray
        (Y, X) float32: mean of the samples, and their spread, the 1-sigma error.
    samples : numpy.ndarray
        (S, Y, X) float32, of the posterior.
    richardson_lucy : numpy.ndarray or None
        (Y, X), None if it wasn't wanted.
    residual : numpy.ndarray
        (y, x): the observed image minus the recovered one observed again, in units of the noise.
    nucleus : tuple of float
        (y, x) in pixels: the galaxy that was measured.
    sources : tuple of Source
        What the samples show: sources and clumps, most probable first; see
        `clumpygan.evaluation.recovery.sources`.
    metrics : mapping
        method ("network", "sample", "richardson_lucy") -> metric -> value, None where it isn't
        defined; see `clumpygan.evaluation.recovery.metrics`.
    magnitude : float or None
        AB, of the catalogue or measured; None where fluxes are in counts.
    magnitude_name : str
        Its band.
    remarks : tuple of str
        What a user should know before trusting the result, in sentences.
    warnings : tuple of str
        What was mended in the input.
    widening : Widening
        Of the intervals of quantities, as the network's card says.
    likeness : Likeness or None
        How like the galaxies of the training it is; None where the card doesn't say what is usual.
    blend_odds : float or None
        ln of the Bayes factor of two galaxies 0.2-1.2" apart against one, see `BlendOdds.of`; None
        where there is no classifier of blends for the survey, nothing stands out of the noise, or
        more than a few pixels within 1.2" have no data.
    """

    settings: RecoverySettings
    scene: Scene
    best: np.ndarray
    error: np.ndarray
    samples: np.ndarray
    richardson_lucy: np.ndarray | None
    residual: np.ndarray
    nucleus: tuple[float, float]
    sources: tuple[Source, ...]
    metrics: Mapping[str, Mapping[str, float | None]]
    magnitude: float | None = None
    magnitude_name: str = "H"
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    widening: Widening = field(default_factory=Widening)
    likeness: Likeness | None = None
    blend_odds: float | None = None

    @property
    def unit(self) -> str:
        """Unit of a pixel's flux: "nJy", or "counts" where the zero point is unknown."""
        return self.scene.unit

    @property
    def wcs(self) -> WCS | None:
        """World coordinates of the recovered images; None where those of the input are unknown."""
        return self.scene.reference_wcs

    @property
    def mask(self) -> np.ndarray:
        """(Y, X) bool, True where nothing is recovered because nothing was observed."""
        return self.scene.recovered_mask

    @property
    def headline(self) -> str:
        """The title with redshift and magnitude, in one line."""
        words = [self.scene.title]
        if self.scene.redshift is not None:
            words.append(f"z = {self.scene.redshift:.2f}")
        if self.magnitude is not None:
            words.append(f"{self.magnitude_name} = {self.magnitude:.2f}")
        return ", ".join(words)

    def table(self) -> str:
        """Return the measurements of all methods as lines of equal width."""
        methods = [name for name in _COLUMNS if name in self.metrics]
        rows = [("", *(_COLUMNS[name] for name in methods))]
        for metric in (one for one in METRICS if one.label):
            values = [self.metrics[name].get(metric.name) for name in methods]
            if any(value is not None for value in values):
                cells = ("-" if value is None else metric.form.format(value) for value in values)
                rows.append((metric.label, *cells))
        return "\n".join(
            f"{row[0]:<12}" + "".join(f"{cell:>7}" for cell in row[1:]) for row in rows
        )

    def __repr__(self) -> str:
        return f"<Recovery of {self.headline}>"

    def __str__(self) -> str:
        notes = (f"note: {remark}" for remark in self.remarks)
        return "\n".join((self.headline, *notes, self.table()))

    def plot(self, *, wcs: bool = False) -> Figure:
        """Return a figure of the images side by side, with their measurements.

        Parameters
        ----------
        wcs : bool
            Whether the axes are in right ascension and declination, in place of arcsec; where the
            WCS isn't known, they are in arcsec, with a warning.
        """
        from clumpygan.plots.recovery import plot_recovery

        return plot_recovery(self, wcs=wcs)

    def to_ccddata(self, which: Literal["best", "observed"] = "best") -> CCDData:
        """Return an image as astropy's CCDData, with error, mask, unit and WCS.

        Parameters
        ----------
        which : str
            "best": the mean of the samples with its error map; "observed": the observed image with
            its noise, which `recover` takes too.

        Returns
        -------
        astropy.nddata.CCDData
            (Y, X) or (y, x) in nJy, or in adu where the zero point is unknown.

        Raises
        ------
        InputError
            If it is neither.
        """
        if which not in ("best", "observed"):
            raise InputError(f"`which` is {which!r}: expected best or observed")
        from astropy import units
        from astropy.nddata import CCDData, StdDevUncertainty

        scene = self.scene
        data, error, mask, wcs = {
            "best": (self.best, self.error, self.mask, self.wcs),
            "observed": (scene.observed, scene.noise, scene.observed_mask, scene.observed_wcs),
        }[which]
        return CCDData(
            data.copy(),
            uncertainty=StdDevUncertainty(np.broadcast_to(error, data.shape).copy()),
            mask=mask.copy(),
            unit=units.nJy if self.unit == "nJy" else units.adu,
            wcs=wcs,
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write all images as extensions of one FITS file; pixels without data are NaN.

        The sharp image and the observed one by their telescopes, as HST and HSC, RECOVERED, ERROR,
        SAMPLE, RICHARDSON_LUCY and RESIDUAL, as far as there are any, with WCS where it is known;
        and SOURCES, the table of `catalogue.source_table`. The header says by LIKENESS which share
        of the training's galaxies is as unusual, by UNUSUAL whether that is too few, by BLENDODD
        the ln of the odds that the galaxy is two.

        Raises
        ------
        InputError
            If the folder doesn't exist or can't be written.
        """
        scene = self.scene
        layers = {
            scene.pair.target.short_name: (
                scene.reference,
                scene.reference_mask,
                scene.reference_wcs,
            ),
            scene.pair.survey.short_name: (scene.observed, scene.observed_mask, scene.observed_wcs),
            "RECOVERED": (self.best, self.mask, self.wcs),
            "ERROR": (self.error, self.mask, self.wcs),
            "SAMPLE": (self.samples[0], self.mask, self.wcs),
            "RICHARDSON_LUCY": (self.richardson_lucy, self.mask, self.wcs),
            "RESIDUAL": (self.residual, scene.observed_mask, scene.observed_wcs),
        }
        there = {name: layer for name, layer in layers.items() if layer[0] is not None}
        images = {name: np.where(mask, np.nan, image) for name, (image, mask, _) in there.items()}
        header = {
            "CREATOR": (f"clumpygan {__version__}", "program"),
            "SEED": (self.settings.seed, "galaxy, noise and samples"),
            "NSAMPLES": (len(self.samples), "samples in the mean and in the error"),
            "SIGMA": (scene.sigma, f"noise of an observed pixel [{scene.unit}]"),
            "SEEING": (scene.seeing, "FWHM of the observed PSF [arcsec]"),
        }
        if self.likeness is not None:
            header["LIKENESS"] = (self.likeness.probability, "share of training as unusual")
            header["UNUSUAL"] = (self.likeness.unusual, self.likeness.reason)
        if self.blend_odds is not None:
            header["BLENDODD"] = (self.blend_odds, "ln of the odds of two galaxies against one")
        wcs = {name: layer[2] for name, layer in there.items()}
        units = dict.fromkeys(images, "nJy" if scene.unit == "nJy" else "count") | {"RESIDUAL": ""}
        fine = {name for name, layer in there.items() if layer[0].shape == self.best.shape}
        scales = {
            name: scene.grid.target_scale if name in fine else scene.grid.observed_scale
            for name in there
        }
        write_image(
            path,
            images,
            wcs=wcs,
            header=header,
            units=units,
            pixel_scales=scales,
            tables={"SOURCES": source_table(self)},
        )

    def write_regions(self, path: str | os.PathLike[str]) -> None:
        """Write the sources as a region file of ds9, see `catalogue.ds9_regions`.

        Raises
        ------
        InputError
            If the folder doesn't exist or can't be written.
        """
        with atomic_path(path) as temporary:
            temporary.write_text(ds9_regions(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all that was measured, ready for JSON."""
        scene, source = self.scene, self.settings.source
        return {
            "program": f"clumpygan {__version__}",
            "seed": self.settings.seed,
            "source": "hsc" if source == "observed" else source,
            "title": scene.title,
            "checkpoint": str(self.settings.checkpoint),
            "classifier": None if self.blend_odds is None else self.settings.classifier,
            "samples": len(self.samples),
            "redshift": scene.redshift,
            "magnitude": self.magnitude,
            "unit": scene.unit,
            "sigma": scene.sigma,
            "seeing": scene.seeing,
            "shape_hsc": list(scene.observed.shape),
            "shape_hst": list(scene.reference_mask.shape),
            "masked_fraction": float(scene.reference_mask.mean()),
            **scene.facts,
            "warnings": list(self.warnings),
            "remarks": list(self.remarks),
            "methods": {name: dict(numbers) for name, numbers in self.metrics.items()},
            "population": None if self.likeness is None else self.likeness.to_dict(),
            "blend_odds": self.blend_odds,
            "quantities": measured_quantities(self),
            "sources": [
                {name: _plain(row[name].item()) for name in row.colnames}
                for row in source_table(self)
            ],
        }


def _plain(value: Any) -> Any:
    """Return a value for JSON, which knows no NaN."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
