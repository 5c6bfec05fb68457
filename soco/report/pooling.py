"""Which initialisations of a task are pretrainings of one recipe with different seeds."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from soco.config import PretrainConfig, identity
from soco.report.seed_statistics import Group


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: an initialisation, or several pretrainings of one recipe.

    Attributes:
        members: The evaluations of each pretraining, or of the one initialisation.
    """

    members: tuple[Group, ...]

    @property
    def is_pooled(self) -> bool:
        """Whether it has several pretrainings."""
        return len(self.members) > 1

    @property
    def label(self) -> str:
        """Its name on the page, such as `soco (2 pretrainings)`."""
        first = self.members[0].label
        return f"{first} ({len(self.members)} pretrainings)" if self.is_pooled else first

    @property
    def seeds(self) -> list[int]:
        """The fine-tuning seeds that all of its pretrainings have."""
        shared = set.intersection(*(set(member.seeds) for member in self.members))
        return [seed for seed in self.members[0].seeds if seed in shared]

    def value(self, part: str, name: str, seed: int) -> float | None:
        """A metric of one fine-tuning seed, the mean over the pretrainings.

        Args:
            part: `box` or `mask`.
            name: The metric, such as `AP`.
            seed: One of `seeds`.

        Returns:
            None if any of the evaluations has no value.
        """
        rows = (row for member in self.members for row in member.rows if row["seed"] == seed)
        values = [row[part].get(name) for row in rows]
        return None if None in values else math.fsum(values) / len(values)


def recipes_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Which pretrainings differ only in their seed.

    Args:
        config: The whole configuration, plain.

    Returns:
        For each pretraining the name of the first one of the same recipe: all keys that affect the
        weights are equal, except the seed. A second run with the same seed has a name of its own,
        because it is the same run again.
    """
    recipes: dict[str, str] = {}
    runs: dict[str, dict[int, str]] = {}
    for name, plain in config["pretrain"].items():
        settings = PretrainConfig.model_validate(plain)
        by_seed = runs.setdefault(json.dumps(identity(settings, "pretrain"), sort_keys=True), {})
        is_new = by_seed.setdefault(settings.seed_or(config["seed"]), name) == name
        recipes[name] = next(iter(by_seed.values())) if is_new else name
    return recipes


def arms_of(groups: Sequence[Group], recipes: Mapping[str, str]) -> list[Arm]:
    """The sides that a task's comparisons have, in the order of its initialisations.

    Args:
        groups: The task's evaluations. Those with a single seed take no part, nor does an
            initialisation whose seeds have different protocols.
        recipes: From `recipes_of`.
    """
    members: dict[str, list[Group]] = {}
    for group in groups:
        if len(group.rows) > 1:
            name = group.initialisation
            members.setdefault(recipes.get(name, name), []).append(group)
    return [Arm(tuple(of_recipe)) for of_recipe in members.values()]
