"""What `compat.py` relies on in detectron2, lvis and torch; these tests fail when it changes."""

import functools
import importlib
import inspect
import logging
import sys

import numpy as np
import pytest
from user_errors import refused


def test_without_detectron2_the_error_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("soco.transfer.detect")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "detectron2", None)
    with refused("detect.detectron2_missing"):
        importlib.import_module("soco.transfer.detect")


@pytest.fixture
def source():
    """The source code of a function or class of a library, by its dotted name."""
    pytest.importorskip("detectron2")

    def read(module, name):
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        while isinstance(found, functools.partial):  # `allow_ddp_on_cpu` ran before
            found = found.func
        return inspect.getsource(found)

    return read


@pytest.mark.parametrize(
    ("module", "name", "used"),
    [
        # allow_ddp_on_cpu
        ("detectron2.engine.defaults", "create_ddp_model", "def create_ddp_model(model,"),
        ("detectron2.engine.defaults", "create_ddp_model", 'if "device_ids" not in kwargs:'),
        ("detectron2.engine.defaults", "DefaultTrainer.__init__", "= create_ddp_model(model,"),
        # silence_loop_tracebacks
        ("detectron2.engine.train_loop", "TrainerBase.train", "logger.exception("),
        # replace_data_loader
        ("detectron2.engine.defaults", "DefaultTrainer.__init__", "self._trainer = ("),
        ("detectron2.engine.train_loop", "SimpleTrainer", "def reset_data_loader(self, data_lo"),
        # PreciseBN
        ("detectron2.engine.hooks", "PreciseBN.update_stats", "if self._data_iter is None:"),
        # transform_annotations
        ("detectron2.data", "DatasetMapper", "def _transform_annotations(self, dataset_dict, tr"),
        # Res5ROIHeadsExtraNorm
        ("detectron2.modeling.roi_heads", "Res5ROIHeads", "def _build_res5_block(cls, cfg):"),
        # CocoScorer
        ("detectron2.evaluation", "COCOEvaluator.__init__", "self._max_dets_per_image = max_"),
        ("detectron2.evaluation", "COCOEvaluator.__init__", "self._coco_api = COCO("),
        ("detectron2.evaluation", "COCOEvaluator._eval_predictions", "._derive_coco_results("),
        (
            "detectron2.evaluation",
            "COCOEvaluator._eval_predictions",
            "else None  # cocoapi does not",
        ),
        # _BatchEvaluator, _in_coco_format
        ("detectron2.evaluation", "COCOEvaluator.reset", "self._predictions = []"),
        ("detectron2.evaluation", "COCOEvaluator.process", "instances_to_coco_json(instances, "),
        ("detectron2.evaluation", "LVISEvaluator.reset", "self._predictions = []"),
        ("detectron2.evaluation", "LVISEvaluator.process", "instances_to_coco_json(instances, "),
        (
            "detectron2.evaluation.coco_evaluation",
            "_evaluate_predictions_on_coco",
            "coco_results = copy.deepcopy(coco_results)",
        ),
        # LvisScorer, recorded_lvis_evals
        ("detectron2.evaluation", "LVISEvaluator.__init__", "self._lvis_api = LVIS("),
        ("detectron2.evaluation", "LVISEvaluator._eval_predictions", "self._do_evaluation"),
        ("detectron2.evaluation", "LVISEvaluator._eval_predictions", "self._results[task] = res"),
        (
            "detectron2.evaluation.lvis_evaluation",
            "_evaluate_predictions_on_lvis",
            "from lvis import LVISEval, LVISResults",
        ),
        ("lvis", "LVISEval.__init__", "self.params = Params("),
        # restore_numpy_float
        ("lvis", "LVISEval.accumulate", "dtype=np.float"),
    ],
)
def test_the_library_still_has_what_we_use(source, module, name, used):
    assert used in source(module, name)


def test_numpy_still_lacks_float(monkeypatch):
    monkeypatch.delattr(np, "float", raising=False)  # other tests may have restored it
    assert not hasattr(np, "float")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("detectron2.engine.train_loop", "detectron2.engine.train_loop"),
        ("fvcore.common.checkpoint", "fvcore.common.checkpoint"),
    ],
)
def test_the_loggers_keep_their_names(source, module, name):
    found = importlib.import_module(module)
    loggers = [value for value in vars(found).values() if isinstance(value, logging.Logger)]
    named = [logger.name for logger in loggers] or [found.__name__]
    assert name in named
