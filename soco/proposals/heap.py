"""A heap of pairs: the most similar on top, and of equal ones the pair found last."""

from soco.proposals.compiled import Real, Whole, compiled


@compiled
def push(heap: Whole, waiting: int, similarities: Real, pair: int) -> int:
    """Add a pair to the first `waiting` places of the heap; returns how many wait now."""
    place = waiting
    while place and _before(similarities, pair, heap[(place - 1) // 2]):
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = pair
    return waiting + 1


@compiled
def pop(heap: Whole, waiting: int, similarities: Real) -> int:
    """Take the top off the heap; returns how many wait now."""
    waiting -= 1
    pair, place = heap[waiting], 0
    while 2 * place + 1 < waiting:
        child = 2 * place + 1
        if child + 1 < waiting and _before(similarities, heap[child + 1], heap[child]):
            child += 1
        if not _before(similarities, heap[child], pair):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = pair
    return waiting


@compiled
def _before(similarities: Real, a: int, b: int) -> bool:
    return similarities[a] > similarities[b] or (similarities[a] == similarities[b] and a > b)
