"Model: the reward is read at the last real token, in any architecture, and survives every way of saving and loading"
import copy
import importlib.util
import logging
import sys

import pytest
import torch
from peft import LoraConfig, PeftModel
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (AutoModelForCausalLM, AutoModelForSequenceClassification, BertConfig, BitsAndBytesConfig,
                          GemmaConfig, GPT2Config, GPTNeoXConfig, LlamaConfig, OPTConfig, PreTrainedTokenizerFast,
                          Qwen2Config, RobertaConfig, pipeline)

from rmkit.head import head_module, head_name, init_head, replace_head, rewards, token_rewards, unwrap
from rmkit.model import (add_lora, ensure_pad_token, load_reward_model, merge, prepare_for_reward, save_reward_model,
                         unused_token)

VOCAB = 32
SMALL = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=64, initializer_range=0.2)
IDS = dict(bos_token_id=0, eos_token_id=1, pad_token_id=1)  # pad == eos, as in most language models
DECODERS = {
    "llama": lambda: LlamaConfig(**SMALL, num_key_value_heads=2, **IDS),
    "qwen2": lambda: Qwen2Config(**SMALL, num_key_value_heads=2, **IDS),
    "gemma": lambda: GemmaConfig(**SMALL, num_key_value_heads=1, head_dim=8, **IDS),
    "gptneox": lambda: GPTNeoXConfig(**SMALL, **IDS),
    "gpt2": lambda: GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.2,
                               **IDS),
    "opt": lambda: OPTConfig(vocab_size=VOCAB, hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4,
                             word_embed_proj_dim=32, max_position_embeddings=64, init_std=0.2, **IDS),
}
ABSOLUTE = {"gpt2"}  # plain transformers numbers these models' positions from the left edge of the batch


def make_tokenizer(n=VOCAB, pad="<eos>", names=()):
    words = ["<bos>", "<eos>", *names]
    words += [f"w{i}" for i in range(len(words), n)]
    t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="w9"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<bos>", eos_token="<eos>", pad_token=pad,
                                   model_input_names=["input_ids", "attention_mask"])


def make(kind, num_labels=1, seed=0):
    config = DECODERS[kind]()
    config.num_labels = num_labels
    torch.manual_seed(seed)
    return AutoModelForSequenceClassification.from_config(config).eval()


TEXTS = ["w5 w6 w7 w8 w9 w10 <eos>", "w5 w6 <eos>", "w5 w11 w12 w3 <eos>", "w20 <eos>"]


def device_of(model): return next(model.parameters()).device  # of quantised weights a GPU, where there is one


def score(model, tokenizer, texts=TEXTS, side="right"):
    batch = tokenizer(texts, padding=True, padding_side=side, return_tensors="pt").to(device_of(model))
    with torch.no_grad(): return rewards(model, batch["input_ids"], batch["attention_mask"])


def plain_score(model, tokenizer, texts=TEXTS, **kwargs):
    batch = tokenizer(texts, padding=True, return_tensors="pt", **kwargs).to(device_of(model))
    with torch.no_grad(): return model.eval()(**batch).logits[:, 0].float()


def saved_tokenizer(folder):
    "By its own class: AutoTokenizer would take the one that real models of the kind have, and lose these toy words"
    return PreTrainedTokenizerFast.from_pretrained(folder)


def close(a, b, atol=1e-5): return torch.allclose(a, b, atol=atol, rtol=0)


@pytest.fixture(params=DECODERS)
def kind(request): return request.param


# --- reading the reward

def test_padding_side_batch_and_neighbours_do_not_matter(kind):
    model, tokenizer = make(kind), make_tokenizer()
    expected = score(model, tokenizer)
    assert expected.std() > 0.05 and expected.dtype == torch.float32  # the differences would show
    assert close(score(model, tokenizer, side="left"), expected)
    assert close(torch.cat([score(model, tokenizer, [t]) for t in TEXTS]), expected)
    assert close(score(model, tokenizer, TEXTS[::-1]).flip(0), expected)
    assert close(score(model, tokenizer, TEXTS[1:2] + ["w4 " * 40])[:1], expected[1:2])


def test_reward_is_the_head_at_the_last_real_token_by_hand(kind):
    model = make(kind)
    ids = [5, 6, 1, 7, 1]  # the pad id stands inside the text and at its end
    with torch.no_grad():
        hidden = getattr(model, model.base_model_prefix)(torch.tensor([ids]))[0]
        expected = model.score(hidden)[0, :, 0]
        padded = torch.tensor([[1, 1, *ids], [*ids, 1, 1]])
        mask = torch.tensor([[0, 0] + [1]*5, [1]*5 + [0, 0]])
        assert close(rewards(model, padded, mask), expected[-1:].expand(2))
        assert close(rewards(model, padded, mask.bool()), expected[-1:].expand(2))
        r_BL = token_rewards(model, padded, mask)
    assert close(r_BL[0, 2:], expected) and close(r_BL[1, :5], expected)
    assert r_BL[0, :2].isnan().all() and r_BL[1, 5:].isnan().all()


def test_rewards_have_gradients_and_leave_no_hook():
    model, tokenizer = make("llama").train(), make_tokenizer()
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    rewards(model, batch["input_ids"], batch["attention_mask"]).sum().backward()
    assert model.score.weight.grad.abs().sum() > 0 and not head_module(model)._forward_hooks


def test_rewards_survive_wrappers():
    model, tokenizer = make("llama"), make_tokenizer()
    expected = score(model, tokenizer)
    other = make("llama")
    assert unwrap(torch.nn.parallel.DataParallel(other)) is other  # which moves it to a GPU, where there is one
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        r = rewards(model, batch["input_ids"], batch["attention_mask"])
    assert r.dtype == torch.float32 and close(r, expected, 0.1)
    model.gradient_checkpointing_enable()
    r = rewards(model.train(), batch["input_ids"], batch["attention_mask"])
    r.sum().backward()
    assert close(r.detach(), expected) and model.model.embed_tokens.weight.grad is not None


def test_rewards_through_ddp_with_lora(monkeypatch):
    if sys.platform == "linux": monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")  # or gloo asks a name server who we are
    model, tokenizer = prepare_for_reward(make("llama"), make_tokenizer())
    model = add_lora(model, LoraConfig(r=2, target_modules=["q_proj"]))
    expected = score(model.eval(), tokenizer)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    group = torch.distributed.group.WORLD
    try:
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
        batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
        r = rewards(wrapped, batch["input_ids"], batch["attention_mask"])
        r.sum().backward()
        assert close(r.detach(), expected) and head_name(wrapped) == "score"
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    finally: torch.distributed.destroy_process_group()
    del wrapped, r  # before the group: who ends it joins its threads, and DDP would do so with the GIL, which they want
    del group


def test_rewards_keep_autocast_that_accelerate_puts_on_forward():
    model, tokenizer = make("llama"), make_tokenizer()
    expected = score(model, tokenizer)
    model.forward = torch.autocast("cpu", torch.bfloat16)(model.forward)
    dtypes = []
    model.model.layers[0].mlp.down_proj.register_forward_hook(lambda module, args, out: dtypes.append(out.dtype))
    assert close(score(model, tokenizer), expected, 0.1) and dtypes == [torch.bfloat16]


def encoder(config_class, **kwargs):
    torch.manual_seed(0)
    config = config_class(**{**SMALL, "initializer_range": 0.5}, num_labels=1, type_vocab_size=1, **kwargs)
    return AutoModelForSequenceClassification.from_config(config).eval()


@pytest.mark.parametrize("config_class", [BertConfig, RobertaConfig])
def test_encoders(config_class):
    model, tokenizer = encoder(config_class, pad_token_id=2), make_tokenizer(pad="<pad>", names=["<pad>"])
    assert head_name(model) == "classifier"
    expected = score(model, tokenizer)
    assert close(expected, plain_score(model, tokenizer)) and expected.std() > 0.01
    assert close(score(model, tokenizer, side="left"), expected)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with pytest.raises(ValueError, match="pools a text before its head"):
        token_rewards(model, batch["input_ids"], batch["attention_mask"])


def test_encoder_round_trip_and_lora(tmp_path):
    model, tokenizer = prepare_for_reward(encoder(RobertaConfig, pad_token_id=2),
                                          make_tokenizer(pad="<pad>", names=["<pad>"]))
    model = add_lora(model, LoraConfig(r=2, target_modules=["query"]))
    expected = score(model.eval(), tokenizer)
    save_reward_model(model, tokenizer, tmp_path)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert close(plain_score(plain, tokenizer), expected, 1e-4)
    assert close(score(load_reward_model(tmp_path)[0].eval(), tokenizer), expected, 1e-4)


# --- the head

def test_head_is_independent_of_global_state_and_dtype(kind):
    model = init_head(make(kind), 3)
    first = model.score.weight.clone()
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert torch.equal(init_head(copy.deepcopy(model).to(dtype), 3).score.weight, first.to(dtype))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(init_head(model, 4).score.weight, first)
    assert 0.6 < first.std() * (first.shape[1] + 1)**0.5 < 1.4


def test_head_names():
    for k in DECODERS: assert head_name(make(k)) == "score"
    lora = add_lora(make("llama"), LoraConfig(r=2, target_modules=["q_proj"]))
    assert head_name(lora) == "score" and "ModulesToSave" in type(head_module(lora)).__name__


@pytest.mark.parametrize("make_two", [lambda: make("gpt2", 2), lambda: encoder(RobertaConfig, pad_token_id=2)])
def test_replace_head(make_two, tmp_path):
    model = replace_head(make_two())
    assert model.config.num_labels == model.num_labels == 1 and list(model.config.id2label) == [0]
    tokenizer = make_tokenizer(pad="<pad>", names=["<pad>"])
    prepare_for_reward(model, tokenizer)
    expected = score(model, tokenizer)
    assert expected.shape == (4,)
    model.save_pretrained(tmp_path)
    assert close(plain_score(AutoModelForSequenceClassification.from_pretrained(tmp_path), tokenizer), expected)


def test_several_outputs_are_refused():
    model, tokenizer = make("gpt2", 2), make_tokenizer()
    with pytest.raises(ValueError, match="require `num_labels=1`.*replace_head"): prepare_for_reward(model, tokenizer)
    with pytest.raises(ValueError, match="gives 2 outputs, expected 1"): score(model, tokenizer)
    with pytest.raises(ValueError, match="language model"):
        load_reward_model(AutoModelForCausalLM.from_config(DECODERS["llama"]()), tokenizer)


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_dead_head_is_started_anew(value):
    model = make("llama").bfloat16()
    with torch.no_grad(): model.score.weight.fill_(value)
    with pytest.warns(UserWarning, match="all zeros or not finite"): prepare_for_reward(model, make_tokenizer(), seed=5)
    assert torch.equal(model.score.weight, init_head(make("llama").bfloat16(), 5).score.weight)


# --- the pad token

def test_pad_that_differs_from_eos_is_kept():
    model, tokenizer = make("llama"), make_tokenizer(pad="<pad>", names=["<pad>"])
    rows = model.get_input_embeddings().weight.clone()
    assert ensure_pad_token(model, tokenizer) == 2 == model.config.pad_token_id
    assert torch.equal(model.get_input_embeddings().weight, rows)


@pytest.mark.parametrize("names,expected", [
    (["<|reserved_special_token_0|>", "<|finetune_right_pad_id|>"], "<|finetune_right_pad_id|>"),
    (["<unused1>", "[PAD]", "<pad_x>"], "[PAD]"), (["[unused7]", "[unused8]"], "[unused7]"),
    (["<|vision_pad|>", "<|image_pad|>", "<|fim_pad|>"], "<|fim_pad|>"), (["pad", "unused", "<|image_pad|>"], None)])
def test_unused_tokens_by_name(names, expected):
    model, tokenizer = make("llama"), make_tokenizer(names=names)
    assert unused_token(tokenizer, VOCAB) == expected
    ensure_pad_token(model, tokenizer)
    assert tokenizer.pad_token == (expected or "<|pad|>")
    assert model.get_input_embeddings().weight.shape[0] == VOCAB + (expected is None)


def test_a_token_of_the_chat_template_is_not_unused():
    tokenizer = make_tokenizer(names=["<pad>", "<|reserved_1|>"])
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }} <pad> <eos>{% endfor %}"
    assert unused_token(tokenizer, VOCAB) == "<|reserved_1|>"


def test_spare_rows_are_used_before_resizing():
    model, tokenizer = make("llama"), make_tokenizer(n=20)
    assert ensure_pad_token(model, tokenizer) == 20 and model.config.vocab_size == VOCAB


def test_a_new_row_is_the_same_every_time_and_moves_no_global_state():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    models_ = [make("llama"), make("llama")]
    torch.set_rng_state(before)
    for m in models_: assert ensure_pad_token(m, make_tokenizer()) == VOCAB == m.config.pad_token_id
    assert torch.equal(torch.get_rng_state(), before)
    a, b = (m.get_input_embeddings().weight for m in models_)
    assert a.shape[0] == VOCAB + 1 == models_[0].config.vocab_size and torch.equal(a, b)
    assert close(a[-1], a[:-1].mean(0))


def test_the_end_token_gets_its_gradient_back():
    "Llama makes its embedding with padding_idx, which freezes the gradient of the end token where pad is eos"
    model, tokenizer = prepare_for_reward(make("llama"), make_tokenizer())
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    rewards(model, batch["input_ids"], batch["attention_mask"]).sum().backward()
    assert model.get_input_embeddings().weight.grad[1].abs().sum() > 0


# --- round trips

def test_saved_folder_scores_the_same_in_plain_transformers(kind, tmp_path):
    model, tokenizer = prepare_for_reward(make(kind), make_tokenizer())
    expected = score(model, tokenizer)
    save_reward_model(model, tokenizer, tmp_path)
    plain, plain_tokenizer = AutoModelForSequenceClassification.from_pretrained(tmp_path), saved_tokenizer(tmp_path)
    assert plain_tokenizer.padding_side == "right" and plain_tokenizer.pad_token_id == plain.config.pad_token_id != 1
    assert close(plain_score(plain, plain_tokenizer), expected, 1e-4)
    if kind not in ABSOLUTE: assert close(plain_score(plain, plain_tokenizer, padding_side="left"), expected, 1e-4)
    pipe = pipeline("text-classification", model=str(tmp_path), tokenizer=plain_tokenizer)
    for batch_size in (1, 4):
        assert close(torch.tensor([o["score"] for o in pipe(TEXTS, batch_size=batch_size)]), expected, 1e-4)
    ours, our_tokenizer = load_reward_model(tmp_path, plain_tokenizer)
    assert our_tokenizer is plain_tokenizer and close(score(ours.eval(), our_tokenizer), expected, 1e-6)


def causal_folder(kind, folder, dtype=torch.float32):
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(DECODERS[kind]()).to(dtype).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def test_causal_lm_checkpoint_becomes_a_classifier(kind, tmp_path):
    causal_folder(kind, tmp_path)
    toy = saved_tokenizer(tmp_path)
    state = torch.get_rng_state()
    model, tokenizer = load_reward_model(str(tmp_path), toy, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(11)
    again, _ = load_reward_model(tmp_path, saved_tokenizer(tmp_path), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))
    assert model.config.num_labels == 1 and model.config.problem_type == "regression" and model.dtype == torch.float32
    lm = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(lm.get_input_embeddings().weight, model.get_input_embeddings().weight[:VOCAB])


def test_bfloat16_weights_have_a_living_head(kind, tmp_path):
    causal_folder(kind, tmp_path, torch.bfloat16)
    tokenizer = saved_tokenizer(tmp_path)
    model, _ = load_reward_model(tmp_path, tokenizer, seed=3, dtype=torch.bfloat16)
    full, _ = load_reward_model(tmp_path, tokenizer, seed=3)
    assert model.dtype == torch.bfloat16 and full.dtype == torch.float32
    assert torch.equal(model.score.weight, full.score.weight.bfloat16()) and model.score.weight.isfinite().all()
    assert load_reward_model(tmp_path, tokenizer, dtype="auto")[0].dtype == torch.bfloat16
    assert close(score(model.eval(), tokenizer), score(full.eval(), tokenizer), 0.2)


def test_a_saved_two_label_classifier_loses_its_head_with_a_warning(tmp_path):
    make("gpt2", 2).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="2 outputs"): model, _ = load_reward_model(tmp_path, seed=2)
    assert torch.equal(model.score.weight, init_head(make("gpt2"), 2).score.weight)


def test_a_saved_head_is_kept(tmp_path):
    model, tokenizer = prepare_for_reward(make("llama"), make_tokenizer())
    save_reward_model(model, tokenizer, tmp_path)
    assert torch.equal(load_reward_model(tmp_path, seed=9)[0].score.weight, model.score.weight)


def reports(caplog):
    "Each record once: where another test let the logger propagate, caplog sees a record twice"
    return [r.getMessage() for r in {id(r): r for r in caplog.records}.values() if "LOAD REPORT" in r.getMessage()]


@pytest.fixture
def transformers_log(caplog):
    log = logging.getLogger("transformers")
    log.addHandler(caplog.handler)
    yield caplog
    log.removeHandler(caplog.handler)


def test_only_the_expected_load_report_is_dropped(tmp_path, transformers_log):
    config = DECODERS["llama"]()
    config.tie_word_embeddings = False
    lm = AutoModelForCausalLM.from_config(config)
    state = lm.state_dict()
    lm.save_pretrained(tmp_path/"whole")
    lm.save_pretrained(tmp_path/"torn", state_dict={k: v for k, v in state.items() if "layers.1.mlp.up_proj" not in k})
    load_reward_model(tmp_path/"whole", make_tokenizer())
    assert reports(transformers_log) == []
    load_reward_model(tmp_path/"torn", make_tokenizer())
    assert len(reports(transformers_log)) == 1 and "up_proj" in reports(transformers_log)[0]
    AutoModelForSequenceClassification.from_pretrained(tmp_path/"whole", num_labels=1)
    assert len(reports(transformers_log)) == 2  # transformers' own loading is left as it was


def test_a_model_in_memory_needs_its_tokenizer(tmp_path):
    with pytest.raises(ValueError, match="pass `tokenizer`"): load_reward_model(make("llama"))
    causal_folder("llama", tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=1)
    same, tokenizer = load_reward_model(model)
    assert same is model and tokenizer.pad_token == "<|pad|>"


def test_chat_template_is_saved(tmp_path):
    model, tokenizer = make("llama"), make_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }} <eos>{% endfor %}"
    save_reward_model(*prepare_for_reward(model, tokenizer), tmp_path)
    assert load_reward_model(tmp_path)[1].chat_template == tokenizer.chat_template


# --- LoRA

TARGETS = {"gpt2": ["c_attn"], "gptneox": ["query_key_value"]}


def trained_lora(model, kind):
    "A PEFT model whose trainable weights have moved"
    model = add_lora(model, LoraConfig(r=4, lora_alpha=16, target_modules=TARGETS.get(kind, ["q_proj", "v_proj"])))
    torch.manual_seed(5)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad: p.add_(torch.randn_like(p) * 0.1)
    return model.eval()


def test_lora_trains_the_head_without_being_asked(kind):
    config = LoraConfig(r=2, target_modules=TARGETS.get(kind, ["q_proj"]), task_type="CAUSAL_LM")
    model = add_lora(make(kind), config)
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert any("score.modules_to_save" in n for n in trainable) and any("lora_A" in n for n in trainable)
    assert not any("base_layer" in n for n in trainable)
    assert config.modules_to_save is None and config.task_type == "CAUSAL_LM"  # the caller's config is left alone


def test_lora_start_is_seeded():
    config = LoraConfig(r=2, target_modules=["q_proj"])
    torch.manual_seed(1)
    a = add_lora(make("llama"), config, seed=4).state_dict()
    torch.manual_seed(2)
    b = add_lora(make("llama"), config, seed=4).state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("base", ["causal folder", "reward model folder", "in memory"])
def test_lora_round_trip(kind, base, tmp_path):
    if base == "causal folder":
        model, tokenizer = load_reward_model(causal_folder(kind, tmp_path/"base"), make_tokenizer())
    else:
        model, tokenizer = prepare_for_reward(make(kind), make_tokenizer())
        if base == "reward model folder":
            save_reward_model(model, tokenizer, tmp_path/"base")
            model, tokenizer = load_reward_model(tmp_path/"base", tokenizer)
    before = score(model.eval(), tokenizer)
    model = trained_lora(model, kind)
    expected = score(model, tokenizer)
    assert not close(before, expected, 0.05)
    save_reward_model(model, tokenizer, tmp_path/"adapter")
    assert (tmp_path/"adapter"/"model.safetensors").exists() == (base != "reward model folder")

    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path/"adapter")
    plain_tokenizer = saved_tokenizer(tmp_path/"adapter")
    assert close(plain_score(plain, plain_tokenizer), expected, 1e-4)
    if kind not in ABSOLUTE: assert close(plain_score(plain, plain_tokenizer, padding_side="left"), expected, 1e-4)
    pipe = pipeline("text-classification", model=str(tmp_path/"adapter"), tokenizer=plain_tokenizer)
    assert close(torch.tensor([o["score"] for o in pipe(TEXTS, batch_size=4)]), expected, 1e-4)

    again, again_tokenizer = load_reward_model(tmp_path/"adapter", plain_tokenizer, is_trainable=True)
    assert isinstance(again, PeftModel) and close(score(again.eval(), again_tokenizer), expected, 1e-4)
    def names(m): return {n for n, p in m.named_parameters() if p.requires_grad}
    assert names(again) == names(model)
    assert not names(load_reward_model(tmp_path/"adapter", plain_tokenizer)[0])

    merged = merge(model)
    assert not isinstance(merged, PeftModel) and head_name(merged) == "score"
    assert close(score(merged, tokenizer), expected, 1e-4)
    save_reward_model(merged, tokenizer, tmp_path/"merged")
    assert not (tmp_path/"merged"/"adapter_config.json").exists()
    assert close(plain_score(AutoModelForSequenceClassification.from_pretrained(tmp_path/"merged"), plain_tokenizer),
                 expected, 1e-4)


def test_an_adapter_alone_loads_here(tmp_path):
    "What a trainer's checkpoint holds: the adapter, saved by PEFT itself"
    model, tokenizer = load_reward_model(causal_folder("llama", tmp_path/"base"))
    model = trained_lora(model, "llama")
    expected = score(model, tokenizer)
    save_reward_model(model, tokenizer, tmp_path/"alone", with_base=False)
    model.save_pretrained(tmp_path/"peft")
    assert not (tmp_path/"alone"/"model.safetensors").exists()
    for folder in ("alone", "peft"):  # the second has no tokenizer: the base's is taken and prepared again
        again, again_tokenizer = load_reward_model(tmp_path/folder)
        assert close(score(again.eval(), again_tokenizer), expected, 1e-5)


def test_a_moved_adapter_folder_still_loads(tmp_path):
    model, tokenizer = load_reward_model(causal_folder("llama", tmp_path/"base"))
    model = trained_lora(model, "llama")
    save_reward_model(model, tokenizer, tmp_path/"adapter")
    (tmp_path/"base").rename(tmp_path/"gone")
    (tmp_path/"adapter").rename(tmp_path/"elsewhere")
    assert close(score(load_reward_model(tmp_path/"elsewhere")[0].eval(), tokenizer), score(model, tokenizer), 1e-5)


def test_adapter_without_base_or_head_is_refused(tmp_path):
    from peft import get_peft_model
    model, tokenizer = prepare_for_reward(make("llama"), make_tokenizer())
    model = trained_lora(model, "llama")
    save_reward_model(model, tokenizer, tmp_path/"memory", with_base=False)
    with pytest.raises(ValueError, match="base_model_name_or_path"): load_reward_model(tmp_path/"memory")
    base, tokenizer = load_reward_model(causal_folder("llama", tmp_path/"base"))
    headless = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"]))
    headless.save_pretrained(tmp_path/"headless")
    with pytest.raises(ValueError, match="rewards would be random"): load_reward_model(tmp_path/"headless")


def test_an_adapter_made_elsewhere_without_the_head_is_warned_about():
    model = PeftModel(make("llama"), LoraConfig(r=2, target_modules=["q_proj"]))
    with pytest.warns(UserWarning, match="leaves out the head 'score'"): load_reward_model(model, make_tokenizer())


def test_lora_mistakes():
    model = add_lora(make("llama"), LoraConfig(r=2, target_modules=["q_proj"]))
    with pytest.raises(ValueError, match="adapter already"): add_lora(model, LoraConfig(r=2))
    with pytest.raises(TypeError, match="a dict, expected a PeftConfig"): add_lora(make("llama"), {"r": 2})
    with pytest.raises(ValueError, match="no adapter"): merge(make("llama"))


def test_further_training_of_a_loaded_adapter(tmp_path):
    model, tokenizer = load_reward_model(causal_folder("llama", tmp_path/"base"))
    save_reward_model(trained_lora(model, "llama"), tokenizer, tmp_path/"one")
    again, tokenizer = load_reward_model(tmp_path/"one", is_trainable=True)
    optimizer = torch.optim.SGD([p for p in again.parameters() if p.requires_grad], lr=0.5)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    rewards(again, batch["input_ids"], batch["attention_mask"]).sum().backward()
    optimizer.step()
    expected = score(again.eval(), tokenizer)
    save_reward_model(again, tokenizer, tmp_path/"two")
    assert close(plain_score(AutoModelForSequenceClassification.from_pretrained(tmp_path/"two"), tokenizer), expected,
                 1e-4)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None,
                    reason="bitsandbytes is installed here: nothing is missing")
@pytest.mark.parametrize("config", [BitsAndBytesConfig(load_in_4bit=True), {"load_in_8bit": True}])
def test_quantised_loading_says_what_is_missing(config, tmp_path):
    causal_folder("llama", tmp_path)
    with pytest.raises(ImportError, match=r"rmkit\[qlora\]"): load_reward_model(tmp_path, quantization_config=config)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None,
                    reason="bitsandbytes is not installed (rmkit[qlora])")
def test_qlora_round_trip(tmp_path):
    "Weights, not rewards: on a CPU, bitsandbytes gives other values after its state dict has been read"
    wide = DECODERS["llama"]()
    wide.hidden_size, wide.head_dim, wide.intermediate_size = 128, 32, 256  # a row holds whole blocks of 64
    AutoModelForCausalLM.from_config(wide).save_pretrained(tmp_path/"base")
    make_tokenizer().save_pretrained(tmp_path/"base")
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model, tokenizer = load_reward_model(tmp_path/"base", quantization_config=config)
    model = trained_lora(model, "llama")
    trained = {n: p.dtype for n, p in model.named_parameters() if p.requires_grad}
    assert {d for n, d in trained.items() if "lora_" in n} == {torch.bfloat16}
    assert {d for n, d in trained.items() if "modules_to_save" in n} == {torch.float32}
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt").to(device_of(model))
    rewards(model.train(), batch["input_ids"], batch["attention_mask"]).sum().backward()
    save_reward_model(model, tokenizer, tmp_path/"adapter")
    again, _ = load_reward_model(tmp_path/"adapter")
    ours, theirs = model.state_dict(), again.state_dict()
    assert set(ours) == set(theirs) and all(torch.equal(ours[k].float(), theirs[k].float()) for k in ours)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path/"adapter")
    assert close(plain_score(plain, tokenizer), score(again.eval(), tokenizer), 1e-4)


def test_a_name_that_is_nowhere_is_asked_for_once(monkeypatch):
    "transformers would try for most of a minute; what is in the cache is read from there"
    from huggingface_hub import HfApi
    from rmkit.model import find_model
    asked = []
    def no_route(self, name, **kwargs):
        asked.append(name)
        raise OSError("no route")
    monkeypatch.setattr(HfApi, "model_info", no_route)
    with pytest.raises(ConnectionError, match="no folder no-such/model, and the Hub can't be reached"):
        load_reward_model("no-such/model")
    assert asked == ["no-such/model"]
    monkeypatch.setattr("rmkit.model.try_to_load_from_cache", lambda path, name, **where: "file" if where
                        == {"revision": "v1"} else None)
    assert find_model("some/model", {"revision": "v1"}) == {"revision": "v1", "local_files_only": True}
    assert find_model("some/model", {"local_files_only": True}) == {"local_files_only": True} and len(asked) == 2
