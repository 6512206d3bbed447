"What a model doesn't know: what its head reads, and what can be made of it"
import numpy as np
import pytest
import torch
import transformers
from peft import LoraConfig
from torch import nn
from transformers import AutoModelForSequenceClassification

from rmkit import RewardModel
from rmkit.flat import needs_padding
from rmkit.head import init_head
from rmkit.model import add_lora
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

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
    from rmkit import flat
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
        from peft import get_peft_model
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
