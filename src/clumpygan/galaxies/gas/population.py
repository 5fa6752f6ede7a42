"""A population of star-forming galaxies whose sizes, motions and lines follow from their masses."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.cube_conditions import CHEMISTRY, GAS_CONDITIONS, NUCLEAR_FRACTION
from clumpygan.galaxies.disks.disk_model import HEIGHT_OF_RADIUS, HEIGHT_SCATTER
from clumpygan.galaxies.disks.disk_table import PARAMETERS
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.disks.turbulence import Turbulence
from clumpygan.galaxies.gas.galaxy import Chemistry, Companion, GasGalaxy, Outflow
from clumpygan.galaxies.gas.lines import (
    ABUNDANCE_SCATTER,
    DENSITIES,
    GRADIENT,
    GRADIENT_SCATTER,
    line_strengths,
    oxygen_abundance,
)
from clumpygan.galaxies.gas.motions import draw_motions
from clumpygan.galaxies.gas.regions import SLOPE, SLOPE_SCATTER, draw_luminosities
from clumpygan.galaxies.gas.scaling import (
    Scaling,
    draw_mass,
    draw_scaling,
    kpc_per_arcsec,
    rotation_share,
)
from clumpygan.galaxies.gas.structure import MOST_BULGE, draw_structure
from clumpygan.galaxies.images.clumps import Clumps, clumpy_probability, draw_clumps
from clumpygan.galaxies.images.population import CLUMP_CLUSTER_SHARE
from clumpygan.galaxies.images.structure import COMPANION_SHARE
from clumpygan.settings import check, check_rising, setting

DIFFUSE, DIFFUSE_SCATTER, DIFFUSE_RANGE = 0.59, 0.19, (0.2, 0.85)
"""Share of diffuse gas in H alpha, of 109 galaxies (Oey et al. 2007, ApJ 661, 801, abstract), and
between which it stays."""

OUTFLOW_SHARE = (0.02, 0.2)
"""Of galaxies with a broad component, at 10^9.5 and 10^10.7 solar masses and above: 10 % of the
usual masses together, as of 598 star-forming galaxies at 1.4 < z < 3.8 (Weldon et al. 2024,
arXiv:2404.05725, abstract); none is seen in small ones, they are clear in massive ones (Concas et
al. 2022, MNRAS 513, 2535, abstract)."""

OUTFLOW_DISPERSIONS, OUTFLOW_FRACTIONS, OUTFLOW_SHIFTS = (120.0, 220.0), (0.03, 0.2), (-120.0, 0.0)
"""km/s, share of the flux, km/s: speeds |shift| + 2 sigma of 240 to 560 km/s."""

CONTINUUM = 0.01
"""Standard deviation of what a subtracted continuum leaves, per 1000 km/s over the line flux."""

FOLLOWING = (
    "flux", "half_light_radius", "sersic_index", "maximum_velocity", "turnover_radius",
    "velocity_dispersion", "scale_height",
)  # fmt: skip
"""Parameters that follow from mass and redshift, with scatter."""

PLACING = (
    "inclination", "position_angle", "offset_x", "offset_y", "systemic_velocity", "g1", "g2",
)  # fmt: skip
"""Parameters that are drawn from the priors of the table, as of any disk; inclinations from 0 to 90
degrees."""

CHOSEN = (*FOLLOWING, *PLACING, NUCLEAR_FRACTION, *CHEMISTRY)
"""What may be asked for."""

_MODEL = DiskModel()
_INCLINATION = _MODEL.index("inclination")
_ATTEMPTS = 4000
"""Galaxies drawn until one is within the ranges that are asked for."""

FloatArray = NDArray[np.float64]
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class GasDisks:
    """Which galaxies there are, and how uneven their gas is.

    Attributes
    ----------
    log_stellar_mass : (float, float)
        Solar masses: uniform, as surveys choose galaxies that are bright enough.
    redshift : (float, float)
        Uniform. That of the frame only says where its channels are.
    turbulence : Turbulence
        Of the diffuse gas.
    warp_inclination, warp_position_angle : float
        Standard deviations, degrees per half-light radius.
    """

    log_stellar_mass: tuple[float, float] = setting(
        (8.7, 11.2), "log10 of the stellar masses, uniform", "dex(solMass)", least=7, most=12.5
    )
    redshift: tuple[float, float] = setting(
        (0.3, 0.9), "of the galaxies, uniform", least=0.1, most=3
    )
    turbulence: Turbulence = field(default_factory=lambda: Turbulence(light=0.5))
    warp_inclination: float = setting(3.0, "spread of tilts", "deg", least=0, most=90)
    warp_position_angle: float = setting(4.0, "spread of twists", "deg", least=0, most=180)

    def __post_init__(self) -> None:
        check(self)
        check_rising(self, "log_stellar_mass")
        check_rising(self, "redshift")

    def draw(
        self,
        generator: np.random.Generator,
        ranges: Ranges | None = None,
        rest_wavelengths: tuple[float, ...] = (),
    ) -> GasGalaxy:
        """Draw one galaxy.

        Parameters
        ----------
        generator : numpy.random.Generator
        ranges : mapping of str to (float, float), optional
            Of its disk, bulge and gas, see `check_ranges`: galaxies are drawn until one is within.
            Two equal ends are taken as they are; mass and redshift are those of a galaxy of that
            velocity and size, as far as these are given so. Bulges are as `draw_structure` says.
        rest_wavelengths : tuple of float
            Lines whose flux is given; that of H alpha without any.

        Raises
        ------
        InputError
            If hardly any galaxy is within the ranges, or a parameter has none.
        """
        given = dict(ranges or {})
        check_ranges(given)
        bulges = given.pop(NUCLEAR_FRACTION, (0.0, MOST_BULGE))
        fixed = {name: low for name, (low, high) in given.items() if low == high}
        wanted = {name: ends for name, ends in given.items() if name not in fixed}
        for _ in range(_ATTEMPTS):
            scaling, vector = self._disk(generator, fixed)
            chemistry = _draw_chemistry(generator, scaling, fixed)
            if rest_wavelengths and "flux" not in fixed:
                abundance, _, density = np.array(chemistry)
                strengths = line_strengths(rest_wavelengths, abundance, density)
                vector[_MODEL.index("flux")] *= float(sum(strengths))
            known = dict(zip(_MODEL.names, vector, strict=True)) | chemistry._asdict()
            if all(low <= known[name] <= high for name, (low, high) in wanted.items()):
                return self._galaxy(generator, scaling, vector, chemistry, bulges)
        told = ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in wanted.items())
        raise InputError(
            f"of {_ATTEMPTS} galaxies of the population's masses and redshifts none has {told}: "
            "widen the ranges"
        )

    def _disk(
        self, generator: np.random.Generator, fixed: Mapping[str, float]
    ) -> tuple[Scaling, FloatArray]:
        """Draw mass and redshift, and the smooth disk, whose H alpha flux they say."""
        vector = _MODEL.draw(generator, 1)[0]
        vector[_INCLINATION] = _from_face_on_to_edge_on(vector[_INCLINATION])
        spread = generator.standard_normal(2)
        index = fixed.get("sersic_index", float(np.clip(10 ** (0.1 * spread[0]), 0.5, 2.0)))
        turn, radius = 10 ** generator.uniform(-1.0, -0.3), fixed.get("half_light_radius")
        if radius is not None:
            turn = fixed.get("turnover_radius", turn * radius) / radius
        speed = fixed.get("maximum_velocity")
        scaling = draw_scaling(
            generator,
            *draw_mass(
                generator,
                self.log_stellar_mass,
                self.redshift,
                None if speed is None else speed * rotation_share(index, 1.0, turn),
                radius,
            ),
        )
        radius = scaling.half_light_radius if radius is None else radius
        turnover = fixed.get("turnover_radius", turn * radius)
        told = {
            "flux": scaling.flux,
            "half_light_radius": radius,
            "sersic_index": index,
            "maximum_velocity": scaling.rotation_velocity / rotation_share(index, radius, turnover),
            "velocity_dispersion": scaling.velocity_dispersion,
            "turnover_radius": turnover,
            "scale_height": HEIGHT_OF_RADIUS[_MODEL.vertical]
            * radius
            * 10 ** (HEIGHT_SCATTER * spread[1]),
            "bulge_fraction": 0.0,
            "arm_amplitude": 0.0,
            "lopsidedness": 0.0,
        }
        for name, value in {**told, **fixed}.items():
            if name not in CHEMISTRY:
                vector[_MODEL.index(name)] = value
        return scaling, np.asarray(vector)

    def _galaxy(
        self,
        generator: np.random.Generator,
        scaling: Scaling,
        vector: FloatArray,
        chemistry: Chemistry,
        bulges: tuple[float, float],
    ) -> GasGalaxy:
        for name in ("warp_inclination", "warp_position_angle"):
            vector[_MODEL.index(name)] = getattr(self, name) * generator.standard_normal()
        vector[_MODEL.index("continuum")] = CONTINUUM * generator.standard_normal()
        radius = float(vector[_MODEL.index("half_light_radius")])
        dispersion = float(vector[_MODEL.index("velocity_dispersion")])
        diffuse = float(np.clip(generator.normal(DIFFUSE, DIFFUSE_SCATTER), *DIFFUSE_RANGE))
        slope = float(np.clip(generator.normal(SLOPE, SLOPE_SCATTER), 1.2, 1.95))
        log_regions = scaling.log_luminosity + float(np.log10(1 - diffuse))
        return GasGalaxy(
            vector=vector,
            scaling=scaling,
            structure=draw_structure(
                generator,
                scaling.log_stellar_mass,
                scaling.rotation_velocity,
                float(vector[_MODEL.index("inclination")]),
                bulges,
            ),
            motions=draw_motions(generator),
            turbulence=self.turbulence.draw(generator, dispersion),
            extent=self.turbulence.extent,
            diffuse=diffuse,
            regions=draw_luminosities(generator, log_regions, slope),
            clumps=_draw_giants(generator, scaling, radius, 1 - diffuse),
            outflow=_draw_outflow(generator, scaling),
            companion=_draw_companion(generator, dispersion),
            chemistry=chemistry,
            seed=int(generator.integers(2**31)),
            mirrored=bool(generator.integers(2)),
        )


def _from_face_on_to_edge_on(inclination: float) -> float:
    """Return an inclination of 0 to 90 degrees in place of one within the limits of the prior."""
    prior = next(row.prior for row in PARAMETERS if row.name == "inclination")
    most, least = np.cos(np.radians([prior.low, prior.high]))
    share = (np.cos(np.radians(inclination)) - least) / (most - least)
    return float(np.degrees(np.arccos(np.clip(share, 0.0, 1.0))))


def check_ranges(ranges: Ranges) -> None:
    """Raise InputError if a range is of what isn't one of `CHOSEN`, or beyond what can be.

    The bulge of the table may have 0 of the light, as it has in these disks.
    """
    for name, ends in ranges.items():
        if name not in CHOSEN and (name != "bulge_fraction" or any(ends)):
            raise InputError(
                f"`parameters`: {name} of gas disks can't be chosen; expected some of "
                f"{', '.join(CHOSEN)}; how uneven they are is in `gas`"
            )
        if name in (NUCLEAR_FRACTION, *CHEMISTRY):
            row = GAS_CONDITIONS[name].row
            if not row.minimum <= ends[0] <= ends[1] <= row.maximum:
                raise InputError(
                    f"{name} from {ends[0]:g} to {ends[1]:g}: expected rising numbers from "
                    f"{row.minimum:g} to {row.maximum:g}"
                )


def _draw_chemistry(
    generator: np.random.Generator, scaling: Scaling, fixed: Mapping[str, float]
) -> Chemistry:
    abundance = oxygen_abundance(scaling.log_stellar_mass, scaling.star_formation_rate)
    density = float(np.interp(scaling.redshift, [0.0, 2.3], DENSITIES))
    return Chemistry(
        abundance + ABUNDANCE_SCATTER * generator.standard_normal(),
        GRADIENT + GRADIENT_SCATTER * generator.standard_normal(),
        density * 10 ** (0.2 * generator.standard_normal()),
    )._replace(**{name: fixed[name] for name in CHEMISTRY if name in fixed})


def _draw_giants(
    generator: np.random.Generator, scaling: Scaling, radius: float, most: float
) -> Clumps:
    """Draw giant clumps as often as the rest-frame UV has them, with their share of it there.

    Sizes are those of images, 0.4 to 1.2 kpc at z = 1, at any redshift.
    """
    chance = clumpy_probability(scaling.log_stellar_mass, scaling.redshift)
    clumpy, cluster = generator.random(2)
    clumps = draw_clumps(
        generator,
        redshift=scaling.redshift,
        half_light_radius=radius,
        very_clumpy=bool(cluster < CLUMP_CLUSTER_SHARE),
        contrast=1.0,
    )
    shrink = kpc_per_arcsec(1.0) / kpc_per_arcsec(scaling.redshift)
    share = min(1.0, 0.9 * most / clumps.flux.sum()) if clumpy < chance else 0.0
    return clumps._replace(flux=share * clumps.flux, size=shrink * clumps.size)


def _draw_outflow(generator: np.random.Generator, scaling: Scaling) -> Outflow:
    chance = np.interp(scaling.log_stellar_mass, [9.5, 10.7], OUTFLOW_SHARE)
    present = generator.random() < chance
    fraction = generator.uniform(*OUTFLOW_FRACTIONS)
    return Outflow(
        fraction if present else 0.0,
        generator.uniform(*OUTFLOW_DISPERSIONS),
        generator.uniform(*OUTFLOW_SHIFTS),
    )


def _draw_companion(generator: np.random.Generator, dispersion: float) -> Companion:
    """Draw a companion as often as images have one, 1.6 to 10 times fainter.

    It is 0.4 to 1.5 arcsec away. Its velocity differs by 100 km/s, as that of satellites in small
    groups.
    """
    present = generator.random() < COMPANION_SHARE
    separation, direction = generator.uniform(0.4, 1.5), generator.uniform(0.0, 2 * np.pi)
    return Companion(
        flux=10 ** -generator.uniform(0.2, 1.0) if present else 0.0,
        x=separation * np.cos(direction),
        y=separation * np.sin(direction),
        radius=float(np.clip(0.15 * 10 ** generator.normal(0.0, 0.2), 0.03, 0.5)),
        velocity=100.0 * generator.standard_normal(),
        rotation=generator.uniform(0.0, 80.0),
        dispersion=dispersion,
        angle=generator.uniform(0.0, 2 * np.pi),
    )
