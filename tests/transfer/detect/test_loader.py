import itertools

import pytest

pytest.importorskip("detectron2")

from soco.transfer.detect.loader import skip_batches

WIDE = [True, False, False, True, False]


def batches(codes, batch):
    """Batches as detectron2 makes them: all wide, or all high."""
    waiting = {True: [], False: []}
    for code in codes:
        group = waiting[WIDE[code % len(WIDE)]]
        group.append(code)
        if len(group) == batch:
            yield tuple(group)
            group.clear()


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("start", [0, 1, 2, 5, 8])
def test_skipped_batches_do_not_change_the_rest(batch, start):
    whole = list(itertools.islice(batches(itertools.count(), batch), 20))
    rest = itertools.islice(
        batches(skip_batches(itertools.count(), WIDE, batch, start), batch), 20 - start
    )
    assert list(rest) == whole[start:]
