"""The generated daily series: the same every time, its parts by their equations, its anomalies
where it says."""

import math

import numpy as np
import philox_by_hand as by_hand
import pytest

from scratchae.datasets.generated import daily


@pytest.fixture(scope="module")
def both():
    """Twenty test days: each kind twice."""
    return daily.load(14, 20)


@pytest.fixture(scope="module")
def unspoilt():
    """The same test days, before anything goes wrong."""
    x, _, _ = daily._days(20, seed=0, epoch=2)
    return x.sum(axis=0).ravel()


def test_form(both):
    train, test = both
    assert train.x.shape == (14 * 288,) and test.x.shape == test.is_anomaly.shape == (20 * 288,)
    assert train.x.dtype == np.float32 and train.is_anomaly.dtype == test.is_anomaly.dtype == bool
    assert not train.is_anomaly.any() and train.events == ()
    assert train.name == test.name == "daily (generated)"


def test_a_function_of_the_seed(both):
    again, other = daily.load(14, 20), daily.load(14, 20, seed=1)
    for ours, same, moved in zip(both, again, other, strict=True):
        np.testing.assert_array_equal(ours.x, same.x)
        np.testing.assert_array_equal(ours.is_anomaly, same.is_anomaly)
        assert ours.events == same.events and (ours.x != moved.x).mean() > 0.99
    assert [e.start for e in both[1].events] != [e.start for e in other[1].events]


def test_a_shorter_series_is_the_beginning_of_a_longer_one(both):
    for longer, shorter in zip(both, daily.load(3, 5), strict=True):
        np.testing.assert_array_equal(longer.x[: len(shorter.x)], shorter.x)
        np.testing.assert_array_equal(longer.is_anomaly[: len(shorter.x)], shorter.is_anomaly)
    assert both[1].events[:2] == daily.load(3, 5)[1].events


def test_the_splits_share_no_draws(monkeypatch):
    """Of the two halves of load, none asks for the numbers of a stream and epoch that another has
    had."""
    asked = []
    for name in ("normal", "uniform"):
        real = getattr(daily.randomness, name)

        def draw(shape, seed, stream, epoch, real=real):
            asked.append((stream, epoch))
            return real(shape, seed, stream, epoch)

        monkeypatch.setattr(daily.randomness, name, draw)
    train, test = daily.load(20, 20)
    assert len(asked) == len(set(asked)) == 8
    nights = [
        s.x.reshape(20, 288)[:, :40] - s.x.reshape(20, 288)[:, :40].mean(axis=1)[:, None]
        for s in (train, test)
    ]
    assert abs(np.corrcoef(nights[0].ravel(), nights[1].ravel())[0, 1]) < 0.2


def test_labels_are_where_the_anomalies_are(both, unspoilt):
    test = both[1]
    labels = np.zeros(len(test.x), bool)
    for i, e in enumerate(test.events):
        labels[e.start : e.stop] = True
        assert e.start // 288 == (e.stop - 1) // 288 == 1 + 2 * i
    np.testing.assert_array_equal(test.is_anomaly, labels)
    np.testing.assert_array_equal(test.x[~labels], unspoilt[~labels].astype(np.float32))


def test_kinds_come_in_turn_and_last_as_long_as_they_say(both):
    events = both[1].events
    kinds = [e.kind for e in events]
    assert sorted(kinds[:5]) == sorted(daily.KINDS) and kinds[5:] == kinds[:5]
    for e in events:
        if e.kind in daily.HOURS:
            assert e.stop - e.start == 12 * daily.HOURS[e.kind]
        else:
            assert 140 < e.stop - e.start < 200


@pytest.mark.parametrize("kind", daily.KINDS)
def test_each_kind_deviates(kind, both, unspoilt):
    test = both[1]
    for e in (e for e in test.events if e.kind == kind):
        change = test.x[e.start : e.stop] - unspoilt[e.start : e.stop]
        height = daily.HEIGHT
        if kind in ("flat", "dip"):
            assert change.min() < -0.6 * height and change.max() < 0
            rest = test.x[e.start : e.stop]
            assert rest.max() - rest.min() < 0.5 * height
        elif kind == "shift":
            np.testing.assert_allclose(np.abs(change), daily.SHIFT * height, rtol=1e-5)
        elif kind == "spikes":
            near = np.abs(change[:, None] - daily.SPIKE * height * np.array([-1, 0, 1]))
            assert near.min(axis=1).max() < 1e-4 and set(near.argmin(axis=1)) == {0, 1, 2}
        else:
            assert change.std() == pytest.approx(daily.LOUD * daily.NOISE, rel=0.4)


def test_a_day_is_a_rise_and_a_fall():
    """By (1) and (2) written out at some points, and weekends lower."""
    (base, rise), r, f = daily._days(14, seed=3, epoch=0)
    e = daily.randomness.normal((14, 4), 3, daily.randomness.SHAPES, 0)
    for d in (0, 5, 13):
        a = (
            daily.HEIGHT
            * (1 + daily.VARY * e[d, 2])
            * (daily.WEEKEND if d in (5, 6, 12, 13) else 1)
        )
        for tau in (0, 90, 100, 150, 230):
            s = 1 / (1 + np.exp(-(tau - r[d]) / daily.STEEP)) - 1 / (
                1 + np.exp(-(tau - f[d]) / daily.STEEP)
            )
            assert rise[d, tau] == pytest.approx(a * s, abs=1e-9)
    assert np.abs(base - daily.BASE).max() < 30
    weekend = np.arange(14) % 7 >= 5
    assert rise[weekend].max() < 0.9 * rise[~weekend].max(axis=1).min()


def test_the_level_drifts_without_a_step():
    """(3): midnight is no place of its own. The noise left out, neighbours are close all the
    time."""
    (base, rise), _, _ = daily._days(14, seed=0, epoch=0)
    noise = daily.NOISE * daily.randomness.normal((14, 288), 0, daily.randomness.SHAPES, 1)
    smooth = (base - noise).ravel()
    assert np.abs(np.diff(smooth)).max() < 0.1 < np.ptp(smooth)
    level = smooth[::288] - daily.BASE
    pulls = daily.DRIFT * daily.randomness.normal((14, 4), 0, daily.randomness.SHAPES, 0)[:, 3]
    np.testing.assert_allclose(level[1:], daily.KEEP * level[:-1] + pulls[:-1], atol=1e-9)
    assert np.abs(np.diff((base - noise + rise).ravel())).max() < 5


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((0, 5), "train_days is 0"),
        ((5, 0), "test_days is 0"),
        ((5, 1), "at le"),
        ((5, 10**13), "test_days .* no more"),
    ],
)
def test_days_are_counted(days, words):
    with pytest.raises(ValueError, match=words):
        daily.load(*days)


def test_a_seed_that_is_none_is_refused():
    with pytest.raises(ValueError, match="seed"):
        daily.load(seed=-1)


def logistic(z):
    return 1 / (1 + math.exp(-z))


def day_by_hand(e, noise, d, low, high):
    """The 288 points of day d, and how far it rises at each, its level going from low to high.

    Up at 8:00 and down at 19:00, give or take 20 minutes, each within half an hour; 60 high, 5 %
    more or less, three quarters of it on weekends; about 20, with noise of 2."""
    rise, fall = 12 * 8 + 4 * e[0], 12 * 19 + 4 * e[1]
    height = 60 * (1 + 0.05 * e[2]) * (0.75 if d % 7 in (5, 6) else 1)
    lifts = [height * (logistic((t - rise) / 6) - logistic((t - fall) / 6)) for t in range(288)]
    levels = [20 + low + (high - low) * t / 288 for t in range(288)]
    return [a + b + 2 * v for a, b, v in zip(levels, lifts, noise, strict=True)], lifts


def days_by_hand(n, seed, epoch):
    e = by_hand.normal((n, 4), seed, by_hand.SHAPES, epoch)
    noise, level, days = by_hand.normal((n, 288), seed, by_hand.SHAPES, epoch + 1), 0.0, []
    for d in range(n):
        after = 0.7 * level + 2 * e[d, 3]
        days.append(day_by_hand(e[d], noise[d], d, level, after))
        level = after
    return days, 96 + 4 * e[:, 0], 228 + 4 * e[:, 1]


def spoilt_by_hand(points, lifts, kind, where, r, f, u, v, loud):
    """A day with what goes wrong on it: from when on, and its sign, u says."""
    long = {"dip": 24, "shift": 72, "spikes": 24, "noise": 48}.get(
        kind
    )  # two, six, two, four hours
    if kind == "flat":
        start, stop = round(r - 18), round(f + 18)
    else:
        first, last = (round(r + 18), round(f - 18)) if kind == "dip" else (0, 288)
        start = first + int(u[0] * (last - first - long))
        stop = start + long
    for t in range(start, stop):
        if kind in ("flat", "dip"):
            points[t] -= lifts[t]
        elif kind == "shift":
            points[t] += -21 if u[1] < 0.5 else 21
        elif kind == "spikes":
            points[t] += -30 if v[t] < 0.25 else 30 if v[t] < 0.5 else 0
        else:
            points[t] += 14 * loud[t]
    where.append((kind, start, stop))


def test_every_number_by_hand():
    """Two weeks to train on, twelve days with each kind of anomaly, point by point, from draws by
    hand: what everybody's series is made of."""
    seed, shapes = 2**32 + 6, by_hand.SHAPES
    train, test = daily.load(14, 12, seed)
    days, _, _ = days_by_hand(14, seed, 0)
    np.testing.assert_allclose(train.x, np.ravel([x for x, _ in days]), rtol=1e-5, atol=1e-5)
    days, r, f = days_by_hand(12, seed, 2)
    u, (order,) = (
        by_hand.uniform((12, 2), seed, shapes, 4),
        by_hand.uniform((1, 5), seed, shapes, 5),
    )
    v, loud = (
        by_hand.uniform((12, 288), seed, shapes, 6),
        by_hand.normal((12, 288), seed, shapes, 7),
    )
    kinds, where = [("flat", "dip", "shift", "spikes", "noise")[k] for k in np.argsort(order)], []
    for i, d in enumerate(range(1, 12, 2)):
        spoilt_by_hand(*days[d], kinds[i % 5], where, r[d], f[d], u[d], v[d], loud[d])
    np.testing.assert_allclose(test.x, np.ravel([x for x, _ in days]), rtol=1e-5, atol=1e-5)
    for i, (event, (kind, start, stop)) in enumerate(zip(test.events, where, strict=True)):
        start_of_day = 288 * (1 + 2 * i)
        assert event.kind == kind
        assert (event.start, event.stop) == (start_of_day + start, start_of_day + stop)
