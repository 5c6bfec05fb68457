import itertools
import math

import torch

from soco.pretrain.readings import Window
from soco.pretrain.step import Taken


def taken(*losses, first_image=0):
    """A step of gradient accumulation steps with these losses, of two images each."""
    values = torch.tensor([[loss, -3.0, 0.5, 0.25] for loss in losses])
    images = torch.arange(first_image, first_image + 2 * len(losses)).view(-1, 2)
    return Taken(values, list(images))


def read_after(first, steps, log_every, seconds):
    """The steps after which a window is read, if each step takes so many seconds."""
    window, read = Window(first, steps, log_every), []
    for number in range(first, steps):
        window.add(number, taken(-1.0))
        if window.is_due:
            assert window.read().numbers[-1] == number
            read.append(number)
            window.restart(seconds)
    return read


def test_fast_steps_are_read_where_the_log_has_a_line():
    assert read_after(0, 23, 5, seconds=0.01) == [0, 5, 10, 15, 20, 22]
    assert read_after(7, 23, 5, seconds=0.01) == [7, 10, 15, 20, 22]


def test_slow_steps_are_read_every_few_seconds():
    assert read_after(0, 9, 50, seconds=60.0) == list(range(9))
    read = read_after(0, 1000, 500, seconds=0.1)
    assert {0, 500, 999} <= set(read)
    assert max(b - a for a, b in itertools.pairwise(read)) == 50


def test_values_are_means_over_the_accumulation_steps():
    window = Window(0, 10, 5)
    window.add(0, taken(-1.0, -3.0))
    reading = window.read()
    assert reading.values == [{"loss": -2.0, "constant": -3.0, "spread": 0.5, "cosine_apart": 0.25}]
    assert reading.failed == [[]] and reading.first_failed is None


def test_the_images_of_a_failed_step_are_named_also_when_later_steps_fail():
    window = Window(0, 10, 5)
    window.add(0, taken(-1.0, -1.0))
    window.add(1, taken(-1.0, math.nan, first_image=10))
    window.add(2, taken(math.inf, math.nan, first_image=20))
    reading = window.read()
    assert reading.first_failed == 1
    assert reading.failed == [[], [12, 13], [20, 21, 22, 23]]
