"A length correction saved with a model: everything of rmkit's applies it, nothing else does, and nobody is surprised"
import json

import numpy as np
import pytest
from peft import LoraConfig
from transformers import AutoModelForSequenceClassification

from rmkit import RewardConfig, RewardModel, RewardTrainer, RewardVisualizer
from rmkit import scoring
from rmkit.bias import fit_length_correction, LengthCorrection
from rmkit.cli import main
from rmkit.model import add_lora, CORRECTION_FILE, load_reward_model, save_reward_model
from rmkit.scoring import response_lengths
from rmkit.synthetic import make_pairs

CORRECTION = LengthCorrection(lengths=(2.0, 8.0, 20.0), bias=(-1.0, 0.5, 3.0), strength=0.7)
PROMPT = [{"role": "user", "content": "Name 3 animals."}]
TEXTS = ["cat.", "cat, dog, horse.", "Sure: cat, dog, horse, cow, sheep, pig, goat, hen, duck. That was it.", ""]


@pytest.fixture
def rm(model, tokenizer): return RewardModel(model, tokenizer)


@pytest.fixture
def shorter(rm): return rm.with_length_correction(CORRECTION)


@pytest.fixture
def folder(shorter, tmp_path):
    shorter.save(tmp_path / "saved")
    return tmp_path / "saved"


def by_hand(rm, texts=TEXTS, prompt=PROMPT):
    "The formula, with the tokens of each response by itself"
    lengths_N = [len(rm.tokenizer.tokenize(text)) for text in texts]
    return rm.score(prompt, texts) - 0.7 * np.interp(lengths_N, [2, 8, 20], [-1, 0.5, 3])


# All ways to a reward

def test_score_and_what_is_made_of_it(rm, shorter):
    r_N = shorter.score(PROMPT, TEXTS)
    np.testing.assert_allclose(r_N, by_hand(rm), atol=1e-6)
    assert r_N.dtype == np.float32 and np.ptp(r_N - rm.score(PROMPT, TEXTS)) > 2
    messages = [[{"role": "assistant", "content": text}] for text in TEXTS]
    np.testing.assert_array_equal(shorter.score(PROMPT, messages), r_N)
    assert shorter.score(PROMPT, TEXTS[1]) == pytest.approx(r_N[1:2], abs=1e-6)
    order, ranked_N = shorter.rank(PROMPT, TEXTS)
    assert order.tolist() == np.argsort(-r_N, kind="stable").tolist() and np.array_equal(ranked_N, r_N)
    np.testing.assert_allclose(shorter.compare(PROMPT, TEXTS[:1], TEXTS[2:3]), 1 / (1 + np.exp(r_N[2:3] - r_N[:1])),
                               atol=1e-6)
    np.testing.assert_allclose(shorter.as_reward_func()(prompts=[PROMPT] * 4, completions=messages), r_N, atol=1e-6)


@pytest.mark.parametrize("kind", ["text", "messages", "no prompt", "whole texts"])
def test_pairs_of_any_format_have_the_lengths_of_the_table(rm, shorter, kind):
    rows = make_pairs(8, seed=1).to_list()
    if kind == "messages":
        rows = [dict(prompt=[{"role": "user", "content": r["prompt"]}] if isinstance(r["prompt"], str) else r["prompt"],
                     **{side: [{"role": "assistant", "content": r[side]}] if isinstance(r[side], str) else r[side]
                        for side in ("chosen", "rejected")}) for r in rows]
    if kind == "no prompt":
        rows = [dict(chosen="cat, dog", rejected="cat"), dict(chosen="horse", rejected="dog, cat, cat, cat")]
    if kind == "whole texts":
        rows = [dict(prompt="Q: hi\nA:", chosen=" cat, dog", rejected=" cat")]
    raw, corrected = rm.score_pairs(rows), shorter.score_pairs(rows)
    for side in ("chosen", "rejected"):
        expected_N = CORRECTION.apply(raw[f"reward_{side}"], raw[f"length_{side}"])
        np.testing.assert_allclose(corrected[f"reward_{side}"], expected_N, atol=1e-6)
        if kind != "no prompt":
            np.testing.assert_allclose(shorter.score(raw["prompt"], raw[side]), expected_N, atol=1e-5)
    np.testing.assert_allclose(corrected["reward_margin"], corrected["reward_chosen"] - corrected["reward_rejected"])
    np.testing.assert_allclose(corrected["p_chosen"], 1 / (1 + np.exp(-corrected["reward_margin"])), atol=1e-6)


def test_features_are_the_models_and_rewards_corrected(rm, shorter, pairs):
    r_N, features_ND = shorter.features(PROMPT, TEXTS)
    np.testing.assert_array_equal(r_N, shorter.score(PROMPT, TEXTS))
    np.testing.assert_allclose(features_ND @ rm.head_weights()[0], rm.score(PROMPT, TEXTS), atol=1e-5)
    assert shorter.pair_features(pairs).scores.equals(shorter.score_pairs(pairs))


def test_rewards_at_tokens_are_raw_and_that_is_said_once(rm, shorter, caplog):
    scoring._say_raw.cache_clear()
    for _ in range(2):
        assert np.array_equal(shorter.token_rewards(PROMPT, TEXTS[1])[1], rm.token_rewards(PROMPT, TEXTS[1])[1])
    assert caplog.text.count("Rewards at tokens are raw") == 1


def test_the_explorers_what_if_is_corrected(shorter, pairs):
    scores = shorter.score_pairs(pairs.select(range(3)))
    viz = RewardVisualizer(scores, model=shorter)
    found = viz.rescore(0)
    assert found["reward_margin"] == pytest.approx(scores["reward_margin"][0], abs=1e-5)
    assert found["length_chosen"] == scores["length_chosen"][0]
    assert "raw" in viz.tokens(0)["note"] and viz.tokens(0)["tokens"]
    viz.model = shorter.with_length_correction(None)
    assert viz.tokens(0)["note"] is None


def test_a_response_that_is_too_long_stays_without_a_reward(model, tokenizer):
    shorter = RewardModel(model, tokenizer, max_length=12).with_length_correction(CORRECTION)
    assert np.isnan(shorter.score("hi", ["cat.", "cat, " * 40])).tolist() == [False, True]


def test_never_on_by_itself(rm, shorter):
    assert rm.length_correction is None and "length by" not in repr(rm)
    assert shorter is not rm and shorter.model is rm.model and "70%" in repr(shorter)
    raw = shorter.with_length_correction(None)
    assert np.array_equal(raw.score(PROMPT, TEXTS), rm.score(PROMPT, TEXTS))


# On disk

def test_loading_applies_it_and_says_so(rm, shorter, folder, caplog):
    again = RewardModel.from_pretrained(folder, device="cpu")
    assert caplog.text.count("less 70% of a bias for length") == 1 and "length_correction=False" in caplog.text
    assert again.length_correction == CORRECTION
    np.testing.assert_array_equal(again.score(PROMPT, TEXTS), shorter.score(PROMPT, TEXTS))
    caplog.clear()
    raw = RewardModel.from_pretrained(folder, device="cpu", length_correction=False)
    assert "bias for length" not in caplog.text
    np.testing.assert_array_equal(raw.score(PROMPT, TEXTS), rm.score(PROMPT, TEXTS))


def test_plain_loaders_get_raw_rewards(rm, folder, tokenizer):
    plain = AutoModelForSequenceClassification.from_pretrained(folder)
    np.testing.assert_array_equal(RewardModel(plain, tokenizer).score(PROMPT, TEXTS), rm.score(PROMPT, TEXTS))
    text = (folder / "README.md").read_text()
    assert CORRECTION_FILE in text and "raw rewards" in text


def test_beside_an_adapter(model, tokenizer, tmp_path):
    shorter = RewardModel(add_lora(model, LoraConfig(target_modules="all-linear")), tokenizer)
    shorter = shorter.with_length_correction(CORRECTION)
    shorter.save(tmp_path)
    again = RewardModel.from_pretrained(tmp_path, device="cpu")
    np.testing.assert_allclose(again.score(PROMPT, TEXTS), shorter.score(PROMPT, TEXTS), atol=1e-5)


def test_the_command_line_corrects(rm, folder, tmp_path, capsys):
    rows = [dict(prompt=PROMPT, response=text) for text in TEXTS[:3]]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["score", "--model", str(folder), "--dataset", str(tmp_path / "in.jsonl")]) == 0
    found = [json.loads(line)["reward"] for line in capsys.readouterr().out.splitlines()]
    assert found == pytest.approx(by_hand(rm, TEXTS[:3]).tolist(), abs=1e-5)


@pytest.mark.parametrize("card", [None, "---\nlicense: mit\n---\n\n# My model\n\nText.\n", "# My model\n\n## Length "
                                  "correction\n\nAn older note.\n\n## Training\n\nLong.\n"])
def test_the_card_says_it_once_and_no_longer_than_it_is_so(rm, shorter, folder, card):
    file = folder / "README.md"
    file.unlink() if card is None else file.write_text(card)
    for _ in range(2):
        shorter.save(folder)
        text = file.read_text()
        assert text.count("## Length correction") == text.count(CORRECTION_FILE) == 1 and "older note" not in text
        assert all(part in text for part in ("license: mit", "Text.", "Long.") if card and part in card)
    rm.save(folder)
    assert "Length correction" not in file.read_text() and not (folder / CORRECTION_FILE).exists()
    assert RewardModel.from_pretrained(folder, device="cpu").length_correction is None


def test_a_raw_model_is_saved_without_a_card(rm, tmp_path):
    rm.save(tmp_path)
    assert not (tmp_path / "README.md").exists() and not (tmp_path / CORRECTION_FILE).exists()


def test_new_weights_do_not_keep_it(folder, tokenizer, model, tmp_path):
    "It was fitted to other rewards: training on from the folder, or saving over it, leaves it behind"
    again, _ = load_reward_model(folder)
    save_reward_model(again, tokenizer, folder)
    assert not (folder / CORRECTION_FILE).exists()
    (folder / CORRECTION_FILE).write_text("{}")
    args = RewardConfig(str(folder), max_steps=1, use_cpu=True, report_to="none", disable_tqdm=True)
    RewardTrainer(again, args, train_dataset=make_pairs(8, seed=0), processing_class=tokenizer).save_model()
    assert not (folder / CORRECTION_FILE).exists()


HOSTILE = dict(
    empty="", cut='{"lengths": [1', text='"corrected"', null="null", number="3", rows="[]", deep="[" * 100_000,
    nothing="{}", not_finite='{"lengths": [1], "bias": [NaN], "strength": 1}',
    infinite='{"lengths": [1], "bias": [1e999], "strength": 1}',
    falling='{"lengths": [2, 1], "bias": [0, 0], "strength": 1}',
    too_strong='{"lengths": [1], "bias": [0], "strength": 7}',
    huge='{"lengths": [1], "bias": [1%s], "strength": 1}' % ("0" * 400),
    nested='{"lengths": [[1]], "bias": [[0]], "strength": 1}', uneven='{"lengths": [1, 2], "bias": [0], "strength": 1}',
    terminal='{"lengths": ["\\u001b[2Jx"], "bias": [0], "strength": 1}',
    characters='{"lengths": [1], "bias": [0], "strength": 1, "length_unit": "characters"}',
    long='{"lengths": [1], "bias": [0], "strength": 1, "more": "%s"}' % ("x" * 2**20), binary=b"\xff\xfe\x00")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_correction_is_refused_by_name(folder, name, caplog):
    content = HOSTILE[name]
    (folder / CORRECTION_FILE).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="no length correction that could be applied") as error:
        RewardModel.from_pretrained(folder, device="cpu")
    said = str(error.value)
    assert CORRECTION_FILE in said and "length_correction=False" in said and "\x1b" not in said and len(said) < 800
    assert RewardModel.from_pretrained(folder, device="cpu", length_correction=False).length_correction is None


def test_a_fitted_one_goes_all_the_way(model, tokenizer, tmp_path):
    "Fitted on the table of scored pairs, saved, loaded: the table comes out as the fit meant it"
    rm, rows = RewardModel(model, tokenizer), make_pairs(200, seed=3)
    table = rm.score_pairs(rows, progress=False)
    wordy = table.assign(reward_chosen=table["reward_chosen"] + 0.3 * table["length_chosen"],
                         reward_rejected=table["reward_rejected"] + 0.3 * table["length_rejected"])
    correction = fit_length_correction(wordy)
    correction = LengthCorrection(correction.lengths, correction.bias, max(correction.strength, 0.5))
    rm.with_length_correction(correction).save(tmp_path)
    again = RewardModel.from_pretrained(tmp_path, device="cpu").score_pairs(rows, progress=False)
    expected_N = correction.apply(table["reward_chosen"], response_lengths(table["chosen"], tokenizer))
    np.testing.assert_allclose(again["reward_chosen"], expected_N, atol=1e-5)
