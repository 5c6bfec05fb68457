"""The command `soco show`.

The drawings load torch, matplotlib or the search engines, so they are imported when they are drawn.
"""

import argparse
import contextlib
import typing
from collections.abc import Callable
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
    """Add the subcommands to the parser of `show`."""
    shown = show.add_subparsers(dest="shown", required=True)
    proposals = shown.add_parser(
        "proposals", help="search one image and draw its regions next to its proposals"
    )
    proposals.add_argument("image", type=Path, metavar="IMAGE", help="an image file")
    _add_settings(proposals)
    proposals.add_argument(
        "--out", type=Path, help="the PNG to write [IMAGE_proposals.png in this folder]"
    )
    proposals.add_argument(
        "--side", type=_side, default=640, help="longest side of a drawn image, in pixels [640]"
    )
    proposals.set_defaults(draw=_proposals)
    _add_views(shown.add_parser("views", help="draw the views of pretraining and their boxes"))
    loss = shown.add_parser("loss", help="draw the loss of a pretraining, finished or not")
    loss.add_argument(
        "log", type=Path, metavar="LOG", help="log.jsonl in results/pretrain/RUN or in checkpoints"
    )
    _add_config(loss)
    _add_run(loss)
    loss.add_argument("--out", type=Path, default=Path("loss.png"), help="the PNG [loss.png]")
    loss.set_defaults(draw=_loss)


def run_show(chosen: argparse.Namespace) -> None:
    """Draw, and print what was found and where the drawing is.

    Raises:
        UserError: The configuration is invalid, an image cannot be read, or the output is not a
            PNG.
    """
    config = load_config(*chosen.config) if chosen.config else None
    print(printable(chosen.draw(chosen, config)))


def _add_views(views: argparse.ArgumentParser) -> None:
    views.add_argument(
        "images", type=Path, metavar="IMAGE", nargs="*", help="image files to search"
    )
    _add_settings(views)
    views.add_argument(
        "--store", type=Path, help="store.arrow of a finished search, instead of IMAGE"
    )
    views.add_argument(
        "--images",
        type=_at_least(1),
        default=4,
        dest="most",
        help="maximum number of images from the store [4]",
    )
    _add_run(views)
    views.add_argument("--epoch", type=_at_least(0), default=0, help="the first epoch drawn [0]")
    views.add_argument(
        "--samples", type=_at_least(1), default=1, help="number of epochs drawn per image [1]"
    )
    views.add_argument("--seed", type=_at_least(0), help="seed, instead of the configuration's")
    views.add_argument(
        "--out", type=Path, default=Path("views.png"), help="a PNG or a folder of PNGs [views.png]"
    )
    views.add_argument(
        "--side", type=_side, default=224, help="width and height of a drawn view, in pixels [224]"
    )
    views.set_defaults(draw=_views)


def _proposals(chosen: argparse.Namespace, config: Config | None) -> str:
    from soco.report.show.proposals import Search, show_proposals

    output = chosen.out or Path(f"{chosen.image.stem}_proposals.png")
    _check_png(output)
    search = Search(*_search_settings(config), chosen.engine)
    return f"{show_proposals(chosen.image, search, output, chosen.side)}; see {output}"


def _views(chosen: argparse.Namespace, config: Config | None) -> str:
    from soco.data import open_source
    from soco.pretrain.views import ViewDataset
    from soco.report.show.proposals import Search
    from soco.report.show.samples import samples_of, searched
    from soco.report.show.views import write_gallery

    output: Path = chosen.out
    _check_gallery(output)
    if bool(chosen.images) == bool(chosen.store):
        raise UserError("show.no_images", "Give either image files to search, or --store.")
    recipe, seed = _recipe(config, chosen.run_name), chosen.seed
    if seed is None:
        seed = recipe.seed_or(config.seed if config else 1)
    opened: contextlib.AbstractContextManager[ViewDataset]
    if chosen.images:
        most_pixels = (config.images if config else ImagesConfig(path=".")).max_pixels
        search = Search(*_search_settings(config), chosen.engine, most_pixels)
        opened, most = searched(chosen.images, search, recipe, seed), len(chosen.images)
    elif config is None:
        raise UserError(
            "show.store_without_config",
            "A store does not contain its images; give --config, which says where they are.",
        )
    else:
        store = ViewDataset(chosen.store, open_source(config.images), recipe, seed)
        opened, most = contextlib.nullcontext(store), chosen.most
    with opened as dataset:
        if not len(dataset):
            raise UserError(
                "show.empty_store",
                "{store} has no images; give the store of a different search.",
                store=chosen.store,
            )
        samples = samples_of(dataset, most, chosen.epoch, chosen.samples)
        count = write_gallery(samples, recipe, output, chosen.side)
    shown = output if output.suffix else output / "index.html"
    return f"{count} {'sample' if count == 1 else 'samples'}; see {shown}"


def _loss(chosen: argparse.Namespace, config: Config | None) -> str:
    from soco.report.show.loss import show_loss

    _check_png(chosen.out)
    pairs = len(_recipe(config, chosen.run_name).views) - 1
    assumed = "" if config else f" (assuming {pairs} pairs of views; --config gives your run's)"
    return f"{show_loss(chosen.log, pairs, chosen.out)}{assumed}; see {chosen.out}"


def _check_png(output: Path) -> None:
    if output.suffix.lower() != ".png":
        raise UserError(
            "show.not_png",
            "The drawing is a PNG, but --out is {path}; give a name that ends in .png.",
            path=output,
        )


def _check_gallery(output: Path) -> None:
    """Fail early if the result could not be written."""
    if output.suffix.lower() not in ("", ".png"):
        raise UserError(
            "show.not_png_or_folder",
            "--out is {path}; give a name that ends in .png, or a folder without a dot.",
            path=output,
        )
    if output.exists() and output.is_dir() == bool(output.suffix):
        raise UserError(
            "show.output_exists",
            "--out is {path}, which is an existing {kind}; give another name.",
            path=output,
            kind="folder" if output.is_dir() else "file",
        )


def _search_settings(config: Config | None) -> tuple[ProposalsConfig, FilterConfig]:
    return (config.proposals, config.filter) if config else (ProposalsConfig(), FilterConfig())


def _recipe(config: Config | None, run: str | None) -> PretrainConfig:
    """The pretraining of that name, or the only one; without a configuration the paper's."""
    runs = config.pretrain if config else {"": PretrainConfig()}
    if run is None and len(runs) == 1:
        return next(iter(runs.values()))
    if run in runs:
        return runs[run]
    known = ", ".join(runs) or "none"
    if run is None:
        raise UserError(
            "show.no_run",
            "Choose a pretraining with --run; the configuration has {known}.",
            known=known,
        )
    raise UserError(
        "show.unknown_run",
        "--run is {run}, but the pretrainings of the configuration are {known}; choose one, and"
        " give its --config.",
        run=run,
        known=known,
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument(
        "--engine", choices=typing.get_args(Engine), help="engine, instead of the configuration's"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", dest="run_name", help="the pretraining, if there are several")


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        help="a YAML file; repeat the option to merge further files [the paper's settings]",
    )


def _side(text: str) -> int:
    side = int(text)
    if not 32 <= side <= 8192:
        raise argparse.ArgumentTypeError(f"{side} is not between 32 and 8192 pixels")
    return side


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number
