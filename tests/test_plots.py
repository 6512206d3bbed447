import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from rmkit.plots import plot_accuracy_by_length_gap, plot_reliability, plot_reward_margins, plot_rewards, plot_training
from rmkit.scoring import pair_scores

TABLE_PLOTS = [plot_rewards, plot_reward_margins, plot_reliability, plot_accuracy_by_length_gap]


def make_table(n, scale=1.0):
    rng = np.random.default_rng(n)
    return pair_scores(["p"] * n, ["a"] * n, ["b"] * n, scale * rng.normal(0.5, 1, n), scale * rng.normal(0, 1, n),
                       length_chosen=rng.integers(1, 400, n), length_rejected=rng.integers(1, 400, n))


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.mark.parametrize("draw", TABLE_PLOTS)
@pytest.mark.parametrize("n", [0, 1, 2, 20_000])
@pytest.mark.parametrize("scale", [0, 1, 1e4, float("nan")])
def test_any_size_of_table(draw, n, scale):
    ax = draw(make_table(n, scale))
    assert ax.get_xlabel() and ax.get_ylabel()
    ax.figure.canvas.draw()


@pytest.mark.parametrize("draw", TABLE_PLOTS)
def test_draws_where_it_is_told(draw):
    _, axes = plt.subplots(1, 2)
    assert draw(make_table(50), axes[1]) is axes[1] and not axes[0].has_data() and len(plt.get_fignums()) == 1


def test_every_pair_is_in_the_histogram():
    ax = plot_reward_margins(make_table(500))
    assert sum(bar.get_height() for bar in ax.containers[0]) + sum(bar.get_height() for bar in ax.containers[2]) == 500


def test_training_log():
    log = [dict(step=s, loss=1 / s) for s in range(1, 9)] + [dict(step=8, eval_loss=0.2, eval_accuracy=0.7)]
    ax = plot_training(log)
    assert ax.get_xlabel() == "step" and len(ax.figure.axes) == 2
    assert len(plot_training([]).figure.axes) == 1
