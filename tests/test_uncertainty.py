"What a model doesn't know: what its head reads, and what can be made of it"
import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from peft import get_peft_model, LoraConfig
from torch import nn
from transformers import AutoModelForSequenceClassification

from rmkit import flat, RewardModel
from rmkit.bias import LengthCorrection
from rmkit.fits import pair_head
from rmkit.flat import needs_padding
from rmkit.head import init_head
from rmkit.model import add_lora, merge
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.uncertainty import (average_runs, bootstrap_heads, error_auroc, expected_p, laplace_head, less_prompt_mean,
                               risk_coverage, score_runs, spread)

TOKENIZER = tiny_tokenizer()
SIZES = dict(vocab_size=len(TOKENIZER), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, num_labels=1,
             pad_token_id=TOKENIZER.pad_token_id, bos_token_id=TOKENIZER.bos_token_id,
             eos_token_id=TOKENIZER.eos_token_id)
FAMILIES = dict(Llama={}, Qwen2={}, GPT2=dict(n_embd=32, n_layer=2, n_head=4, n_positions=256), Bert={}, Roberta={},
                ModernBert={}, Bloom=dict(n_layer=2, n_head=4))  # flat, flat, flat; encoders; padded


def build(family):
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**SIZES | FAMILIES[family])
    return init_head(AutoModelForSequenceClassification.from_config(config).eval(), 1)


def texts(n=12, seed=2):
    rows = make_pairs(n, seed=seed)
    return rows["prompt"], rows["chosen"]


# What the head reads

@pytest.mark.parametrize("family", FAMILIES)
def test_features_times_the_head_are_the_rewards(family):
    model = build(family)
    assert (needs_padding(model) is None) == (family in ("Llama", "Qwen2", "GPT2"))
    rm = RewardModel(model, TOKENIZER)
    r_N, features_ND = rm.features(*texts(), max_tokens=300)
    w_D, bias = rm.head_weights()
    assert features_ND.shape == (12, 32) and features_ND.dtype == r_N.dtype == np.float32
    np.testing.assert_allclose(features_ND @ w_D + bias, r_N, atol=1e-5)
    np.testing.assert_array_equal(r_N, rm.score(*texts(), max_tokens=300))
    assert features_ND.std(0).min() > 0


def test_the_same_padded_and_flat(model, tokenizer):
    rm = RewardModel(model, tokenizer)
    flat_ND = rm.features(*texts()).features_ND
    flat._tried[model] = "a test says so"
    padded_ND = rm.features(*texts(), batch_size=5).features_ND
    np.testing.assert_allclose(padded_ND, flat_ND, atol=1e-5)


@pytest.mark.parametrize("kind", ["two layers", "head in modules_to_save", "head with LoRA of its own", "bias", "bf16"])
def test_other_heads(kind, tokenizer):
    model, atol = tiny_model(), 1e-5
    width = model.config.hidden_size
    if kind == "two layers":
        model.score = nn.Sequential(nn.Linear(width, 24), nn.Tanh(), nn.Linear(24, 1))
    if kind == "bias":
        model.score = nn.Linear(width, 1)
    if kind == "bf16":
        model, atol = model.to(torch.bfloat16), 1e-2
    if "modules_to_save" in kind:
        model = add_lora(model, LoraConfig(target_modules="all-linear"))
        init_head(model, 5)  # so that the trained copy isn't the base's head
    if "LoRA" in kind:
        model = get_peft_model(model, LoraConfig(target_modules=["score"], init_lora_weights=False))
    rm = RewardModel(model, tokenizer)
    r_N, features_ND = rm.features(*texts())
    w_D, bias = rm.head_weights()
    assert (bias != 0) == (kind in ("two layers", "bias"))
    assert features_ND.shape == (12, len(w_D))
    np.testing.assert_allclose(features_ND @ w_D + bias, r_N, atol=atol)


def test_pairs_in_one_pass(model, tokenizer, pairs, monkeypatch):
    rm, calls = RewardModel(model, tokenizer), []
    monkeypatch.setattr(RewardModel, "_score_batches",
                        lambda self, *a, was=RewardModel._score_batches: (calls.append(1), was(self, *a))[1])
    found = rm.pair_features(pairs)
    assert calls == [1]
    assert found.scores.equals(rm.score_pairs(pairs))
    np.testing.assert_allclose(found.difference_ND @ rm.head_weights()[0], found.scores["reward_margin"], atol=1e-5)
    np.testing.assert_allclose(found.chosen_ND, rm.features(pairs["prompt"], pairs["chosen"]).features_ND, atol=1e-5)


def test_a_response_that_is_too_long_has_no_features(model, tokenizer):
    r_N, features_ND = RewardModel(model, tokenizer, max_length=12).features("hi", ["cat.", "cat, " * 40])
    assert np.isnan(r_N).tolist() == [False, True] and np.isnan(features_ND).all(1).tolist() == [False, True]
    r_N, features_ND = RewardModel(model, tokenizer, max_length=12).features("hi", ["cat, " * 40])
    assert np.isnan(r_N).all() and len(features_ND) == 1


def test_a_forward_of_its_own_has_none(model, tokenizer):
    plain = type(model).forward

    class Own(type(model)):
        def forward(self, *args, **kwargs):
            out = plain(self, *args, **kwargs)
            out.logits = out.logits.tanh()
            return out

    own = Own(model.config)
    with pytest.raises(ValueError, match="forward of its own"):
        RewardModel(own, tokenizer).features("hi", ["cat."])


# What the training pairs leave open

def world(seed, n=300, D=8):
    "Differences of features, the chosen first by Bradley and Terry's model, and the true head"
    rng = np.random.default_rng(seed)
    true_D, d_ND = rng.normal(size=D), rng.normal(size=(n, D)) * rng.uniform(0.2, 1, D)
    return d_ND * np.where(rng.random(n) < 1 / (1 + np.exp(-d_ND @ true_D)), 1, -1)[:, None], true_D


def test_the_deviation_is_the_papers_formula():
    d_ND, w_D = world(0)
    p_N = 1 / (1 + np.exp(-d_ND @ w_D))
    H_DD = sum(p * (1 - p) * np.outer(d, d) for p, d in zip(p_N, d_ND)) + 3.0 * np.eye(8)
    laplace = laplace_head(d_ND.astype(np.float32), w_D, prior=3.0)
    expected_N = [np.sqrt(d @ np.linalg.inv(H_DD) @ d) for d in d_ND[:20]]
    np.testing.assert_allclose(laplace.sd(d_ND[:20]), expected_N, rtol=1e-5)
    assert (laplace.prior, laplace.pairs) == (3.0, 300)


def test_the_prior_is_the_likeliest():
    d_ND, w_D = world(1)
    curvature_DD = (d_ND.T * (lambda p: p * (1 - p))(1 / (1 + np.exp(-d_ND @ w_D)))) @ d_ND
    def evidence(prior):
        return 4 * np.log(prior) - prior / 2 * w_D @ w_D - np.linalg.slogdet(curvature_DD + prior * np.eye(8))[1] / 2
    prior = laplace_head(d_ND, w_D).prior
    assert evidence(prior) > max(evidence(prior * 0.98), evidence(prior * 1.02))


def test_units_and_directions_of_features_do_not_matter():
    d_ND, w_D = world(2)
    rotated_DD = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    sd_N = laplace_head(d_ND, w_D).sd(d_ND)
    np.testing.assert_allclose(laplace_head(10 * d_ND, w_D / 10).sd(10 * d_ND), sd_N, rtol=1e-6)
    np.testing.assert_allclose(laplace_head(d_ND @ rotated_DD, w_D @ rotated_DD).sd(d_ND @ rotated_DD), sd_N, rtol=1e-6)
    np.testing.assert_allclose(laplace_head(d_ND, w_D).sd(-d_ND), sd_N)


def test_deviations_are_honest_and_shrink_with_pairs():
    z, sizes = [], []
    for seed in range(30):
        d_ND, true_D = world(seed, n=800)
        head_D = pair_head(d_ND[:400], ridge=1 / 400)
        few, many = laplace_head(d_ND[:400], head_D), laplace_head(d_ND, head_D)
        z.append(d_ND[400:] @ (head_D - true_D) / few.sd(d_ND[400:]))
        sizes.append(many.sd(d_ND).mean() / few.sd(d_ND).mean())
    assert 0.9 < np.std(z) < 1.2 and 0.88 < np.mean(np.abs(z) < 1.96) < 0.97  # a little too sure: 0.92 of 120 worlds
    assert 0.65 < np.mean(sizes) < 0.8  # about one over the root of two


def test_many_pairs_are_summed_in_parts():
    d_ND, w_D = world(3, n=20_000, D=4)
    whole = laplace_head(d_ND, w_D, prior=1.0)
    p_N = 1 / (1 + np.exp(-d_ND @ w_D))
    np.testing.assert_allclose(whole.root_DD @ whole.root_DD.T,
                               np.linalg.inv((d_ND.T * (p_N * (1 - p_N))) @ d_ND + np.eye(4)), rtol=1e-9)


def test_responses_are_compared_within_their_prompt():
    features_ND = np.random.default_rng(0).normal(size=(6, 3))
    found_ND = less_prompt_mean(features_ND, ["a", "a", "a", "b", "b", "c"])
    np.testing.assert_allclose(found_ND[:3], features_ND[:3] - features_ND[:3].mean(0))
    assert not found_ND[5].any()
    messages = [[{"role": "user", "content": text}] for text in "aaabbc"]
    np.testing.assert_array_equal(less_prompt_mean(features_ND, messages), found_ND)
    features_ND[1] = np.nan
    found_ND = less_prompt_mean(features_ND, list("aaabbc"))
    np.testing.assert_allclose(found_ND[[0, 2]], features_ND[[0, 2]] - features_ND[[0, 2]].mean(0))
    assert np.isnan(found_ND[1]).all() and less_prompt_mean(np.zeros((0, 3)), []).shape == (0, 3)


def test_an_unsure_margin_is_worth_less():
    assert 0.5 < expected_p(2, 5) < expected_p(2, 1) < expected_p(2, 0) and expected_p(0, 3) == 0.5
    np.testing.assert_allclose(expected_p([1.0, -1.0], [2.0, 2.0]).sum(), 1)


# Several heads and runs

def test_heads_are_drawn_by_prompt():
    d_ND, _ = world(4)
    heads_HD = bootstrap_heads(d_ND, ridge=0.01, n_heads=5, seed=1)
    assert heads_HD.shape == (5, 8) and heads_HD.std(0).min() > 0
    np.testing.assert_array_equal(heads_HD, bootstrap_heads(d_ND, ridge=0.01, n_heads=5, seed=1))
    assert bootstrap_heads(d_ND, ridge=0.01, prompts_N=["one"] * 300).std(0).max() < 1e-12
    wide_N = spread(bootstrap_heads(d_ND, 0.01, np.arange(300) // 60, 30) @ d_ND.T).sd_N  # five prompts say less
    assert spread(bootstrap_heads(np.repeat(d_ND, 2, 0), 0.01, np.arange(600) // 2, 30) @ d_ND.T).sd_N.mean() > \
        1.2 * spread(bootstrap_heads(np.repeat(d_ND, 2, 0), 0.01, None, 30) @ d_ND.T).sd_N.mean()
    assert wide_N.mean() > 0


def test_spread():
    values_HN = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 0.0]])
    found = spread(values_HN)
    assert found.mean_N.tolist() == [2, 2, 2] and np.allclose(found.sd_N, values_HN.std(0, ddof=1))
    shifted_HN = values_HN + [[0.0], [50.0]]  # where a run's zero lies is nobody's business
    np.testing.assert_allclose(spread(shifted_HN, ["a"] * 3).sd_N, spread(values_HN, ["a"] * 3).sd_N)


def moved(seed, size=0.02, start=0):
    "A run that has gone a little way from its start"
    model, generator = tiny_model(start), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p += size * torch.randn(p.shape, generator=generator)
    return RewardModel(model, tiny_tokenizer())


def test_runs_are_scored_one_by_one(pairs, tmp_path):
    a, b = moved(1), moved(2)
    b.save(tmp_path)
    scores, tables = score_runs([a, str(tmp_path)], pairs), [run.score_pairs(pairs) for run in (a, b)]
    np.testing.assert_allclose(scores["reward_margin"], (tables[0].reward_margin + tables[1].reward_margin) / 2,
                               atol=1e-5)
    np.testing.assert_allclose(scores["margin_sd"], np.abs(tables[0].reward_margin - tables[1].reward_margin) / 2**0.5,
                               atol=1e-5)
    np.testing.assert_allclose(scores["reward_chosen"] - scores["reward_rejected"], scores["reward_margin"], atol=1e-5)
    np.testing.assert_allclose(scores["p_chosen"], 1 / (1 + np.exp(-scores["reward_margin"])), atol=1e-6)
    generated = score_runs([a, tmp_path], (row for row in pairs))
    np.testing.assert_allclose(generated["margin_sd"], scores["margin_sd"], atol=1e-6)


def test_runs_that_read_other_pairs(tmp_path):
    rows = [dict(prompt="hi", chosen="cat, " * n, rejected="dog.") for n in (1, 2, 30)]
    short = RewardModel(tiny_model(1), TOKENIZER, max_length=20)
    with pytest.raises(ValueError, match="kept 3, 2 of them"):
        score_runs([RewardModel(tiny_model(), TOKENIZER), short], rows)
    with pytest.raises(ValueError, match="two heads or runs"):
        score_runs([short], rows)


# Does it find errors?

def test_auroc_as_scikit_learn_has_it():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    wins_N, uncertainty_N = rng.choice([0.0, 0.5, 1.0], 300, p=[0.3, 0.1, 0.6]), rng.integers(0, 20, 300)
    expected = metrics.roc_auc_score(np.repeat([1, 0], 300), np.tile(uncertainty_N, 2),
                                     sample_weight=np.concatenate([1 - wins_N, wins_N]))
    assert error_auroc(wins_N, uncertainty_N) == pytest.approx(expected)
    with_nan_N = np.concatenate([uncertainty_N, [np.nan, 3]])
    assert error_auroc([*wins_N, 1, np.nan], with_nan_N) == pytest.approx(expected)
    assert error_auroc(wins_N, uncertainty_N, np.full(300, 3)) == pytest.approx(expected)


def test_coverage_by_hand():
    rng = np.random.default_rng(1)
    wins_N, uncertainty_N = rng.integers(0, 2, 50).astype(float), rng.permutation(50)
    coverage_N, accuracy_N, area = risk_coverage(wins_N, uncertainty_N)
    order = np.argsort(uncertainty_N)
    np.testing.assert_allclose(accuracy_N, [wins_N[order[:k]].mean() for k in range(1, 51)])
    np.testing.assert_allclose(coverage_N, np.arange(1, 51) / 50)
    assert area == pytest.approx(accuracy_N.mean()) and accuracy_N[-1] == pytest.approx(wins_N.mean())
    tied_N = uncertainty_N // 10  # in whatever order equal ones leave: the mean over many
    shuffled = [risk_coverage(wins_N, tied_N + 1e-3 * rng.random(50)).accuracy_N for _ in range(3000)]
    np.testing.assert_allclose(risk_coverage(wins_N, tied_N).accuracy_N, np.mean(shuffled, 0), atol=0.03)
    assert np.isnan(risk_coverage([], []).area) and len(risk_coverage([np.nan], [1.0]).coverage_N) == 0


# One model of several

def state(run): return run.model.state_dict()


def test_the_mean_of_a_run_with_itself_is_the_run():
    run = moved(1, size=0.3)
    before = copy.deepcopy(state(run))
    for runs, weights in (([run], None), ([run] * 3, None), ([run] * 4, [0.1, 0.7, 0.0, 3])):
        average = average_runs(runs, weights)
        assert average.model is not run.model
        assert all(torch.equal(x, before[name]) for name, x in state(average).items())
    assert all(torch.equal(x, before[name]) for name, x in state(run).items())


def test_the_mean_of_two_is_that_of_their_parameters(pairs, tmp_path):
    a, b, c = moved(1), moved(2), moved(3)
    average = average_runs([a, b])
    for name, x in state(average).items():
        torch.testing.assert_close(x, (state(a)[name] + state(b)[name]) / 2, atol=1e-7, rtol=1e-6)
    weighted = average_runs([a, b, c], weights=[1, 2, 5])
    for name, x in state(weighted).items():
        torch.testing.assert_close(x, (state(a)[name] + 2 * state(b)[name] + 5 * state(c)[name]) / 8, atol=1e-7,
                                   rtol=1e-6)
    only_last = average_runs([a, b], weights=[0, 1])
    torch.testing.assert_close(state(only_last), state(b), atol=1e-7, rtol=1e-6)
    b.save(tmp_path / "b")
    torch.testing.assert_close(state(average_runs([a, tmp_path / "b"])), state(average))
    average.save(tmp_path / "average")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "average")
    np.testing.assert_allclose(RewardModel(plain, TOKENIZER).score(*texts()), average.score(*texts()), atol=1e-6)


def test_runs_that_differ_in_their_heads_give_the_mean_reward():
    runs = [RewardModel(init_head(tiny_model(), seed), TOKENIZER) for seed in range(3)]
    expected_N = np.mean([run.score(*texts()) for run in runs], axis=0)
    np.testing.assert_allclose(average_runs(runs).score(*texts()), expected_N, atol=1e-5)


def adapted(seed):
    model = add_lora(tiny_model(), LoraConfig(target_modules="all-linear", init_lora_weights=False), seed=seed)
    return RewardModel(init_head(model, seed), tiny_tokenizer())


def test_adapters_are_merged_first(tmp_path):
    runs = [adapted(1), adapted(2)]
    for n, run in enumerate(runs):
        run.save(tmp_path / str(n))
    in_memory, saved = average_runs(runs), average_runs([tmp_path / "0", tmp_path / "1"])
    merged = [RewardModel(merge(copy.deepcopy(run.model)), TOKENIZER) for run in runs]
    for name, x in state(in_memory).items():
        torch.testing.assert_close(x, (state(merged[0])[name] + state(merged[1])[name]) / 2, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(x, state(saved)[name], atol=1e-6, rtol=1e-5)
    assert hasattr(runs[0].model, "peft_config")  # as they were
    mixed = average_runs([merged[0], runs[1]])  # one merged before
    torch.testing.assert_close(state(mixed), state(in_memory), atol=1e-6, rtol=1e-5)


def test_bfloat16_runs_are_averaged_in_float32():
    a, b = moved(1), moved(2)
    a.model.bfloat16(), b.model.bfloat16()
    average = average_runs([a, b, b])
    for name, x in state(average).items():
        exact = (state(a)[name].float() + 2 * state(b)[name].float()) / 3
        assert x.dtype == torch.bfloat16
        torch.testing.assert_close(x, exact.bfloat16(), atol=0, rtol=2**-7)


def test_runs_may_differ_in_dropout_and_an_encoders_can_be_averaged():
    a, b = build("Bert"), build("Bert")
    b.config.hidden_dropout_prob, b.config.classifier_dropout = 0.3, 0.2
    assert average_runs([RewardModel(a, TOKENIZER), RewardModel(b, TOKENIZER)])


def test_a_correction_stays_behind(tmp_path):
    run = moved(1).with_length_correction(LengthCorrection((1.0,), (0.5,), 1.0))
    assert average_runs([run, run]).length_correction is None
    run.save(tmp_path)
    assert average_runs([tmp_path, run]).length_correction is None


def unlike(kind):
    "A run that can't be averaged with `moved(1)`"
    run = moved(2, start=3 if kind == "start" else 0)
    if kind == "architecture":
        run = RewardModel(build("GPT2"), TOKENIZER)
    if kind == "setting":
        run.model.config.rope_parameters = dict(rope_type="default", rope_theta=77.0)
    if kind == "reads":
        run.model.config.reward_input = "text_pair"
    if kind == "pad":
        run.tokenizer.pad_token = run.tokenizer.eos_token
    if kind == "template":
        run.tokenizer.chat_template = "{{ messages[0]['content'] }}\x1b[2J" * 50
    if kind == "vocabulary":
        run.tokenizer.add_tokens(["<|more|>"])
    if kind == "shapes":
        run.model.resize_token_embeddings(len(run.tokenizer) + 8)
        run.model.config.vocab_size = run.model.get_input_embeddings().weight.shape[0]
    if kind == "quantised":
        run.model.is_quantized = True
    return run


@pytest.mark.parametrize("kind,said", [
    ("architecture", "LlamaForSequenceClassification and GPT2ForSequenceClassification"), ("setting", "rope"),
    ("reads", "reward_input"), ("pad", "pad_token"), ("template", "chat_template"), ("vocabulary", "vocabulary"),
    ("shapes", "vocab_size"), ("start", "cosine is -?0.0"), ("quantised", "without `quantization_config`")])
def test_what_does_not_fit_is_refused_with_a_remedy(kind, said):
    with pytest.raises(ValueError, match=said) as error:
        average_runs([moved(1), unlike(kind)])
    assert kind == "quantised" or "Average runs of one start" in str(error.value)
    assert "\x1b" not in str(error.value) and len(str(error.value)) < 800


def test_adapters_of_other_bases_are_refused():
    a, b = adapted(1), adapted(2)
    for run, name in ((a, "org/one"), (b, "org/other")):
        run.model.peft_config["default"].base_model_name_or_path = name
    with pytest.raises(ValueError, match="org/one and org/other.*`merge` first"):
        average_runs([a, b])


def test_weights_and_runs_that_make_no_sense():
    run = moved(1)
    for runs, weights in (([], None), ([run], [1, 2]), ([run, run], [1, -1]), ([run, run], [0, 0]),
                          ([run], [float("nan")]), ([run], [float("inf")])):
        with pytest.raises(ValueError, match="a weight for each"):
            average_runs(runs, weights)
    with pytest.raises(TypeError, match=r"RewardModel\(model, tokenizer\)"):
        average_runs([run.model])


def test_one_run_is_no_list_of_runs():
    run = RewardModel(tiny_model(), tiny_tokenizer())
    for one in (run, "runs/a", Path("runs/a")):
        with pytest.raises(TypeError, match="expected a list of runs"): average_runs(one)
        with pytest.raises(TypeError, match="expected a list of runs"): score_runs(one, [])
