import itertools

import pytest

pytest.importorskip("detectron2")

from soco.transfer.detect.order import after

WIDE = [True, False, False, True, False]


def batches(codes, batch):
    """The groups that detectron2 makes of images in an order.

    Those of one batch all wide, or all high.
    """
    waiting = {True: [], False: []}
    for code in codes:
        group = waiting[WIDE[code % len(WIDE)]]
        group.append(code)
        if len(group) == batch:
            yield tuple(group)
            group.clear()


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("start", [0, 1, 2, 5, 8])
def test_what_follows_is_what_would_have_followed(batch, start):
    whole = list(itertools.islice(batches(itertools.count(), batch), 20))
    rest = itertools.islice(
        batches(after(itertools.count(), WIDE, batch, start), batch), 20 - start
    )
    assert list(rest) == whole[start:]
