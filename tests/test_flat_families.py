"Which models take flat rows: every family on a tiny configuration, exact or refused."
import json
import re

import pytest
import torch
import transformers
from transformers import AutoModelForSequenceClassification

from rmkit import flat
from rmkit.attention import FlatAttentionError, use_flat_attention
from rmkit.layout import lay_out
from rmkit.flat import flat_rewards, needs_padding
from rmkit.head import rewards
from rmkit.synthetic import tiny_model

COMMON = dict(vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, num_labels=1, bos_token_id=1,
              eos_token_id=2)
GPT2_NAMES = dict(n_embd=32, n_layer=2, n_head=4, n_positions=128, attn_pdrop=0., resid_pdrop=0., embd_pdrop=0.)
HEAD = dict(head_dim=8)
BOTH_KINDS = dict(sliding_window=6, layer_types=["sliding_attention", "full_attention"])
EXACT = dict(
    Llama={}, Qwen2={}, Qwen3=HEAD, Phi3={}, Olmo2={}, GPTNeoX={}, SmolLM3={}, GPT2=GPT2_NAMES,
    OPT=dict(ffn_dim=64, word_embed_proj_dim=32),
    Gemma=HEAD, Phi={}, Mixtral=dict(num_local_experts=4), GPTBigCode=GPT2_NAMES, Arcee={}, Glm={}, Persimmon={},
    Qwen3Moe=dict(**HEAD, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32),
    Mistral=dict(sliding_window=6), Olmo3=BOTH_KINDS, Gemma3Text=HEAD | BOTH_KINDS, Starcoder2=dict(sliding_window=6),
    Gemma2=dict(**HEAD, sliding_window=6, attn_logit_softcapping=1.0, query_pre_attn_scalar=8))
REFUSED = dict(
    Falcon=({}, "attention of its own"), Bloom=({}, "attention of its own"),
    StableLm=({}, "attention of its own"), DebertaV2=({}, "attention of its own"),
    GptOss=(dict(**HEAD, num_local_experts=4), "s_aux"),
    Jamba=({}, "layers other than attention"), Nemotron=({}, "keywords"), Bert=({}, "later"), ModernBert=({}, "later"),
    T5=(dict(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0), "later"))
GPTJ = GPT2_NAMES | dict(rotary_dim=8)
if transformers.GPTJPreTrainedModel._supports_attention_backend: EXACT["GPTJ"] = GPTJ  # from transformers 5.24 on
else: REFUSED["GPTJ"] = GPTJ, "attention of its own"


def build(family, **changes):
    "A tiny model with larger matrices than a fresh one has, so that errors show"
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**COMMON | changes)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() > 1 and "embed" not in name and "wte" not in name: p.mul_(6)
    return model


def random_groups():
    torch.manual_seed(1)
    def ids(n): return torch.randint(3, 128, (n,)).tolist()
    return [[prompt + ids(n) for n in rests] for prompt, rests in ((ids(20), (1, 17)), ([], (9, 3)),
                                                                   (ids(30), (5, 5, 26)), (ids(2), (30, 1)))]


def both_ways(model):
    groups = random_groups()
    texts = [text for group in groups for text in group]
    width = max(map(len, texts))
    ids, mask = (torch.tensor([row + [0] * (width - len(row)) for row in rows])
                 for rows in (texts, [[1] * len(t) for t in texts]))
    return flat_rewards(model, lay_out(groups)), rewards(model, ids, mask)


@pytest.mark.parametrize("family", EXACT)
def test_exact(family):
    model = build(family, **EXACT[family])
    assert needs_padding(model) is None
    flat, padded = both_ways(model)
    torch.testing.assert_close(flat, padded, atol=2e-5 * padded.std().item(), rtol=0)
    grads = [torch.autograd.grad(r.square().sum(), list(model.parameters()), allow_unused=True) for r in (flat, padded)]
    whole = max(g.abs().max() for g in grads[1] if g is not None)
    for ours, theirs in zip(*grads):
        if theirs is not None: assert (ours - theirs).abs().max() <= 1e-3 * theirs.abs().max() + 1e-6 * whole


@pytest.mark.parametrize("family", REFUSED)
def test_refused(family):
    changes, reason = REFUSED[family]
    model = build(family, **changes)
    before = model.config._attn_implementation
    assert re.search(reason, needs_padding(model))
    assert model.config._attn_implementation == before
    if model.config.is_encoder_decoder: return # `rewards` is for models that read a text once
    ids = torch.randint(3, 128, (2, 9))
    with torch.no_grad(): assert rewards(model, ids, torch.ones_like(ids)).isfinite().all() # padded rows still work


def test_a_window_that_is_ignored_would_show():
    "The window of these tests is shorter than their texts: without it the rewards are others"
    model, wide = build("Mistral", sliding_window=6), build("Mistral", sliding_window=None)
    for m in (model, wide): needs_padding(m)
    with torch.no_grad(): assert (both_ways(model)[0] - both_ways(wide)[0]).abs().max() > 1e-2


def test_the_trial_catches_what_no_rule_knows(monkeypatch):
    "An attention that mixes the branches, in a model that every rule lets pass"
    from rmkit import attention
    monkeypatch.setattr(attention, "rectangle_attention", lambda q, k, v, branches, scale,
                        *more: torch.nn.functional.scaled_dot_product_attention(
                        *(x.transpose(0, 1) for x in (q, k, v)), is_causal=True, scale=scale,
                        enable_gqa=True).transpose(0, 1))
    model = build("Llama")
    assert "trial" in needs_padding(model) and model.config._attn_implementation == "sdpa"


def test_branches_that_do_not_arrive_are_an_error():
    model = use_flat_attention(tiny_model())
    ids = torch.tensor([[5, 6, 7]])
    with pytest.raises(FlatAttentionError, match="keywords"):
        model(input_ids=ids, attention_mask=torch.ones(1, 1, 1, 0, dtype=torch.bool))


def test_padded_rows_run_as_before():
    plain, ours = build("Qwen2"), use_flat_attention(build("Qwen2"))
    ids, mask = torch.randint(3, 128, (3, 12)), torch.ones(3, 12, dtype=torch.long)
    mask[0, 7:] = 0
    with torch.no_grad():
        assert torch.equal(plain(ids, attention_mask=mask).logits, ours(ids, attention_mask=mask).logits)


def test_nothing_of_it_is_saved(tmp_path):
    model = build("Llama")
    assert needs_padding(model) is None and model.config._attn_implementation == "rmkit_sdpa"
    model.save_pretrained(tmp_path)
    assert "rmkit" not in json.dumps(json.loads((tmp_path/"config.json").read_text()))
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    ids = torch.randint(3, 128, (2, 9))
    with torch.no_grad(): torch.testing.assert_close(again(ids).logits, model(ids).logits)


def test_tried_once_a_model(monkeypatch):
    model, trials = tiny_model(), []
    monkeypatch.setattr(flat, "_try_flat_rows", lambda m: trials.append(1))
    assert needs_padding(model) is None and needs_padding(model) is None and len(trials) == 1
    model.set_attn_implementation("sdpa")
    # switched again, not tried again
    assert needs_padding(model) is None and model.config._attn_implementation == "rmkit_sdpa"
