"""Places against the loops that they stand for, and plans that are made once for a shape."""

import numpy as np

from scratchae.kernels import paint, taps
from scratchae.kernels.places import cut, ends, pairs, places


def test_places_are_those_of_three_loops():
    G, P, Q, image, down, right = 2, 3, 4, 100, 20, 3
    expected = [
        n * image + p * down + q * right for n in range(G) for p in range(P) for q in range(Q)
    ]
    np.testing.assert_array_equal(places(G, P, Q, image, down, right), expected)


def test_runs_begin_where_the_one_before_ends():
    np.testing.assert_array_equal(ends([3, 0, 4]), [0, 3, 3, 7])


def test_pairs_stand_beside_each_other():
    found = pairs([1, 2, 3], [4, 5, 6])
    assert found.tolist() == [[1, 4], [2, 5], [3, 6]] and found.flags.c_contiguous


def test_what_is_cut_lies_in_one_array_and_does_not_overlap():
    flat = np.zeros(20)
    for number, array in enumerate(cut(flat, (2,), (3, 2), (2, 2, 2)), 1):
        array[...] = number
    np.testing.assert_array_equal(flat, np.repeat([1, 2, 3, 0], [2, 6, 8, 4]))


def test_a_plan_is_made_once_for_a_shape():
    image, grid, W = (2, 6, 5, 3), (2, 3, 3, 4), (3, 3, 3, 4)
    for planned in (taps._correlate_plan, taps._gradient_plan, paint._remainders_plan):
        sizes = image, grid, W, 2, 2, 1, 1
        assert planned(*sizes) is planned(*sizes)
        assert planned(*sizes) is not planned((1, *image[1:]), (1, *grid[1:]), *sizes[2:])
