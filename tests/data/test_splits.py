from collections import Counter

import pytest

from clumpygan.data.splits import OneBatchSampler, StreamSampler, split_of


def test_a_galaxy_stays_in_its_split_whatever_else_there_is():
    splits = {name: split_of(name, seed=1) for name in map(str, range(2000))}
    counts = Counter(splits.values())
    assert counts["test"] == pytest.approx(200, abs=45)
    assert counts["val"] == pytest.approx(200, abs=45)
    assert splits["17"] == split_of("17", seed=1)
    assert any(split_of(name, seed=2) != split for name, split in splits.items())


def epochs(sampler, count):
    items = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        items += list(sampler)
    return items


def test_every_galaxy_comes_once_per_turn():
    items = epochs(StreamSampler(10, 7, seed=0), 10)
    assert len(items) == 70
    for turn in range(7):
        assert sorted(index for t, index in items if t == turn) == list(range(10))


def test_resuming_at_an_epoch_goes_on_where_it_stopped():
    whole = epochs(StreamSampler(10, 7, seed=0), 4)
    resumed = StreamSampler(10, 7, seed=0)
    resumed.set_epoch(3)
    assert list(resumed) == whole[21:]


def test_processes_share_the_stream():
    one = epochs(StreamSampler(10, 8, seed=0), 3)
    parts = [epochs(StreamSampler(10, 8, seed=0, rank=r, world_size=2), 3) for r in (0, 1)]
    assert [item for pair in zip(*parts, strict=True) for item in pair] == one


@pytest.mark.parametrize("world", [1, 2])
def test_resuming_in_mid_epoch_goes_on_at_the_image_where_it_stopped(world):
    for rank in range(world):
        whole = epochs(StreamSampler(10, 8, 0, rank, world), 3)
        resumed = StreamSampler(10, 8, 0, rank, world, seen=12)
        resumed.set_epoch(1)
        rest = list(resumed)
        # An epoch's length stays what it is: its end is recognised by it.
        assert len(resumed) == 8 // world
        resumed.set_epoch(2)
        assert rest + list(resumed) == whole[12 // world :]


def test_one_batch_over_and_over_is_shared_too():
    one = list(OneBatchSampler(4, 8))
    assert one == [(0, 0), (0, 1), (0, 2), (0, 3)] * 2
    parts = [list(OneBatchSampler(2, 4, rank, 2)) for rank in (0, 1)]
    assert [item for pair in zip(*parts, strict=True) for item in pair] == one


def test_seed_zero_is_a_seed():
    assert epochs(StreamSampler(50, 50, seed=0), 1) != epochs(StreamSampler(50, 50, seed=1), 1)


def test_empty_set():
    with pytest.raises(ValueError, match="empty"):
        StreamSampler(0, 5, seed=0)
