"""Write a file of weights under our names, for a pretraining that begins with it."""

from pathlib import Path

from soco.io import Origin, atomic_write
from soco.pretrain.initial import INITIAL_PARTS
from soco.transfer.convert.formats import write_safetensors
from soco.transfer.convert.names import part_of
from soco.transfer.convert.sources import read_source


def prepare_initial(
    source: Path, only_resnet: bool, output: Path, origin: Origin | None = None
) -> None:
    """Read weights of any origin, and write those that a pretraining can begin with.

    Args:
        source: A file that `read_source` accepts.
        only_resnet: Whether to take only the ResNet, or also FPN, box head, projector and predictor
            where the file has them.
        output: Receives the tensors by our name, as `PretrainJob.initial_weights` takes them, real
            numbers in float32.
        origin: What made the file.

    Raises:
        UserError: The file cannot be read, or has unknown names.
    """
    read = read_source(source)
    parts = ("encoder",) if only_resnet else INITIAL_PARTS
    taken = {
        name: value.float() if value.is_floating_point() else value
        for name, value in read.state.items()
        if part_of(name) in parts
    }
    with atomic_write(output) as temporary:
        write_safetensors(temporary, taken, origin)
    if read.choice():
        print(f"{source}: {read.choice()}.")
    found = [part for part in parts if part in set(map(part_of, taken))]
    print(f"Took {len(taken)} tensors of {source}: {', '.join(found)}.")
