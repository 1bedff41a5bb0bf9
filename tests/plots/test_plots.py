"""Figures show the numbers they were given."""

import numpy as np

from minirnn.gradcheck import check_vjp
from minirnn.plots import png
from minirnn.plots.curves import learning_curves
from minirnn.plots.vcurve import FLOOR, v_curves


def test_learning_curves_draw_validation_and_training_of_every_run():
    epochs = [{"epoch": k, "train_perplexity": 90.0 / k, "valid_perplexity": 100.0 / k} for k in (1, 2, 3)]
    (panel,) = learning_curves({"one": epochs, "two": epochs[:2]}).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in panel.lines}
    assert lines["one, validation"] == [[1, 100], [2, 50], [3, 100 / 3]]
    assert lines["one, training"] == [[1, 90], [2, 45], [3, 30]]
    assert set(lines) == {"one, validation", "one, training", "two, validation", "two, training"}
    assert panel.get_yscale() == "log"


def test_v_curves_draw_every_tensor_order_by_order_with_the_tolerance():
    finding = check_vjp(lambda x, y: x * y, lambda dz, x, y: (dz * y, dz * x), [np.ones(2), np.full(2, 3.0)])
    figure = v_curves(finding, columns=2)
    assert [panel.get_title() for panel in figure.axes] == ["x: PASS", "y: PASS"]
    for panel, tensor in zip(figure.axes, finding.tensors):
        first, *_, tolerance = panel.lines
        known = np.isfinite(tensor.errors[0])
        np.testing.assert_array_equal(first.get_xdata(), tensor.steps[known])
        np.testing.assert_array_equal(first.get_ydata(), np.maximum(tensor.errors[0][known], FLOOR))
        assert set(tolerance.get_ydata()) == {finding.rtol}
    image = png(figure)
    assert image.startswith(b"\x89PNG") and image == png(v_curves(finding, columns=2)) and b"atplotlib" not in image
