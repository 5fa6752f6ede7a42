"""Training of the network that tells two galaxies that overlap from one."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from clumpygan.evaluation.recovery.blends import Recognition
from clumpygan.gan.gan_settings import CoreSettings, Schedule
from clumpygan.gan.training import Batch, Network, TrainingModule


class BlendClassifierModule(TrainingModule):
    """Train a classifier by the cross-entropy of what it says of pairs and of single galaxies.

    Batches are dicts: `observed` (B, 1, y, x) in nJy per pixel, `sigma` (B,), `transfer`
    (B, Ky, Kx), and `blend` (B,), 1 of two galaxies and 0 of one, as many of either.

    Parameters
    ----------
    generator : nn.Module or mapping
        The classifier: ``generator(observed, sigma, transfer)`` returns the ln of the odds (B,),
        and so does its `log_odds`, with which it is used.
    **core
        As of `TrainingModule`.
    """

    criterion = "cross_entropy"
    task = "blend_classifier"
    needs = ("observed", "sigma", "transfer", "blend")
    standard_schedule = Schedule(peak=1e-3, final=1e-5, warm_up=8000)
    standard_core = CoreSettings(channels_last=True)

    def __init__(self, generator: Network | None = None, **core: Any) -> None:
        super().__init__(generator, **core)
        self._store_channels_last()
        self._measured: list[tuple[Tensor, Tensor]] = []

    @classmethod
    def told(cls, data: Any) -> dict[str, Any]:
        """Return the survey, the target, and their pixels."""
        return {"observation": data.pair.to_card()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.generator.parameters(), lr=self.schedule.peak)

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """Take one step."""
        optimiser: Any = self.optimizers()
        self.check_batch(batch, "the data")
        odds = self.generator(batch["observed"], batch["sigma"], batch["transfer"])
        loss = functional.binary_cross_entropy_with_logits(odds, batch["blend"])
        logs = {"cross_entropy": loss.detach(), **self._scheduled_step(loss, optimiser)}
        self.finish_step(len(odds), logs, batch_index)

    @torch.no_grad()
    def log_odds(self, batch: Batch) -> Tensor:
        """Return the ln of the odds (B,) by the averaged classifier, as it is used."""
        odds: Tensor = self.average.log_odds(batch["observed"], batch["sigma"], batch["transfer"])
        return odds

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Ask the averaged classifier of held-out galaxies."""
        self._measured.append((self.log_odds(batch).cpu(), batch["blend"].cpu()))

    def predict_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the ln of the odds (B,) of a batch."""
        return self.log_odds(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the cross-entropy, and the share of blends that go unrecognised."""
        measured, self._measured = self._measured, []
        if self.trainer.sanity_checking or not measured:
            return
        odds, blend = (torch.cat(parts).double() for parts in zip(*measured, strict=True))
        loss = functional.binary_cross_entropy_with_logits(odds, blend)
        metrics = {"cross_entropy": float(loss)}
        probability, pair = torch.sigmoid(odds).numpy(), blend.numpy() > 0
        if 0 < np.count_nonzero(pair) < len(pair):
            single = probability[~pair]
            shares = Recognition(probability[pair], single, single).at()
            metrics["unrecognised"] = shares["unrecognised"]
        self.record(metrics)
