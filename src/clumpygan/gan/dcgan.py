"""Training of the generators of stamps: what is special to images from nothing."""

from typing import Any

import torch
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.frechet import frechet_distance
from clumpygan.evaluation.realism.image_statistics import image_features
from clumpygan.evaluation.realism.two_sample import largest_departures
from clumpygan.galaxies.images.stamp_conditions import CONDITIONS
from clumpygan.gan.adversarial import AdversarialModule
from clumpygan.gan.gan_settings import AdversarialSettings, CoreSettings, Schedule
from clumpygan.gan.training import Batch, Network
from clumpygan.networks.blocks import stretch


class DcganModule(AdversarialModule):
    """Train a generator of noiseless stamps against real ones that have noise.

    Batches are dicts: `image` (B, 1, N, N) in units of the noise per pixel, and where the data
    have them `conditions` (B, K), and `noise` (B, 1, N, N), a realisation of the noise of such
    images. The discriminator sees generated images with that noise added (AmbientGAN, Bora et al.
    2018), so that the generator learns what lies beneath it.

    The generator has `latent_dim`, and `draw_noise(count, generator)`, which returns a tuple of
    tensors (count, ...), or (); ``generator(z, conditions, noise)`` maps z (B, latent_dim),
    standard normal, conditions (B, K) or None, and that noise to images (B, 1, N, N) in units of
    the noise. The discriminator maps stretched images, and conditions if there are any, to scores.

    Parameters
    ----------
    generator, discriminator : nn.Module or mapping
    **core
        As of `AdversarialModule`.

    Raises
    ------
    InputError
        If the discriminator isn't there from the start.
    """

    criterion = "frechet"
    task = "dcgan"
    needs = ("image",)
    generator_needs, arguments = ("latent_dim", "draw_noise"), 3
    standard_game = AdversarialSettings(momentum=0.0, penalty_interval=4)
    standard_schedule = Schedule(4e-4, 2e-5, 4e-4, 4e-4)
    standard_core = CoreSettings(gradient_clip=10.0, channels_last=True)

    def __init__(
        self,
        generator: Network | None = None,
        discriminator: Network | None = None,
        **core: Any,
    ) -> None:
        super().__init__(generator, discriminator, **core)
        if self.game.start:
            raise InputError(
                f"`model.game.start` is {self.game.start}: images from nothing have no other "
                "loss; expected 0"
            )
        self._real: list[Tensor] = []
        self._generated: list[Tensor] = []

    @classmethod
    def told(cls, data: Any) -> dict[str, Any]:
        """Return the size of the images, and what is known of the conditions and of the optics."""
        names = list(data.condition_names)
        told = {"size": data.size, "conditions": names}
        if "signal" in names:
            told["signal"] = [CONDITIONS["signal"].centre, CONDITIONS["signal"].scale]
        known = [CONDITIONS[name] for name in names if name in CONDITIONS]
        told["standards"] = {one.name: [one.centre, one.scale, one.logarithmic] for one in known}
        return told | (data.optics() if hasattr(data, "optics") else {})

    def sample(self, batch: Batch, noise: torch.Generator) -> tuple[Tensor, ...]:
        """Return one generated image, with noise, for each of the batch."""
        count = len(batch["image"]) * self.processes
        z = torch.randn((count, self.generator.latent_dim), generator=noise, device=noise.device)
        inner = tuple(self.own_rows(one) for one in self.generator.draw_noise(count, noise))
        images = self.generator(self.own_rows(z), batch.get("conditions"), inner)
        self.check_images(images, batch["image"])
        return (_with_noise(images, batch),)

    def truth(self, batch: Batch) -> Tensor:
        """Return the real images."""
        real: Tensor = batch["image"]
        return real

    def judged(self, images: Tensor, batch: Batch) -> Tensor:
        """Return the images stretched."""
        return stretch(images)

    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the conditions of the images, if there are any."""
        return (batch["conditions"],) if "conditions" in batch else ()

    def fidelity(self, samples: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Return no loss beside the adversarial one: there is no truth to be near to."""
        return {}

    @torch.no_grad()
    def generated(self, batch: Batch, noise: torch.Generator) -> Tensor:
        """Return noiseless images (B, 1, N, N) of the averaged generator, for a batch."""
        count = len(batch["image"])
        z = torch.randn((count, self.average.latent_dim), generator=noise, device=noise.device)
        images: Tensor = self.average(
            z, batch.get("conditions"), self.average.draw_noise(count, noise)
        )
        self.check_images(images, batch["image"])
        return images

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Generate as many images as there are held-out ones, with their conditions."""
        if len(batch["image"]) * batch_index >= self.core.validation_samples:
            return
        noise = torch.Generator(self.device).manual_seed(batch_index)
        self._real.append(batch["image"].cpu())
        self._generated.append(_with_noise(self.generated(batch, noise), batch).cpu())

    def predict_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return noiseless images (B, 1, N, N) for the conditions of a batch."""
        return self.generated(batch, torch.Generator(self.device).manual_seed(batch_index))

    def on_validation_epoch_end(self) -> None:
        """Compare the statistics of generated and held-out images."""
        if not self.trainer.sanity_checking and self._real:
            real, fake = (
                image_features(torch.cat(images)[:, 0].double().numpy())
                for images in (self._real, self._generated)
            )
            self.record({"frechet": frechet_distance(fake, real), **largest_departures(fake, real)})
        self._real.clear()
        self._generated.clear()


def _with_noise(images: Tensor, batch: Batch) -> Tensor:
    return images + batch["noise"] if "noise" in batch else images
