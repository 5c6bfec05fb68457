"""`soco check-data`: what the detection sets of a configuration hold, before anything runs."""

from soco.config import Config
from soco.data.checks.dataset import check_dataset, decoded_folder
from soco.errors import UserError


def check_data(config: Config) -> None:
    """Print what is found in each set; writes only which images it decoded, below `results`.

    Raises:
        UserError: A set is refused, or there is none.
    """
    if not config.datasets:
        raise UserError("The configuration has no detection set; name one in `datasets`.")
    refused = []
    for name, dataset in config.datasets.items():
        checked = check_dataset(dataset, cache=decoded_folder(config.results, name))
        print(checked.describe(name))
        if checked.refused:
            refused.append(name)
    if refused:
        raise UserError(
            f"Of the detection sets, {', '.join(refused)} cannot be used; what is refused is told"
            " above."
        )
