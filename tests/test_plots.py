import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from rmkit.plots import (TITLES, plot_accuracy_by_length_gap, plot_accuracy_by_source, plot_cartography, plot_dashboard,
                         plot_margins, plot_panel, plot_reliability, plot_reward_margins, plot_rewards,
                         plot_token_rewards, plot_training, training_panels)
from rmkit.table import pair_scores, TokenRewards

TABLE_PLOTS = [plot_rewards, plot_reward_margins, plot_reliability, plot_accuracy_by_length_gap,
               plot_accuracy_by_source, plot_margins]


def make_table(n, scale=1.0):
    rng = np.random.default_rng(n)
    return pair_scores(["p"] * n, ["a"] * n, ["b"] * n, scale * rng.normal(0.5, 1, n), scale * rng.normal(0, 1, n),
                       length_chosen=rng.integers(1, 400, n), length_rejected=rng.integers(1, 400, n),
                       margin=rng.normal(1, 2, n), source=[f"source {i % 30}" for i in range(n)])


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


# Sources, tokens, cartography

def test_sources_of_any_name():
    "Mathematics that doesn't parse, invisible and right-to-left characters, and a name longer than the picture"
    names = ["$\\frac{$", "\u202eturned\u202c\x00", "long " * 200, "", "_hidden"]
    ax = plot_accuracy_by_source(make_table(50).assign(source=[names[i % 5] for i in range(50)]))
    ax.figure.canvas.draw()
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert len(labels) == 5 and max(map(len, labels)) < 40 and any("u202e" in label for label in labels)


def test_the_smallest_sources_are_counted_not_drawn():
    ax = plot_accuracy_by_source(make_table(300))
    assert len(ax.get_yticks()) == 12 and "18 smaller" in ax.get_legend().get_title().get_text()


def trace(text, rewards):
    return TokenRewards(text.split(), np.array(rewards, dtype=np.float32), np.zeros(len(rewards), bool), 0)


def test_token_rewards_begin_where_the_texts_part():
    ax = plot_token_rewards(trace("a b c d", [0, 1, 2, 3]), trace("a b x", [0, 1, -1]))
    chosen, rejected = (line.get_ydata() for line in ax.lines if len(line.get_xdata()) > 1
                        and line.get_label()[0] != "_")
    assert list(chosen) == [1, 2, 3] and list(rejected) == [1, -1] and "the 2 that both" in ax.get_xlabel()


@pytest.mark.parametrize("texts", [("", ""), ("a", ""), ("a b", "a b"), ("a b", "a b c"),
                                   ("word " * 5000, "other " * 3000)])
def test_any_two_traces(texts):
    plot_token_rewards(*(trace(text, np.arange(len(text.split()))) for text in texts)).figure.canvas.draw()
    plot_token_rewards(trace("a b", [0, 1])).figure.canvas.draw()


@pytest.mark.parametrize("n", [0, 1, 2, 20_000])
def test_cartography(n):
    mean_N, std_N = np.random.default_rng(0).random((2, n))
    ax = plot_cartography(mean_N, std_N / 2)
    ax.figure.canvas.draw()
    assert sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() != "None") == min(n, 5000)
    right, wrong = (text.get_text() for text in ax.get_legend().get_texts())
    assert right.endswith(f"{(mean_N > 0.5).sum():,}") and wrong.endswith(f"{(mean_N <= 0.5).sum():,}")
    assert plot_cartography([0.5, np.nan], [0.1, 0.1]).get_legend().get_title().get_text() == "1 pairs"


# A run

def a_log(n, prefixes=("eval",)):
    run = [dict(step=s, loss=1 / s, accuracy=0.6, accuracy_low=0.5, accuracy_high=0.7, mean_reward_chosen=0.5,
                std_reward_chosen=1.0) for s in range(1, n + 1)]
    return run + [{"step": n, f"{prefix}_loss": 0.5, f"{prefix}_accuracy": 0.7} for prefix in prefixes]


@pytest.mark.parametrize("log_history", [[], a_log(1), a_log(2),
                                         a_log(2000, ["eval_a", "eval_$b$", "eval__c", "eval_d"]),
                                         [dict(step=1, loss=float("nan"))], [dict(loss=1.0)],
                                         [dict(step=3, train_loss=1.0, note="text")]])
def test_any_log(log_history):
    figure = plot_dashboard(log_history)
    figure.canvas.draw()
    assert len(figure.axes) == len(TITLES)
    assert plot_dashboard(log_history, plt.figure(layout="constrained")) is plt.gcf()


def test_a_panel_has_the_curves_that_were_logged():
    panels = {panel.name: panel for panel in training_panels(key for log in a_log(3, ["eval_a", "eval_b"])
                                                             for key in log)}
    assert [curve.name for curve in panels["loss"].curves] == ["training", "held out: a", "held out: b"]
    assert [curve.key for curve in panels["rewards"].curves] == ["mean_reward_chosen"]
    assert not panels["grad_norm"].curves


def test_long_logs_are_averaged():
    ax = plot_panel([dict(step=s, loss=s % 2) for s in range(2000)], "loss")
    line = ax.lines[0].get_xydata()
    assert 100 < len(line) < 500 and abs(line[:, 1].mean() - 0.5) < 0.01


def test_unknown_panel():
    with pytest.raises(ValueError, match="grad_norm"): plot_panel([], "gradient")
