"""Tables by hand: every entry is ticked or told what is off."""

import numpy as np
import pytest

from minirnn.course.exercises import check, table_check
from minirnn.course.exercises.compare import difference

RIGHT = {("h", 1): 0.7616, ("h", 2): -0.25, ("h", 3): 2.0, ("h", 4): 8.0}


@pytest.mark.parametrize(("entry", "got", "said"), [
    (("h", 1), -0.7616, "has the wrong sign"), (("h", 2), 2.0, "2 is the entry of h 3"),
    (("h", 3), 1.0, "1: it is 1/2 of what it should be"), (("h", 4), 80.0, "it is 10 times what it should be"),
    (("h", 1), 0.76, "but close: was a number rounded too early?"), (("h", 1), 0.123, "0.123 is not right"),
    (("h", 1), "x", "must be a number, got 'x'"), (("h", 1), None, "is missing"), (("h", 1), ..., "is missing"),
    (("h", 1), float("nan"), "must be finite"), (("h", 1), [1, 2], "must be a number, got [1, 2]"),
])
def test_an_entry_that_is_off_is_told_why(entry, got, said):
    found = table_check({**RIGHT, entry: got}, RIGHT)
    assert not found and said in found.entries[entry] and sum(map(bool, found.entries.values())) == 1
    assert "3 of 4 entries are right (rounding may leave 0.0015)" in repr(found)
    assert found._repr_html_().count("✓") == 3


def test_rounding_is_forgiven_to_its_digits_and_no_further():
    assert table_check({**RIGHT, ("h", 1): 0.7604}, RIGHT) and not table_check({**RIGHT, ("h", 1): 0.759}, RIGHT)
    assert table_check({**RIGHT, ("h", 1): 0.77}, RIGHT, digits=2)


def test_a_table_may_be_an_array_and_anything_else_is_told_so():
    right = np.arange(6.0).reshape(2, 3)
    assert table_check(right.tolist(), right) and table_check({(1, 2): 5, **dict(np.ndenumerate(right))}, right)
    for wrong in ("abc", object(), {"a": 1}, {(9, 9): 1}, [[1, 2]], None):
        assert not table_check(wrong, right)
    assert "has no entry a; its entries are 0 0, 0 1" in repr(table_check({"a": 1}, right))


def test_a_table_of_the_course_gives_part_of_its_points():
    result = check("bptt by hand", {"h1": 1, "h2": 2.5, "h3": 5.25, "dh3": -0.25, "dh2": 0.125, "dh1": 0.063})
    assert result.points == round(10 * 5 / 7) and "-0.25 has the wrong sign" in repr(result) and "dw" in repr(result)
    assert "a table is a dictionary" in repr(check("bptt by hand", "h1"))


def test_arrays_are_told_what_is_wrong_with_them():
    rng = np.random.default_rng(0)
    want = rng.standard_normal((4, 4))
    for got, said in ((want, ""), (want.T, "it is transposed"), (want * 0, "it is zero"), (want / 7, "1/7 of"),
                      (want[0], "shape (4, 4), got (4,)"), (want.astype(str), "must be real numbers"),
                      (want + np.eye(4)[[0]].T @ np.eye(4)[[1]], "is wrong in the one entry [0, 1]")):
        assert said in difference(got, want) and bool(said) == bool(difference(got, want))
    assert "of the batch" not in difference(want / 3, want) and "the steps in time (T = 3)" in difference(
        want / 3, want, {"T": 3, "B": 5})
    assert difference(np.zeros((0, 3)), np.zeros((0, 3))) == "" and difference(np.zeros(3), np.zeros(3)) == ""
