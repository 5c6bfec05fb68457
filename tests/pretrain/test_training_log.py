import json
import logging
import math
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from soco.pretrain.training_log import CollapseWatch, TrainingLog

HEALTHY, COLLAPSED = {"spread": 0.8, "cosine_apart": 0.3}, {"spread": 0.1, "cosine_apart": 0.99}


def lines_of(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def log_step(training_log, steps, loss=-1.0, **more):
    for step in steps:
        values = {"loss": torch.tensor(loss), "lr": 0.5, "ema_momentum": 0.99, "epoch": step // 3}
        training_log.log_step(
            step,
            waited=0.0,
            **values,
            **{name: torch.tensor(value) for name, value in more.items()},
        )


def test_a_line_has_every_key_and_the_last_step_has_one(tmp_path):
    with TrainingLog(tmp_path / "log.jsonl", 0, 6, 4, every=2) as training_log:
        log_step(training_log, range(6), **HEALTHY)
    lines = lines_of(tmp_path / "log.jsonl")
    assert [line["step"] for line in lines] == [0, 2, 4, 5]
    assert list(lines[0]) == [
        "step", "loss", "lr", "ema_momentum", "epoch", "spread", "cosine_apart",
        "images_per_second", "data_wait", "memory_mb", "seconds",
    ]  # fmt: skip
    assert (lines[2]["epoch"], lines[2]["loss"], lines[2]["spread"]) == (
        1,
        -1.0,
        pytest.approx(0.8),
    )
    assert 50 < lines[0]["memory_mb"] < 50_000


def test_speed_and_waiting_count_from_the_last_line(tmp_path, monkeypatch):
    clock = iter(
        [100.0, *(value for pair in ((110, 110), (120, 120), (125, 125)) for value in pair)]
    )
    monkeypatch.setattr(
        "soco.pretrain.training_log.time", SimpleNamespace(monotonic=lambda: next(clock))
    )
    with TrainingLog(tmp_path / "log.jsonl", 0, 5, 8, every=2) as training_log:
        for step, waited in enumerate([5.0, 1.0, 1.0, 0.5, 100.0]):
            training_log.log_step(step, waited=waited, loss=0.0)
    lines = lines_of(tmp_path / "log.jsonl")
    assert [line["images_per_second"] for line in lines] == [0.8, 1.6, 3.2]
    assert [line["data_wait"] for line in lines] == [0.5, 0.2, 1.0]
    assert [line["seconds"] for line in lines] == [10.0, 20.0, 25.0]


def test_what_is_not_finite_is_null(tmp_path):
    with TrainingLog(
        tmp_path / "log.jsonl", 0, 1, 4, every=1, tensorboard=tmp_path / "events"
    ) as training_log:
        log_step(training_log, range(1), spread=math.nan, cosine_apart=math.inf)
    (line,) = lines_of(tmp_path / "log.jsonl")
    assert line["spread"] is None and line["cosine_apart"] is None and line["loss"] == -1.0
    assert "spread" not in events_of(tmp_path / "events")


def test_a_resumed_log_drops_the_lines_past_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    with TrainingLog(path, 0, 6, 4, every=1) as training_log:
        log_step(training_log, range(4))
    path.write_text(path.read_text() + '{"step": 4, "lo')
    before = json.loads(path.read_text().splitlines()[1])["seconds"]
    with TrainingLog(path, 2, 6, 4, every=2) as resumed:
        assert resumed.seconds >= before
        log_step(resumed, range(2, 6), loss=-10.0)
    lines = lines_of(path)
    assert [(line["step"], line["loss"]) for line in lines] == [
        (0, -1),
        (1, -1),
        (2, -10),
        (4, -10),
        (5, -10),
    ]
    assert [line["seconds"] for line in lines] == sorted(line["seconds"] for line in lines)


def events_of(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_tensorboard_has_one_value_a_step_after_a_resume(tmp_path):
    path, folder = tmp_path / "log.jsonl", tmp_path / "tensorboard" / "run"
    with TrainingLog(path, 0, 6, 4, every=1, tensorboard=folder) as training_log:
        log_step(training_log, range(5), **HEALTHY)
    with TrainingLog(path, 3, 6, 4, every=1, tensorboard=folder) as training_log:
        log_step(training_log, range(3, 6), loss=-2.0, **HEALTHY)
    events = events_of(folder)
    assert events["loss"] == [(0, -1), (1, -1), (2, -1), (3, -2), (4, -2), (5, -2)]
    assert set(events) == set(lines_of(path)[0]) - {"step"}
    for line in lines_of(path):
        assert dict(events["cosine_apart"])[line["step"]] == pytest.approx(line["cosine_apart"])


def test_tensorboard_groups_nested_values_and_the_line_keeps_them(tmp_path):
    path, travel = (
        tmp_path / "log.jsonl",
        {"stem": {"distance": torch.tensor(0.5), "cosine": math.nan}},
    )
    with TrainingLog(path, 0, 1, 4, every=1, tensorboard=tmp_path / "events") as training_log:
        training_log.log_step(0, loss=-1.0, travel=travel)
    (line,) = lines_of(path)
    assert line["travel"] == {"stem": {"distance": 0.5, "cosine": None}}
    events = events_of(tmp_path / "events")
    assert events["travel/stem/distance"] == [(0, 0.5)] and "travel/stem/cosine" not in events


def test_a_run_from_the_first_step_removes_only_the_old_events(tmp_path):
    for loss in (-1.0, -3.0):
        with TrainingLog(
            tmp_path / "log.jsonl", 0, 2, 4, every=1, tensorboard=tmp_path / "events"
        ) as training_log:
            log_step(training_log, range(2), loss=loss)
        (tmp_path / "events" / "notes.txt").write_text("kept")
    assert events_of(tmp_path / "events")["loss"] == [(0, -3), (1, -3)]
    assert len(list((tmp_path / "events").iterdir())) == 2


def test_an_exception_closes_bar_and_files(tmp_path, capsys):
    folder = tmp_path / "events"
    with (
        pytest.raises(KeyboardInterrupt),
        TrainingLog(tmp_path / "log.jsonl", 0, 9, 4, every=1, tensorboard=folder) as training_log,
    ):
        log_step(training_log, range(1))
        raise KeyboardInterrupt
    assert events_of(folder)["loss"] == [(0, -1)]
    assert "| 1/9 [" in capsys.readouterr().err.splitlines()[-1]


def test_in_a_log_file_the_bar_is_lines_with_the_values(tmp_path, capsys):
    with TrainingLog(tmp_path / "log.jsonl", 0, 3, 4, every=1) as training_log:
        log_step(training_log, range(3), loss=-2.5)
    shown = capsys.readouterr().err
    assert "\r" not in shown and "\n\n" not in shown
    last = shown.splitlines()[-1]
    for part in (
        "pretraining: 100%",
        "3/3",
        "loss -2.500",
        "lr 0.5",
        "EMA 0.9900",
        "images/s",
        "data wait 0%",
        " MB",
    ):
        assert part in last, part


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def read(watch, steps, **line):
    for step in steps:
        watch.read({"step": step, **line})


def test_collapse_is_warned_about_once_until_it_recovers(warnings):
    watch = CollapseWatch(100)
    read(watch, range(20, 22), **COLLAPSED)
    assert not warnings()
    read(watch, range(22, 40), **COLLAPSED)
    assert len(warnings()) == 1
    assert all(word in warnings()[0] for word in ("step 22", "0.100", "base_lr"))
    read(watch, range(40, 50), **HEALTHY)
    read(watch, range(50, 60), **COLLAPSED)
    assert len(warnings()) == 2


@pytest.mark.parametrize(
    "line", [{"spread": 0.1, "cosine_apart": 0.5}, {"spread": 0.5, "cosine_apart": 0.97}]
)
def test_either_sign_is_enough(warnings, line):
    read(CollapseWatch(100), range(50, 60), **line)
    assert len(warnings()) == 1


@pytest.mark.parametrize("line", [HEALTHY, {}, {"spread": None, "cosine_apart": None}])
def test_healthy_and_missing_values_give_no_warning(warnings, line):
    read(CollapseWatch(100), range(100), **line)
    assert not warnings()


def test_the_beginning_and_single_lines_give_no_warning(warnings):
    watch = CollapseWatch(100)
    read(watch, range(10), **COLLAPSED)
    for step in range(10, 100, 3):
        read(watch, range(step, step + 2), **COLLAPSED)
        read(watch, [step + 2], **HEALTHY)
    assert not warnings()


def test_the_log_feeds_the_watch(tmp_path, warnings):
    with TrainingLog(tmp_path / "log.jsonl", 0, 20, 4, every=1) as training_log:
        log_step(training_log, range(20), **COLLAPSED)
    assert len(warnings()) == 1
