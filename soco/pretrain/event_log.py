"""The training log's numbers for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path


class EventLog:
    """Scalars in a folder that `tensorboard --logdir` reads.

    A resumed run's replace those past its checkpoint.
    """

    def __init__(self, folder: str | Path, first_step: int) -> None:
        # Takes seconds to import, which a run without TensorBoard need not wait for.
        from torch.utils.tensorboard import SummaryWriter

        if first_step == 0:
            for old in Path(folder).glob("events.out.tfevents.*"):
                old.unlink()
        self._writer = SummaryWriter(log_dir=str(folder), purge_step=first_step)

    def write(self, step: int, values: Mapping[str, float | None]) -> None:
        """Write the values of a step at once, so that a kill loses none; None is left out."""
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
