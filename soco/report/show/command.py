"""`soco show`: its arguments, and what it prints."""

import argparse
import typing
from pathlib import Path

from soco.config import (
    Config,
    FilterConfig,
    ImagesConfig,
    PretrainConfig,
    ProposalsConfig,
    load_config,
)
from soco.config.schema import Engine
from soco.errors import UserError, printable


def add_show(show: argparse.ArgumentParser) -> None:
    """Add what `show` can show to its parser."""
    shown = show.add_subparsers(dest="shown", required=True)
    proposals = shown.add_parser(
        "proposals", help="search one image, and draw its regions beside its proposals"
    )
    proposals.add_argument("image", type=Path, metavar="IMAGE", help="an image file")
    _take_settings(proposals)
    proposals.add_argument(
        "--out", type=Path, help="the PNG to write; otherwise IMAGE's name and _proposals.png, here"
    )
    proposals.add_argument(
        "--side", type=_side, default=640, help="longest side of a drawn image, in pixels [640]"
    )
    proposals.set_defaults(draw=_proposals)
    views = shown.add_parser(
        "views", help="draw views as pretraining makes them, with their boxes and what they join"
    )
    views.add_argument(
        "images", type=Path, metavar="IMAGE", nargs="*", help="image files; they are searched"
    )
    _take_settings(views)
    views.add_argument(
        "--store",
        type=Path,
        help="store.arrow of a finished search, in place of IMAGE; with --config",
    )
    views.add_argument(
        "--images", type=_count, default=4, dest="most", help="most images of the store [4]"
    )
    _take_run(views)
    views.add_argument(
        "--epoch", type=_number, default=0, help="the epoch whose views are drawn [0]"
    )
    views.add_argument(
        "--samples", type=_count, default=1, help="samples of an image, in successive epochs [1]"
    )
    views.add_argument(
        "--seed", type=_number, help="another seed than the configuration's, or than 1"
    )
    views.add_argument(
        "--out",
        type=Path,
        default=Path("views.png"),
        help="a PNG, or a folder for one each [views.png]",
    )
    views.add_argument(
        "--side", type=_side, default=224, help="width and height of a drawn view, in pixels [224]"
    )
    views.set_defaults(draw=_views)
    loss = shown.add_parser(
        "loss", help="draw the loss of a pretraining from its log, finished or not"
    )
    loss.add_argument(
        "log",
        type=Path,
        metavar="LOG",
        help="log.jsonl in results/pretrain/RUN or results/checkpoints",
    )
    _take_config(loss)
    _take_run(loss)
    loss.add_argument(
        "--out", type=Path, default=Path("loss.png"), help="the PNG to write [loss.png]"
    )
    loss.set_defaults(draw=_loss)


def run_show(chosen: argparse.Namespace) -> None:
    """Draw, and say in a line what was found and where the drawing lies.

    Raises:
        UserError: The configuration is refused, an image cannot be read, or the output is no PNG.
    """
    config = load_config(*chosen.config) if chosen.config else None
    print(printable(chosen.draw(chosen, config)))


def _proposals(chosen: argparse.Namespace, config: Config | None) -> str:
    from soco.report.show.proposals import (
        show_proposals,
    )  # loads the engines, which `soco keys` need not wait for

    output = chosen.out or Path(f"{chosen.image.stem}_proposals.png")
    _see_that_it_is_png(output)
    search, filters = _search_settings(config)
    return (
        f"{show_proposals(chosen.image, search, filters, output, chosen.engine, chosen.side)}; see"
        f" {output}"
    )


def _views(chosen: argparse.Namespace, config: Config | None) -> str:
    from soco.report.drawing.samples import of_store, samples_of, searched
    from soco.report.show.gallery import (
        write_gallery,
    )  # loads torch, which `soco keys` need not wait for

    output: Path = chosen.out
    if output.suffix.lower() not in ("", ".png"):
        raise UserError(
            f"--out is {output}; give a name that ends in .png, or a folder without a dot."
        )
    _see_that_it_can_be(output, folder=not output.suffix)
    if bool(chosen.images) == bool(chosen.store):
        raise UserError("Give image files to search, or a store with --store; one of the two.")
    recipe, seed = _recipe(config, chosen.run_name), chosen.seed
    if seed is None:
        seed = config.seed if config else 1
    if chosen.images:
        most_pixels = (config.images if config else ImagesConfig(path=".")).max_pixels
        opened = searched(
            chosen.images, *_search_settings(config), recipe, seed, chosen.engine, most_pixels
        )
        most = len(chosen.images)
    elif config is None:
        raise UserError(
            "A store does not hold its images; give --config, which says where they are."
        )
    else:
        opened, most = of_store(chosen.store, config.images, recipe, seed), chosen.most
    with opened as dataset:
        if not len(dataset):
            raise UserError(
                f"{chosen.store} holds no image; give the store of a search that found some."
            )
        samples = samples_of(dataset, most, chosen.epoch, chosen.samples)
        count = write_gallery(samples, recipe, output, chosen.side)
    shown = output if output.suffix else output / "index.html"
    return f"{count} {'sample' if count == 1 else 'samples'}; see {shown}"


def _loss(chosen: argparse.Namespace, config: Config | None) -> str:
    from soco.report.show.loss import show_loss  # loads matplotlib

    _see_that_it_is_png(chosen.out)
    pairs = len(_recipe(config, chosen.run_name).views) - 1
    assumed = (
        "" if config else f" (of {pairs} pairs of views; --config says how many a run of yours has)"
    )
    return f"{show_loss(chosen.log, pairs, chosen.out)}{assumed}; see {chosen.out}"


def _see_that_it_is_png(output: Path) -> None:
    if output.suffix.lower() != ".png":
        raise UserError(
            f"--out is {output}, and the drawing is a PNG; give a name that ends in .png."
        )


def _see_that_it_can_be(output: Path, folder: bool) -> None:
    """Refuse before the work what could not be written after it."""
    if output.exists() and output.is_dir() != folder:
        raise UserError(
            f"--out is {output}, which is a {'file' if folder else 'folder'}; give another name."
        )


def _search_settings(config: Config | None) -> tuple[ProposalsConfig, FilterConfig]:
    return (config.proposals, config.filter) if config else (ProposalsConfig(), FilterConfig())


def _recipe(config: Config | None, run: str | None) -> PretrainConfig:
    """The pretraining of a name, or the only one; without a configuration the paper's."""
    runs = config.pretrain if config else {"": PretrainConfig()}
    if run is None and len(runs) == 1:
        return next(iter(runs.values()))
    if run in runs:
        return runs[run]
    known = ", ".join(runs) or "none"
    if run is None:
        raise UserError(
            f"Say with --run which pretraining the views are of; the configuration has {known}."
        )
    raise UserError(
        f"--run is {run}, and the pretrainings of the configuration are {known}; give --config and"
        " one."
    )


def _take_settings(parser: argparse.ArgumentParser) -> None:
    _take_config(parser)
    parser.add_argument(
        "--engine", choices=typing.get_args(Engine), help="another engine than the configuration's"
    )


def _take_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run",
        dest="run_name",
        help="which of the configuration's pretrainings, where it has several",
    )


def _take_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        help="a YAML file; given again, an overlay on it; without any, the paper's settings",
    )


def _side(text: str) -> int:
    side = int(text)
    if not 32 <= side <= 8192:
        raise argparse.ArgumentTypeError(f"{side} is not between 32 and 8192 pixels")
    return side


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return int(text)


def _number(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return int(text)
