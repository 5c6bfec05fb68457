"""`soco show`: its arguments, and what it prints."""

import argparse
import typing
from pathlib import Path

from soco.config import FilterConfig, ProposalsConfig, load_config
from soco.config.schema import Engine
from soco.errors import UserError


def add_show(show: argparse.ArgumentParser) -> None:
    """Add what `show` can show to its parser."""
    shown = show.add_subparsers(dest="shown", required=True)
    proposals = shown.add_parser("proposals", help="search one picture, and draw its regions beside its proposals")
    proposals.add_argument("picture", type=Path, metavar="PICTURE", help="a picture file")
    proposals.add_argument(
        "--config",
        action="append",
        default=[],
        help="a YAML file; given again, an overlay on it; without any, the paper's settings",
    )
    proposals.add_argument("--engine", choices=typing.get_args(Engine), help="another engine than the configuration's")
    proposals.add_argument(
        "--out", type=Path, help="the PNG to write; otherwise PICTURE's name and _proposals.png, here"
    )
    proposals.add_argument("--side", type=_side, default=640, help="longest side of a drawn picture, in pixels [640]")


def run_show(chosen: argparse.Namespace) -> None:
    """Draw, and say in a line what was found and where the drawing lies.

    Raises:
        UserError: The configuration is refused, the picture cannot be read, or the output is no PNG.
    """
    from soco.show.proposals import show_proposals  # loads the engines, which `soco keys` need not wait for

    search, filters = ProposalsConfig(), FilterConfig()
    if chosen.config:
        config = load_config(*chosen.config)
        search, filters = config.proposals, config.filter
    output = chosen.out or Path(f"{chosen.picture.stem}_proposals.png")
    if output.suffix.lower() != ".png":
        raise UserError(f"--out is {output}, and the drawing is a PNG; give a name that ends in .png.")
    print(f"{show_proposals(chosen.picture, search, filters, output, chosen.engine, chosen.side)}; see {output}")


def _side(text: str) -> int:
    side = int(text)
    if not 32 <= side <= 8192:
        raise argparse.ArgumentTypeError(f"{side} is not between 32 and 8192 pixels")
    return side
