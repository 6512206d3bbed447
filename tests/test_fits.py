"Fits: equal to statsmodels and scikit-learn, sure of themselves where they may be"
import math
import tracemalloc
import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from rmkit.fits import auroc, Curve, logistic_estimates, logistic_fit, lowess, pair_head
from rmkit.intervals import bootstrap


def made(n=400, w=(1.5, -0.5, 0.2), seed=0):
    "Columns, and labels drawn by them"
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(w)))
    return x * [1, 10, 0.1][:len(w)], (rng.random(n) < expit(x @ w)).astype(float)


# The logistic fit ---------------------------------------------------------------------------------------------------

def test_logistic_fit_is_statsmodels_logit():
    x, y = made()
    assert np.allclose(logistic_fit(x, y), sm.Logit(y, x).fit(disp=0).params, rtol=1e-6)


def test_weights_count_rows_and_labels_may_be_soft():
    x, y = made()
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weights)
    assert np.allclose(logistic_fit(x, y, weights), logistic_fit(x[rows], y[rows]), rtol=1e-6)
    theirs = sm.GLM(0.1 + 0.8 * y, x, family=sm.families.Binomial(), freq_weights=weights).fit().params
    assert np.allclose(logistic_fit(x, 0.1 + 0.8 * y, weights), theirs, rtol=1e-6)


@pytest.mark.parametrize("ridge", [1e-4, 0.1, 10])
def test_a_ridge_is_scikit_learn_s(ridge):
    x, y = made()
    theirs = LogisticRegression(C=1 / (ridge * len(y)), fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y)
    assert np.allclose(logistic_fit(x, y, ridge=ridge), theirs.coef_[0], atol=1e-5)


def test_both_orders_of_each_pair_give_the_fit_of_each_pair_once():
    x, y = made()
    chosen_first = np.where(y[:, None] == 1, x, -x)
    both = logistic_fit(np.concatenate([x, -x]), np.concatenate([y, 1 - y]))
    assert np.allclose(logistic_fit(chosen_first, np.ones(len(y))), both, rtol=1e-6)


@pytest.mark.parametrize("x, y", [
    ([1.0, 2.0, 0.5], [1, 1, 1]), ([1e6, 1e-6], [1, 1]), ([[1.0, 3.0], [2.0, -1.0], [0.0, 0.5]], [1, 1, 1]),
    ([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [1, 1, 0, 1])])  # the last: one direction alone
def test_separated_labels_are_said_to_be(x, y):
    with pytest.warns(UserWarning, match="a ridge, such as 1e-3"):
        assert np.isnan(logistic_fit(x, y)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(logistic_fit(x, y, ridge=1e-3)).all()


def test_nearly_separated_labels_have_a_fit():
    rng = np.random.default_rng(0)
    x = rng.gamma(2, 1, 2_000)
    x[0] = -0.01  # one wrong pair of 2,000, by little
    theirs = sm.GLM(np.ones(2_000), x, family=sm.families.Binomial()).fit(maxiter=200).params
    assert np.allclose(logistic_fit(x, np.ones(2_000)), theirs, rtol=1e-4)


def test_one_separated_direction_among_many_pairs_is_found():
    "It is no column, and only three pairs lie in it"
    rng = np.random.default_rng(0)
    along, y = rng.normal(size=(1_000, 1)) * [1, 1], rng.random(1_000) < 0.5
    with pytest.warns(UserWarning, match="ridge"):
        assert np.isnan(logistic_fit(np.concatenate([along, [[1, -1]] * 3]), np.append(y, [1, 1, 1]))).all()


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_far_outliers_and_odd_scales_don_t_throw_newton_s_steps(scale):
    x, y = made()
    x[:3] *= 1_000
    assert np.allclose(logistic_fit(scale * x, y) * scale, sm.GLM(y, x, family=sm.families.Binomial()).fit().params,
                       rtol=1e-5)


def test_a_column_twice_shares_its_coefficient_and_one_of_zeros_gets_none():
    x, y = made(w=(1.5,))
    once = logistic_fit(x, y)[0]
    found = logistic_fit(np.concatenate([x, x, 0 * x], axis=1), y)
    assert np.allclose(found, [once / 2, once / 2, 0], rtol=1e-5)


def test_labels_outside_the_unit_interval_are_refused():
    for labels in ([1, -1], [0, 2], [0, math.nan]):
        with pytest.raises(ValueError, match="probabilities"):
            logistic_fit([1.0, 2.0], labels)
    assert np.isnan(logistic_fit(np.empty((0, 2)), [])).all() and np.isnan(logistic_fit([math.inf, 1], [1, 0])).all()


def test_one_step_a_resample_is_as_good_as_a_fit_of_each():
    x, y = made(300)
    groups = np.repeat(np.arange(100), 3)
    quick = logistic_estimates(dict(a=x[:, 0], b=x[:, 1], c=x[:, 2]), groups, y, n_boot=200)
    slow = bootstrap(lambda weights, x, y: dict(zip("abc", logistic_fit(x, y, weights))), x, y, groups_N=groups,
                     n_boot=200)
    for name in "abc":
        assert np.isclose(quick[name].value, slow[name].value)
        assert np.allclose(quick[name][1:3], slow[name][1:3], atol=0.15 * (slow[name].high - slow[name].low))


def test_a_coefficient_that_can_t_be_had_says_why():
    def why(*numbers, **kwargs): return logistic_estimates(dict(margin=list(numbers)), **kwargs)["margin"].why
    assert "no pairs" in why() and "ridge" in why(1.0, 2.0) and "infinite" in why(1.0, math.inf)
    assert why(1.0, 2.0, 3.0, -1.0, ridge=0.1) == ""
    with pytest.raises(ValueError, match="of 2 pairs, found 1"):
        why(1.0, -1.0, groups_N=["a"])


def test_a_coefficient_of_length_covers():
    "Prompts whose people like length more or less; the truth is the coefficient of very many of them"
    def pairs(n_prompts, seed):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(n_prompts), rng.integers(1, 8, n_prompts))
        margin, gap = rng.normal(0, 1, len(groups)), rng.normal(0, 1, len(groups))
        taste = rng.normal(0.5, 0.8, n_prompts)[groups]
        side = np.where(rng.random(len(groups)) < expit(margin + taste * gap), 1, -1)
        return dict(margin=margin * side, gap=gap * side), groups
    columns, groups = pairs(100_000, seed=1_000)
    truth = logistic_fit(np.stack(list(columns.values()), axis=1), np.ones(len(groups)))[1]
    found = [logistic_estimates(*pairs(80, seed), n_boot=400)["gap"] for seed in range(200)]
    assert 0.92 <= np.mean([each.low <= truth <= each.high for each in found]) <= 0.98


# A head on features -------------------------------------------------------------------------------------------------

def features(n, d, seed=0):
    "Correlated ones, as a backbone's are, of the chosen response less the rejected one's"
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) @ (rng.normal(size=(d, d)) * np.geomspace(3, 0.01, d)[:, None])
    x /= x.std(axis=0)
    return x * np.where(rng.random(n) < expit(x @ rng.normal(size=d) / math.sqrt(d)), 1, -1)[:, None]


@pytest.mark.parametrize("n, d", [(600, 40), (60, 150)])
@pytest.mark.parametrize("ridge", [1e-3, 0.1, 10])
def test_a_pair_head_is_the_ridge_fit(n, d, ridge):
    x = features(n, d)
    side = np.where(np.arange(n) % 2, 1, -1)  # scikit-learn asks for both labels
    theirs = LogisticRegression(C=1 / (ridge * n), fit_intercept=False, tol=1e-10, max_iter=10_000)
    theirs = theirs.fit(x * side[:, None], side).coef_[0]
    for of_kind, atol in ((np.float64, 1e-4), (np.float32, 1e-3)):
        off = np.abs(x @ (pair_head(x.astype(of_kind), ridge) - theirs))
        assert off.max() < atol * max(1, np.abs(x @ theirs).max())


def test_a_pair_head_needs_pairs_and_a_ridge():
    for n, ridge in ((0, 1.0), (5, 0.0), (5, -1.0), (5, math.nan)):
        with pytest.raises(ValueError, match=f"{n} pairs, 0 of them not finite, and ridge={ridge}"):
            pair_head(np.ones((n, 2)), ridge)
    with pytest.raises(ValueError, match="3 pairs, 1 of them not finite"):
        pair_head(np.array([[1.0, 2], [3, math.nan], [1, 1]]), 1.0)
    assert np.allclose(pair_head(np.eye(3, dtype=np.float16), 1.0), pair_head(np.eye(3), 1.0), atol=1e-6)


# A curve ------------------------------------------------------------------------------------------------------------

def points(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2, 100, n).round()
    return x, np.log(x + 5) + rng.standard_t(2, n)


@pytest.mark.parametrize("n", [10, 60, 200])
@pytest.mark.parametrize("frac", [0.25, 2 / 3, 1])
@pytest.mark.parametrize("robust", [0, 3])
def test_lowess_is_statsmodels(n, frac, robust):
    x, y = points(n)
    theirs = sm.nonparametric.lowess(y, x, frac=frac, it=robust, return_sorted=False)
    assert np.allclose(lowess(x, y, frac, robust)(x), theirs, rtol=1e-6)


def test_between_its_points_the_curve_is_near_statsmodels():
    x, y = points(2_000)
    theirs = sm.nonparametric.lowess(y, x, frac=0.3, it=3, return_sorted=False)
    curve = lowess(x, y, 0.3)
    assert len(curve.x_A) <= 300 and np.abs(curve(x) - theirs).max() < 0.01


def test_lowess_of_a_line_is_the_line_and_level_beyond():
    curve = lowess([4, 1, 3, 2], [8, 2, 6, 4], frac=1)
    assert isinstance(curve, Curve) and np.allclose(curve([1.5, 4, 9, -9]), [3, 8, 8, 2])


def test_lowess_of_equal_numbers_is_their_mean():
    "More of them than a line has neighbours"
    x, y = np.repeat([5.0, 9.0], [50, 4]), np.tile([1.0, 2.0], 27)
    assert np.isclose(lowess(x, y, frac=0.2)(5), 1.5)
    assert lowess([3], [5.0])(7) == 5


def test_lowess_refuses_what_is_no_number():
    for x, y in (([], []), ([1, math.nan], [1, 2]), ([1, 2], [1, math.inf])):
        with pytest.raises(ValueError, match="finite points"):
            lowess(x, y)


# The area under an ROC curve ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_auroc_is_scikit_learn_s(decimals):
    rng = np.random.default_rng(0)
    score, positive, weights = rng.normal(size=500).round(decimals), rng.random(500) < 0.3, rng.integers(0, 4, 500)
    assert np.isclose(auroc(score, positive), roc_auc_score(positive, score))
    assert np.isclose(auroc(score, positive, weights), roc_auc_score(positive, score, sample_weight=weights))


def test_auroc_of_one_kind_is_unknown():
    unknown = ([], []), ([1, 2], [1, 1]), ([1, 2], [0, 0]), ([math.nan, 2], [0, 1])
    assert all(math.isnan(auroc(*each)) for each in unknown)
    assert auroc([5, 5], [0, 1]) == 0.5 and auroc([1, 2], [0, 1]) == 1


# Scale --------------------------------------------------------------------------------------------------------------

def test_a_hundred_thousand_pairs_fit_into_memory():
    x, y = made(100_000, w=(1.5, -0.5))
    tracemalloc.start()
    estimates = logistic_estimates(dict(a=x[:, 0], b=x[:, 1]), y_N=y, n_boot=10)
    curve = lowess(x[:, 1], y, frac=0.1, robust=0)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 300 * 2**20 and math.isclose(estimates["a"].value, 1.5, rel_tol=0.05)
    assert curve(-20) > 0.5 > curve(20)
