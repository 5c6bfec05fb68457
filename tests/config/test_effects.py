"""Which key affects which result: what rules, checkpoints and comparisons take from the marks."""

from soco.config import DatasetConfig, FinetuneConfig, PretrainConfig, ProbeConfig, identity
from soco.config.effects import keys_affecting, runtime_keys


def without(section, stage):
    """The keys of a section that do not affect a stage."""
    return set(section.model_fields) - set(keys_affecting(section, stage))


def test_runtime_keys_affect_no_result():
    assert set(runtime_keys(PretrainConfig)) == {
        *("recipe", "seed", "processes", "nodes", "recompute", "workers", "max_without_proposals"),
        *("checkpoint_minutes", "keep_checkpoints", "log_every", "cuda_graph", "deterministic"),
    }
    assert runtime_keys(FinetuneConfig) == (
        *("processes", "workers", "threads", "checkpoint_iterations"),
    )
    assert runtime_keys(ProbeConfig) == ("workers",)
    assert runtime_keys(DatasetConfig) == ("known_as",)
    for section, stage in ((PretrainConfig, "pretrain"), (ProbeConfig, "probe")):
        assert without(section, stage) == set(runtime_keys(section))


def test_evaluation_has_keys_of_its_own():
    runtime = set(runtime_keys(FinetuneConfig))
    of_evaluation = {"test_short_side", "score_threshold", "detections_per_image"}
    assert without(FinetuneConfig, "evaluate") == runtime
    assert without(FinetuneConfig, "finetune") == runtime | of_evaluation


def test_a_checkpoint_serves_every_row_of_the_same_training():
    """The name of a row, its seed (stored separately) and when it is evaluated change no weight."""
    not_weights = {"initialisations", "seeds", "protocol", "evaluate_every"}
    expected = without(FinetuneConfig, "finetune") | not_weights
    assert without(FinetuneConfig, "finetune_weights") == expected


def test_an_identity_is_plain_and_in_the_order_of_the_section():
    settings = PretrainConfig(recipe="soco_c4_100", batch_size=64)
    decisive = identity(settings, "pretrain")
    assert decisive["batch_size"] == 64
    assert decisive["views"][1] == {"size": 224, "crop": "a"}
    kept = [key for key in PretrainConfig.model_fields if key in decisive]
    assert list(decisive) == kept


def test_a_recipe_is_the_same_run_as_its_values():
    by_name = PretrainConfig(recipe="soco_fpn_100")
    spelled = PretrainConfig.model_validate(by_name.model_dump() | {"recipe": None})
    assert identity(by_name, "pretrain") == identity(spelled, "pretrain")


def test_a_pretraining_has_its_own_seed_or_the_top_level_one():
    own, other = PretrainConfig(seed=0), PretrainConfig()
    assert (own.seed_or(7), other.seed_or(7)) == (0, 7)
    # The job has the seed; where it was set makes no other run.
    assert identity(own, "pretrain") == identity(other, "pretrain")
