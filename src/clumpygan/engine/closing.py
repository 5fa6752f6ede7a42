"""What our workers do when they are told to end."""

import asyncio

from distributed import Worker, WorkerPlugin

from clumpygan.engine.units import stop_units


class LeaveUnit(WorkerPlugin):
    """Interrupts the unit under way, so that its unfinished files are removed."""

    name = "clumpygan"

    async def teardown(self, worker: Worker) -> None:
        """Wait until the unit is left."""
        await asyncio.to_thread(stop_units)
