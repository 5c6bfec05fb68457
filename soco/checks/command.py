"""`soco check-data`: what the detection sets of a configuration hold, before anything runs."""

from collections.abc import Mapping

from soco.checks.dataset import check_dataset
from soco.config import DatasetConfig
from soco.errors import UserError


def check_data(datasets: Mapping[str, DatasetConfig]) -> None:
    """Print what is found in each set; writes nothing.

    Raises:
        UserError: A set is refused, or there is none.
    """
    if not datasets:
        raise UserError("The configuration has no detection set; name one in `datasets`.")
    refused = []
    for name, dataset in datasets.items():
        checked = check_dataset(dataset)
        print(checked.describe(name))
        if checked.refused:
            refused.append(name)
    if refused:
        raise UserError(f"Of the detection sets, {', '.join(refused)} cannot be used; what is refused is told above.")
