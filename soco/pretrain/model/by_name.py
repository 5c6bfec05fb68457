"""A model by the name of its recipe."""

from soco.config.recipes import recipe
from soco.pretrain.model.soco import SoCo, build_model


def model_of_recipe(name: str, seed: int = 0) -> SoCo:
    """Make the model of a recipe, with weights drawn from a seed.

    Args:
        name: As `soco.config.recipes.recipe` takes it: `fpn_100`, `fpn_400`, `star_400`, `c4_100` or
            `c4_400`.
        seed: The fresh weights follow from it.

    Raises:
        UserError: There is no such recipe.
    """
    return build_model(*recipe(name), seed=seed)
