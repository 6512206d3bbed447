"Flat rows: the layout, its attention, and rewards, losses and gradients equal to the padded path's."
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, GPT2Config

from rmkit import attention
from rmkit.attention import Branches, rectangle_attention, rectangles, varlen_attention
from rmkit.layout import (cut_by_tokens, join_flat, lay_out, PrefixSharingCollator, share_across, shared_length,
                          take_groups, tokens_of_groups)
from rmkit.losses import preference_loss
from rmkit.flat import flat_rewards, needs_padding
from rmkit.head import rewards
from rmkit.synthetic import tiny_config, tiny_model


def sharper(model, factor):
    "`model` with larger matrices: a small random model hides what attention does"
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() > 1 and not any(word in name for word in ("embed", "wte", "wpe", "score")): p.mul_(factor)
    return model


def gpt2():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=256, num_labels=1, pad_token_id=0,
                        resid_pdrop=0., attn_pdrop=0., embd_pdrop=0.)
    return sharper(AutoModelForSequenceClassification.from_config(config).eval(), 4)


MODELS = dict(rotary=sharper(tiny_model(seed=1), 2), absolute=gpt2())
IDS = st.integers(3, 250)
TEXT = st.lists(IDS, min_size=1, max_size=8)


@st.composite
def groups_of_texts(draw, most=8):
    """One to four groups of 2 to `most` texts; prefixes from none to almost everything, branches from one token to
    many. Groups may begin alike."""
    groups, system = [], draw(st.lists(IDS, max_size=draw(st.sampled_from([0, 0, 20]))))
    for _ in range(draw(st.integers(1, 4))):
        prefix = system + draw(st.lists(IDS, max_size=draw(st.sampled_from([0, 3, 60]))))
        rests = draw(st.lists(st.one_of(TEXT, st.lists(IDS, min_size=1, max_size=50)), min_size=2, max_size=most))
        texts = [prefix + rest for rest in rests]
        if draw(st.booleans()): texts[-1] = texts[0] + texts[-1][:1] # one text begins with all of another
        groups.append(texts)
    return groups


def padded(texts, side="right"):
    width = max(map(len, texts))
    def fill(row): return [0] * (width - len(row)) + row if side == "left" else row + [0] * (width - len(row))
    return torch.tensor([fill(t) for t in texts]), torch.tensor([fill([1] * len(t)) for t in texts])


def texts_of(flat):
    return [flat["input_ids"][0, keys].tolist() for keys in flat["keys"].split(flat["sizes"][:, 1].tolist())]


@settings(max_examples=60, deadline=None)
@given(groups_of_texts(), st.booleans())
def test_a_row_holds_its_texts(groups, share):
    flat, texts = lay_out(groups, share), [text for group in groups for text in group]
    assert texts_of(flat) == texts
    shared = [shared_length(group) if share else 0 for group in groups]
    assert flat["input_ids"].numel() == sum(map(len, texts)) - sum(n * (len(g) - 1) for n, g in zip(shared, groups))
    for keys, text in zip(flat["keys"].split(flat["sizes"][:, 1].tolist()), texts):
        assert flat["position_ids"][0, keys].tolist() == list(range(len(text)))
    assert flat["cu_q"].dtype == flat["cu_k"].dtype == torch.int32
    ends = flat["cu_q"][1:].long() - 1
    assert flat["input_ids"][0, ends].tolist() == [text[-1] for text in texts] and len(set(ends.tolist())) == len(texts)
    assert tokens_of_groups(flat).sum() == flat["input_ids"].numel()
    assert flat["groups"].tolist() == list(map(len, groups))


@settings(max_examples=100, deadline=None)
@given(groups_of_texts(), st.booleans())
def test_texts_share_across_groups(groups, again):
    "Every beginning once: a text adds what no text before it in the row has, and its last token"
    if again: groups = groups + groups[:1]
    flat, texts = share_across(lay_out(groups)), [text for group in groups for text in group]
    laid = texts_of(flat)
    assert [laid[r] for r in flat["place"]] == texts and "groups" not in flat and "texts" not in flat
    for keys, text, (q, k) in zip(flat["keys"].split(flat["sizes"][:, 1].tolist()), laid, flat["sizes"]):
        assert flat["position_ids"][0, keys].tolist() == list(range(len(text))) and 1 <= q <= k == len(text)
    ends = flat["cu_q"][1:].long() - 1
    assert flat["input_ids"][0, ends].tolist() == [text[-1] for text in laid] and len(set(ends.tolist())) == len(texts)
    beginnings = {tuple(text[:n]) for text in texts for n in range(1, len(text))} # a last token is never shared
    assert len(beginnings | {tuple(text) for text in texts}) <= flat["input_ids"].numel() <= len(beginnings) + len(
        texts)


def test_a_batch_without_sharing_stays_without():
    plain = lay_out([[[1, 2, 3], [1, 2, 4]], [[1, 2, 5], [1, 2]]], share_prefix=False)
    assert share_across(plain) is plain and plain["input_ids"].numel() == 11


@settings(max_examples=60, deadline=None)
@given(groups_of_texts(), st.integers(1, 300), st.integers(1, 6))
def test_cut_and_joined_a_row_is_as_it_was(groups, budget, at_least):
    flat = lay_out(groups) | dict(margin=torch.arange(len(groups)).float())
    tokens = tokens_of_groups(flat)
    parts = cut_by_tokens(tokens, budget, at_least)
    assert [a for a, _ in parts] + [len(groups)] == [0] + [b for _, b in parts]
    assert all(tokens[a:b].sum() <= budget or b - a == 1 for a, b in parts) and len(parts) >= min(at_least, len(groups))
    again = join_flat([take_groups(flat, a, b) for a, b in parts])
    assert again.keys() == flat.keys() and all(np.array_equal(again[k], flat[k]) for k in flat)
    for a, b in parts: assert texts_of(take_groups(flat, a, b)) == [text for group in groups[a:b] for text in group]


def test_parts_are_even():
    parts = cut_by_tokens(np.full(100, 10), 260)
    assert [10 * (b - a) for a, b in parts] == [250] * 4


def test_batches_with_and_without_margins_are_not_joined():
    one = PrefixSharingCollator()([dict(chosen_ids=[1], rejected_ids=[2], margin=1.)])
    other = PrefixSharingCollator()([dict(chosen_ids=[1], rejected_ids=[2])])
    with pytest.raises(ValueError, match="margin"): join_flat([one, other])
    with pytest.raises(ValueError, match="row 1 .*'rejected_ids'"):
        PrefixSharingCollator()([dict(chosen_ids=[1], rejected_ids=[2]), dict(chosen_ids=[1])])


@pytest.mark.parametrize("kind", MODELS)
@settings(max_examples=25, deadline=None)
@given(groups_of_texts(), st.booleans())
def test_rewards_equal_the_padded_ones(kind, groups, share):
    model, texts = MODELS[kind], [text for group in groups for text in group]
    assert needs_padding(model) is None
    with torch.no_grad():
        flat = flat_rewards(model, lay_out(groups, share))
        for side in ("right", "left"):
            torch.testing.assert_close(flat, rewards(model, *padded(texts, side)), atol=1e-5, rtol=0)


def gradients(model, r_2B):
    "Loss, its gradients, and those of the chosen rewards alone: in the loss, both sides may cancel to rounding"
    params = dict(model.named_parameters())
    loss = preference_loss(*r_2B).mean()
    chosen = torch.autograd.grad(r_2B[0].mean(), params.values(), retain_graph=True)
    return loss.item(), *(dict(zip(params, grads)) for grads in (torch.autograd.grad(loss, params.values()), chosen))


@pytest.mark.parametrize("kind", MODELS)
@settings(max_examples=25, deadline=None)
@given(groups_of_texts(most=2))
def test_loss_and_gradients_equal_the_padded_ones(kind, groups):
    assume(all(chosen != rejected for chosen, rejected in groups))
    model = MODELS[kind]
    needs_padding(model)
    loss, grads, _ = gradients(model, flat_rewards(model, lay_out(groups)).view(-1, 2).T)
    want, wanted, chosen = gradients(model, rewards(model, *padded([g[i] for i in (0, 1) for g in groups])).view(2, -1))
    assert loss == pytest.approx(want, abs=1e-6)
    whole = max(grad.abs().max() for grad in chosen.values())
    for name, grad in wanted.items():
        allowed = 1e-4 * grad.abs().max() + 1e-5 * chosen[name].abs().max() + 1e-6 * whole
        assert (grads[name] - grad).abs().max() <= allowed, name


def test_half_precision_within_its_noise():
    "bfloat16 weights, and bfloat16 autocast: no further from float32 than padded rows are"
    torch.manual_seed(0)
    groups = [[[5] * 20 + torch.randint(3, 250, (n,)).tolist() for n in (7, 19)] for _ in range(12)]
    flat, rows = lay_out(groups), padded([t for g in groups for t in g])
    def error(model, **autocast):
        needs_padding(model)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bool(autocast)):
            return [(r - truth).abs().mean().item() for r in (flat_rewards(model, flat), rewards(model, *rows))]
    model = tiny_model(seed=1)
    with torch.no_grad(): truth = rewards(model, *rows)
    for ours, theirs in (error(model, on=True), error(tiny_model(seed=1).bfloat16())):
        assert 0 < ours < 2 * theirs + 1e-3


@pytest.mark.parametrize("how", ["plain", "checkpointing", "wrapped layers"])
def test_the_last_layer_reads_what_is_read(how):
    "Its feed-forward part sees one token a text, unless the layer runs again in the backward pass; gradients agree"
    groups = [[[5] * 9 + [6], [5] * 9 + [7, 8]], [[5] * 4 + [9], [3]]]
    model, seen = tiny_model(seed=1), []
    needs_padding(model)
    _, _, wanted = gradients(model, flat_rewards(model, lay_out(groups)).view(-1, 2).T)
    if how == "checkpointing": model.train().gradient_checkpointing_enable()
    if how == "wrapped layers":
        from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
        model.model.layers[-1] = checkpoint_wrapper(model.model.layers[-1])
    model.model.layers[-1].mlp.register_forward_hook(lambda module, args, out: seen.append(args[0].shape[1]))
    _, _, grads = gradients(model, flat_rewards(model, lay_out(groups)).view(-1, 2).T)
    assert set(seen) == ({4} if how == "plain" else {14})
    for (name, ours), theirs in zip(grads.items(), wanted.values()):
        torch.testing.assert_close(ours, theirs, atol=1e-5 * theirs.abs().max().item(), rtol=1e-4, msg=name)


# attention by itself

def definition(q, k, v, branches, scale, window=None, softcap=None):
    outs, at = [], 0
    for keys, (n_q, n_k) in zip(branches.keys_M.split(branches.sizes_R2[:, 1].tolist()), branches.sizes_R2.tolist()):
        key, value = (x[keys].repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q[at:at + n_q], key) * scale
        if softcap: scores = softcap * torch.tanh(scores / softcap)
        back = torch.arange(n_k - n_q, n_k)[:, None] - torch.arange(n_k)
        scores = scores.masked_fill((back < 0) | (back >= (window or n_k)), -math.inf)
        outs.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), value))
        at += n_q
    return torch.cat(outs)


def random_attention(n_heads=4, n_key_heads=2, D=8):
    torch.manual_seed(0)
    flat = lay_out([[[1] * 20 + [2 + i] * n for i, n in enumerate((3, 9, 1, 14))], [[5] * 4 + [6], [7] * 60],
                    [[8], [9, 9]], [[1] * 33 + [3], [1] * 33 + [4]]])
    N = flat["input_ids"].numel()
    return torch.randn(N, n_heads, D), torch.randn(N, n_key_heads, D), torch.randn(N, n_key_heads, D), Branches.of(flat)


@pytest.mark.parametrize("few", [0, 2**40])
@pytest.mark.parametrize("call", [0, 2**40])
@pytest.mark.parametrize("options", [{}, dict(window=1), dict(window=7), dict(softcap=1.5),
                                     dict(softcap=1.5, window=9)], ids=str)
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_rectangles_by_definition(monkeypatch, few, call, options, key_heads):
    monkeypatch.setattr(attention, "FEW_SCORES", few)
    monkeypatch.setattr(attention, "CALL_COST", call)
    q, k, v, branches = random_attention(n_key_heads=key_heads)
    for x in (q, k, v): x.requires_grad_()
    got, want = rectangle_attention(q, k, v, branches, 0.4, **options), definition(q, k, v, branches, 0.4, **options)
    torch.testing.assert_close(got, want, atol=2e-6, rtol=1e-5)
    for a, b in zip(torch.autograd.grad(got.square().sum(), (q, k, v)),
                    torch.autograd.grad(want.square().sum(), (q, k, v))):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


def test_every_query_comes_out_once():
    rng = np.random.default_rng(0)
    own, shared = rng.integers(1, 40, 50), rng.integers(0, 90, 50) * rng.integers(0, 2, 50)
    sizes = np.stack([own, own + shared], 1)
    for width in (16, 640, 40_000):
        found, come_out = rectangles(sizes, width)
        assert len(np.unique(come_out)) == len(come_out) == own.sum() and sum(len(s) for *_, s, _ in found) == 50
    assert len(rectangles(sizes, 40_000)[0]) > len(rectangles(sizes, 16)[0]) == 2


def by_kernel(query, key, value, cu_seq_q, cu_seq_k, scale, window, H):
    "What the kernels of torch compute, by definition"
    key, value = (x.repeat_interleave(H // x.shape[1], 1) for x in (key, value))
    sizes = np.stack([cu_seq_q.diff().numpy(), cu_seq_k.diff().numpy()], 1)
    return definition(query, key, value, Branches(torch.arange(len(key)), cu_seq_q, cu_seq_k, sizes), scale, window)


def older(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None):
    assert is_causal and key.shape[1] == query.shape[1] and max_q == cu_seq_q.diff().max()
    assert max_k == cu_seq_k.diff().max()
    return by_kernel(query, key, value, cu_seq_q, cu_seq_k, query.shape[-1] ** -0.5, None, query.shape[1])


def newer(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1),
          enable_gqa=False):
    assert window_size[1] == 0 and (enable_gqa or key.shape[1] == query.shape[1]) and max_k == cu_seq_k.diff().max()
    return by_kernel(query, key, value, cu_seq_q, cu_seq_k, scale, window_size[0] + 1 or None, query.shape[1])


@pytest.mark.parametrize("kernel", [older, newer])
@pytest.mark.parametrize("share", [True, False])
def test_torch_kernels_old_and_new(monkeypatch, kernel, share):
    "The arguments that each signature gets, with a kernel that is the definition"
    import inspect
    monkeypatch.setattr(attention, "_varlen_kernel", lambda: (kernel, frozenset(inspect.signature(kernel).parameters)))
    q, k, v, branches = random_attention()
    if not share:
        flat = lay_out([[[1] * 5, [1] * 9], [[2] * 30]], share_prefix=False)
        branches = Branches.of(flat)
        q, k, v = (x[:flat["input_ids"].numel()] for x in (q, k, v))
    assert branches.is_shared == share
    for window in (None, 6) if kernel is newer else (None,):
        torch.testing.assert_close(varlen_attention(q, k, v, branches, 0.3, window),
                                   rectangle_attention(q, k, v, branches, 0.3, window), atol=2e-6, rtol=1e-5)


def test_when_the_kernel_runs(monkeypatch):
    q, *_ = random_attention()
    assert not attention._can_run_varlen(q, q, None, None) # float32, on a CPU
    assert not attention._can_run_varlen(q.bfloat16(), q.bfloat16(), None, None) # on a CPU
    capability = [(8, 0)]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability[0])
    monkeypatch.setattr(torch.version, "hip", None)
    def takes(D=64, value_D=None, dtype=torch.bfloat16, is_cuda=True, window=None, softcap=None,
              params=frozenset({"window_size"})):
        monkeypatch.setattr(attention, "_varlen_kernel", lambda: (older, frozenset(params)))
        def like(D): return SimpleNamespace(shape=(9, 4, D), dtype=dtype, is_cuda=is_cuda, device=None)
        return attention._can_run_varlen(like(D), like(value_D or D), window, softcap)
    assert takes() and takes(dtype=torch.float16) and takes(window=7) and takes(D=256) and takes(params=set())
    assert not any((takes(softcap=1.), takes(window=7, params=set()), takes(D=264), takes(D=60), takes(value_D=32),
                    takes(dtype=torch.float32), takes(is_cuda=False)))
    capability[0] = (7, 5)
    assert not takes()
    monkeypatch.setattr(attention, "_varlen_kernel", lambda: (None, frozenset()))
    assert not attention._can_run_varlen(q.bfloat16(), q.bfloat16(), None, None)


@pytest.mark.gpu
@pytest.mark.parametrize("window", [None, 7])
def test_the_real_kernel(window):
    q, k, v, branches = random_attention(D=64)
    half = [x.cuda().bfloat16() for x in (q, k, v)]
    on_gpu = Branches(branches.keys_M.cuda(), branches.cu_q.cuda(), branches.cu_k.cuda(), branches.sizes_R2)
    assert attention._can_run_varlen(half[0], half[2], window, None)
    got = varlen_attention(*half, on_gpu, 0.1, window).float().cpu()
    torch.testing.assert_close(got, rectangle_attention(*(x.float().cpu() for x in half), branches, 0.1, window),
                               atol=2e-2, rtol=2e-2)


def test_the_tiny_config_is_what_these_tests_think():
    assert tiny_config().vocab_size > 250
