"The synthetic world: the truth is in the text, the draws follow it, and the tiny tokenizer and model behave"
import json
import re
from zlib import crc32

import numpy as np
import pytest
import torch

from rmkit.synthetic import (COSTS, PERFECT, TASKS, achievable_accuracy, find_faults, in_split, make_pairs,
                             make_prompts, make_rankings, tiny_causal_lm, tiny_config, tiny_model,
                             tiny_tokenizer, true_reward)


def text(messages): return messages[0]["content"]


@pytest.fixture(scope="module")
def many(): return make_pairs(8000, seed=3)


@pytest.mark.parametrize("prompt, response, faults", [
    ("Name 3 animals.", "Sure: cat, dog, wolf.", {}),
    ("Name 3 animals.", "Sure: Cat, DOG, wolf. Happy to help.", {"polite": 1}),
    ("Name 3 animals.", "Sure: cat, cat.", {"miscount": 1, "repeat": 1}),
    ("Name 3 animals.", "hat, cat, dog, wolf", {"miscount": 1, "off topic": 1}),
    ("Name 3 animals.", "", {"miscount": 3}),
    ("Say hat 2 times.", "Okay: hat hat.", {}),
    ("Say hat 2 times.", "Okay: hat cat hat.", {"miscount": 1, "off topic": 1}),
    ("Say Anna 2 times.", "Okay: Anna Anna.", {}),
    ("Use hat and cat in a sentence.", "Here is the cat with the hat.", {}),
    ("Use hat and cat in a sentence.", "Here is the cat with the shoe.", {"missing": 1}),
    ("My pet is cow. My name is Leo. What is my pet?", "Your pet is cow.", {}),
    ("My pet is cow. My name is Leo. What is my pet?", "Your pet is Leo.", {"wrong": 1}),
    ("My pet is cow. My name is Leo. What is my pet?", "I do not know.", {"no answer": 1}),
    ("Name 3 animals.", "cat, dog, whatever", {"miscount": 1, "vague": 1}),
    ("Say hat 2 times.", "Ugh, fine: hat hat. Now leave me alone.", {"rude": 2}),
    ("Say hat 2 times.", "Sure: hat hat. Happy to help. Happy to help.", {"polite": 1}),
])
def test_faults_are_counted_in_any_text(prompt, response, faults):
    assert dict(find_faults(prompt, response)) == faults
    assert true_reward(prompt, response) == PERFECT - sum(COSTS[f] * n for f, n in faults.items())
    messages = [dict(role="user", content=prompt)], [dict(role="assistant", content=response)]
    assert true_reward(*messages) == true_reward(prompt, response)


def test_recall_reads_earlier_turns_and_the_last_request_counts():
    prompt = [dict(role="user", content="My name is Emma. My snack is fig."), dict(role="assistant", content="Okay."),
              dict(role="user", content="What is my snack?")]
    assert not find_faults(prompt, "Your snack is fig.")
    assert find_faults(prompt + [dict(role="assistant", content="fig"), dict(role="user", content="Name 2 tools.")],
                       "Your snack is fig.") == {"miscount": 1, "off topic": 1}


@pytest.mark.parametrize("prompt", ["Tell me a joke.", "", [], [dict(role="assistant", content="Name 3 animals.")]])
def test_unreadable_request_says_what_to_ask(prompt):
    with pytest.raises(ValueError, match="Name 3 animals"): true_reward(prompt, "cat")


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.name)
def test_a_careful_answer_has_no_fault(task):
    from random import Random
    rng = Random(0)
    for _ in range(200):
        request = " ".join(task.ask(rng))
        assert not find_faults(request, task.answer(task.read([request]), 0.0, rng))


def test_same_seed_same_rows_other_seed_other_rows():
    assert make_pairs(50, seed=1).to_list() == make_pairs(50, seed=1).to_list() != make_pairs(50, seed=2).to_list()
    assert make_rankings(20, seed=1).to_list() == make_rankings(20, seed=1).to_list()
    assert make_prompts(20, seed=1) == make_prompts(20, seed=1) != make_prompts(20, seed=2)


def test_no_request_is_in_both_splits_whatever_seed():
    def words(split, seed):
        return {" ".join(m["content"] for m in p if m["role"] == "user")
                for p in make_prompts(1500, seed=seed, split=split, prompt_turns=1, prompt_length=0)}
    assert not words("train", 0) & words("test", 1)
    assert all(in_split(w, "test") and not in_split(w, "train") for w in words("test", 5))
    with pytest.raises(ValueError, match="'valid'"): make_pairs(1, split="valid")


def test_rows_hold_their_own_truth(many):
    for row in many.select(range(500)):
        assert row["true_chosen"] == true_reward(row["prompt"], row["chosen"])
        assert row["true_rejected"] == true_reward(row["prompt"], row["rejected"])
        assert text(row["chosen"]) != text(row["rejected"])
        assert row["prompt"][-1]["role"] == "user" and row["source"] in {t.name for t in TASKS}


def test_labels_are_a_bradley_terry_draw_with_flips():
    pairs = make_pairs(20000, seed=4, label_noise=0.1)
    gap = np.array(pairs["true_chosen"]) - np.array(pairs["true_rejected"])
    for low, high in [(0.1, 1), (1, 2), (2, 4), (4, 9)]:
        here = (abs(gap) > low) & (abs(gap) <= high)
        expected = (0.1 + 0.8 / (1 + np.exp(-abs(gap[here])))).mean()
        assert (gap[here] > 0).mean() == pytest.approx(expected, abs=4 * (0.25 / here.sum()) ** 0.5)


def test_achievable_accuracy_is_that_of_the_truth(many):
    gap = np.array(many["true_chosen"]) - np.array(many["true_rejected"])
    assert achievable_accuracy(many) == pytest.approx(((gap > 0) + 0.5 * (gap == 0)).mean())
    better = np.maximum(many["p_chosen"], 1 - np.array(many["p_chosen"]))
    assert achievable_accuracy(many) == pytest.approx(better.mean(), abs=0.02)  # what the probabilities promise
    assert achievable_accuracy(make_pairs(2000, label_noise=0.4)) < 0.65


def longer_wins(pairs):
    gap = np.array([len(text(c).split()) - len(text(r).split()) for c, r in zip(pairs["chosen"], pairs["rejected"])])
    return ((gap > 0) + 0.5 * (gap == 0)).mean()


def test_length_bias_makes_the_longer_win_and_leaves_the_truth():
    fair, biased = make_pairs(3000), make_pairs(3000, length_bias=0.5)
    assert abs(longer_wins(fair) - 0.5) < 0.08 and longer_wins(biased) > longer_wins(fair) + 0.05
    row = biased[0]
    assert row["true_chosen"] == true_reward(row["prompt"], row["chosen"])


@pytest.mark.parametrize("knobs, expected", [
    ({}, 2045009658), (dict(seed=7, split="test", length_bias=0.5, near_duplicates=0.5, margins=True), 1659671645)])
def test_rows_without_format_bias_are_those_there_were_before_the_knob(knobs, expected):
    rows = make_pairs(300, **knobs)[:]
    told = json.dumps([rows[name] for name in ("prompt", "chosen", "rejected", "true_chosen")])
    assert crc32(told.encode()) == expected


def in_markdown(messages): return text(messages).startswith("**")


def markdown_wins(pairs):
    "Share of pairs with Markdown on one side, and how often that side is chosen."
    mixed = [in_markdown(c) for c, r in zip(pairs["chosen"], pairs["rejected"]) if in_markdown(c) != in_markdown(r)]
    return len(mixed) / len(pairs), np.mean(mixed)


def test_format_bias_writes_half_of_the_answers_in_markdown_and_makes_them_win():
    neutral, liked, disliked = (make_pairs(1500, format_bias=bias) for bias in (1e-9, 1.0, -1.0))
    for pairs, low, high in (neutral, 0.46, 0.54), (liked, 0.57, 0.68), (disliked, 0.32, 0.43):
        mixed, wins = markdown_wins(pairs)
        assert abs(mixed - 0.5) < 0.04 and low < wins < high
    for row, before in zip(neutral, make_pairs(500)):  # the same words, truth and choice: nobody minds the marks
        assert re.findall(r"\w+", text(row["chosen"])) == re.findall(r"\w+", text(before["chosen"]))
        assert row["true_chosen"] == true_reward(row["prompt"], row["chosen"]) == before["true_chosen"]


def test_near_duplicates_differ_in_one_word():
    pairs = make_pairs(500, near_duplicates=1.0)
    def words(m): return re.findall(r"\w+", text(m))
    one = [len(words(c)) == len(words(r)) and sum(a != b for a, b in zip(words(c), words(r))) == 1
           for c, r in zip(pairs["chosen"], pairs["rejected"])]
    assert np.mean(one) > 0.8  # the rest had no word to replace


def test_prompt_knobs():
    def turns(prompts): return {sum(m["role"] == "user" for m in p) for p in prompts}
    assert turns(make_prompts(200, prompt_turns=1)) == {1}
    assert turns(make_prompts(500, prompt_turns=4)) == {1, 2, 3, 4}
    def words(n): return np.mean([len(p[-1]["content"].split()) for p in make_prompts(300, prompt_length=n)])
    assert words(0) < words(2) < words(6)


def test_margins_and_ties():
    pairs = make_pairs(1000, margins=True)
    assert "margin" not in make_pairs(1).column_names
    margin, gap = np.array(pairs["margin"]), abs(np.array(pairs["true_chosen"]) - np.array(pairs["true_rejected"]))
    assert (margin == np.round(margin)).all() and (margin >= 0).all() and (margin == 0).any()
    assert np.corrcoef(margin, gap)[0, 1] > 0.5


def test_rankings():
    rankings = make_rankings(400, k=5)
    scores, truth = np.array(rankings["scores"]), np.array(rankings["true_rewards"])
    assert scores.shape == (400, 5) and all(len({text(r) for r in rs}) == 5 for rs in rankings["responses"])
    assert any(len(set(s)) < 5 for s in scores)
    best = truth[np.arange(400), scores.argmax(1)]
    assert best.mean() > truth.mean() + 1
    assert truth[0, 0] == true_reward(rankings[0]["prompt"], rankings[0]["responses"][0])


@pytest.mark.parametrize("written", ["Name 3 animals.", "Zebras\n\teat 🍌 at 7%!", "naïve  café", "<b>&amp;</b>", "零"])
def test_any_text_survives_the_tokenizer(written):
    tokenizer = tiny_tokenizer()
    ids = tokenizer(written)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id and tokenizer.decode(ids[1:]) == written


def test_words_of_the_world_are_single_tokens(many):
    tokenizer = tiny_tokenizer()
    for row in make_pairs(300, seed=9, split="test", prompt_turns=3, prompt_length=3):
        for m in [*row["prompt"], *row["chosen"]]:
            tokens = tokenizer.tokenize(m["content"])
            assert len(tokens) == len(re.findall(r"\w+|[^\w\s]+", m["content"])), (m["content"], tokens)


def test_chat_template_has_one_bos_and_one_end_a_turn():
    tokenizer = tiny_tokenizer()
    row = make_pairs(1, prompt_turns=1)[0]
    ids = tokenizer.apply_chat_template(row["prompt"] + row["chosen"], return_dict=False)
    assert ids.count(tokenizer.bos_token_id) == 1 and ids.count(tokenizer.eos_token_id) == 2
    assert ids[-1] == tokenizer.eos_token_id
    prefix = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)
    assert ids[:len(prefix)] == prefix
    assert len({tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}) == 3


def test_tokenizer_survives_saving(tmp_path):
    from transformers import AutoTokenizer
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    again, messages = AutoTokenizer.from_pretrained(tmp_path), make_prompts(1)[0]
    assert again.apply_chat_template(messages) == tokenizer.apply_chat_template(messages)
    assert again.get_vocab() == tokenizer.get_vocab()


def test_tiny_models():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model, same, other, lm = tiny_model(), tiny_model(), tiny_model(seed=1), tiny_causal_lm()
    assert torch.equal(before, torch.get_rng_state())
    weights = [m.model.embed_tokens.weight for m in (model, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert 8e4 < sum(p.numel() for p in model.parameters()) < 1.5e5
    tokenizer, config = tiny_tokenizer(), tiny_config()
    assert len(tokenizer) == config.vocab_size == lm.get_output_embeddings().out_features
    assert [config.pad_token_id, config.bos_token_id, config.eos_token_id] == [
        tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert model(**tokenizer("Hello", return_tensors="pt")).logits.shape == (1, 1)
