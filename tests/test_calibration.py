"Calibration: equal to scikit-learn, without the excess of few pairs, and held by its interval"
import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as their_log_loss

from rmkit.calibration import brier_scores, calibration, calibration_error, fit_temperature, log_losses
from rmkit.metrics import reliability

NAMES = ["log_loss", "brier", "calibration_error", "temperature", "error_before", "error_after", "log_loss_gain"]


def margins(n, sharp=1.0, seed=0, same=1, noise=0.0):
    "Of a model whose margins are `sharp` times what they should be; `same` pairs share a prompt and its noise"
    rng = np.random.default_rng(seed)
    logit, prompt = rng.normal(0, 1.2, n), np.arange(n) // same
    shift = rng.normal(0, noise, n)[prompt]
    return sharp * np.where(rng.random(n) < expit(logit + shift), logit, -logit), prompt


def in_both_orders(margin):
    return np.concatenate([expit(margin), expit(-margin)]), np.repeat([1, 0], len(margin))


# Scores -------------------------------------------------------------------------------------------------------------

def test_scores_are_scikit_learn_s_of_both_orders():
    margin, _ = margins(300, sharp=2)
    probability, label = in_both_orders(margin)
    assert math.isclose(log_losses(margin).mean(), their_log_loss(label, probability))
    assert math.isclose(brier_scores(margin).mean(), brier_score_loss(label, probability))


def test_scores_of_huge_margins_don_t_overflow():
    assert log_losses([1e4, -1e4]).tolist() == [0, 1e4] and brier_scores([1e4, -1e4]).tolist() == [0, 1]


# The calibration error ----------------------------------------------------------------------------------------------

def bins_of(margin, n_bins=10):
    "Share and gap of each bin, by the table of the reliability diagram"
    table = reliability(margin, n_bins)
    return table.pairs / table.pairs.sum(), table.confidence - table.accuracy


def test_of_many_pairs_it_is_the_error_of_the_reliability_diagram():
    margin, _ = margins(40_000, sharp=2)
    share, gap = bins_of(margin)
    assert math.isclose(calibration_error(margin, n_boot=50).value, math.sqrt(share @ gap**2), rel_tol=0.01)


def test_both_orders_of_a_pair_say_the_same():
    "Bins of [0, 1] with labels of both orders have the very gaps of confidence in the model's own favourite"
    margin, _ = margins(500, sharp=2)
    probability, label = in_both_orders(margin)
    share, gap = bins_of(margin)
    order = np.argsort(probability, kind="stable")
    found = [abs(np.mean(probability[rows] - label[rows])) for rows in np.array_split(order, 20)]
    assert np.allclose(found[10:], np.abs(gap), atol=1e-9) and np.allclose(found[9::-1], found[10:], atol=1e-9)


def test_chance_alone_doesn_t_count():
    "Squares of thirty models without error are 0 on average; their plain error is not"
    found = [margins(300, seed=seed)[0] for seed in range(30)]
    plain = [np.average(np.abs(gap), weights=share) for share, gap in map(bins_of, found)]
    ours = [calibration_error(margin, n_boot=100) for margin in found]
    assert np.mean(plain) > 0.05 and np.mean([each.value for each in ours]) < 0.03
    assert np.mean([each.low for each in ours]) < 0.002 and min(each.high for each in ours) > 0.02


@pytest.mark.parametrize("sharp, same, noise", [(2.0, 1, 0.0), (2.5, 4, 1.0)])
def test_its_interval_covers(sharp, same, noise):
    share, gap = bins_of(margins(400_000, sharp, seed=1_000, same=same, noise=noise)[0])
    truth = math.sqrt(share @ gap**2)
    found = [calibration_error(*margins(400, sharp, seed, same, noise), n_boot=300) for seed in range(200)]
    assert truth > 0.1 and 0.92 <= np.mean([each.low <= truth <= each.high for each in found]) <= 0.98


def test_an_error_that_can_t_be_had_says_why():
    assert "no pairs" in calibration_error([]).why and "NaN" in calibration_error([1, math.nan]).why
    assert "infinite" in calibration_error([1, math.inf]).why
    alike = calibration_error([2.0] * 30)
    assert math.isclose(alike.value, 1 - expit(2.0)) and math.isnan(alike.low) and "one number" in alike.why
    with pytest.raises(ValueError, match="of 2 pairs, found 1"):
        calibration_error([1.0, 2.0], ["a"])


def test_ties_are_right_to_say_that_they_don_t_know():
    assert calibration_error([0.0] * 50).value == 0


# The temperature ----------------------------------------------------------------------------------------------------

def test_the_temperature_has_the_least_log_loss():
    margin, _ = margins(500, sharp=3)
    def loss(temperature): return log_losses(margin / temperature).mean()
    assert math.isclose(fit_temperature(margin), minimize_scalar(loss, (1, 5)).x, rel_tol=1e-4)
    assert math.isclose(fit_temperature(10 * margin), 10 * fit_temperature(margin), rel_tol=1e-6)


def test_no_temperature_helps_a_model_that_is_wrong_or_right_throughout():
    assert fit_temperature([-1.0, -2.0, 0.5]) == math.inf
    with pytest.warns(UserWarning, match="ridge"):
        assert math.isnan(fit_temperature([1.0, 2.0]))
    assert math.isnan(fit_temperature([]))


# All of it ----------------------------------------------------------------------------------------------------------

def test_a_temperature_mends_what_it_was_not_fitted_to():
    margin, prompt = margins(2_000, sharp=3, same=2)
    found = calibration(margin, prompt)
    assert list(found) == NAMES and not any(each.why for each in found.values())
    assert found["temperature"].low < 3 < found["temperature"].high
    assert found["error_after"].value < found["error_before"].low and found["log_loss_gain"].low > 0
    assert found["log_loss"].value == pytest.approx(log_losses(margin).mean())
    assert found["log_loss"].n == 2_000 and found["temperature"].n + found["log_loss_gain"].n == 2_000
    assert found == calibration(margin, [f"prompt {i}" for i in prompt])


def test_a_model_that_is_right_about_itself_gains_nothing():
    found = calibration(*margins(1_000, seed=3))
    assert found["log_loss_gain"].low <= 0 <= found["log_loss_gain"].high and found["calibration_error"].low == 0


def test_one_that_is_worse_than_chance_is_best_not_believed():
    found = calibration(-margins(600)[0])
    assert found["temperature"].value == found["temperature"].high == math.inf
    assert found["log_loss_gain"].low > 0 and found["error_after"].value == 0


def test_without_errors_there_is_no_temperature():
    found = calibration(np.random.default_rng(0).gamma(2, 1, 200))
    assert math.isnan(found["temperature"].value) and "right" in found["temperature"].why
    assert "right" in found["log_loss_gain"].why and math.isfinite(found["log_loss"].high)


@pytest.mark.parametrize("margin, why", [([], "no pairs"), ([1.0, math.nan], "NaN"), ([1.0, -math.inf], "infinite")])
def test_nothing_to_calibrate(margin, why):
    found = calibration(margin)
    assert list(found) == NAMES and all(math.isnan(each.value) and why in each.why for each in found.values())


@pytest.mark.parametrize("margin, groups", [([1.0], None), ([1.0, -1.0], None), ([1.0, -1.0, 2.0], ["a"] * 3)])
def test_a_pair_or_two_don_t_stop_it(margin, groups):
    found = calibration(margin, groups)
    assert found["log_loss"].value == pytest.approx(log_losses(margin).mean())
    assert all(each.why for each in found.values() if math.isnan(each.low))
