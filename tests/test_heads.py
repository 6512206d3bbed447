"Heads: whose rewards would be random is refused, and the heads that other libraries write are read as they mean them"
import json
import logging
import warnings

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from transformers import (AutoModelForSequenceClassification, BertConfig, BertForMaskedLM, BertForQuestionAnswering,
                          BertForTokenClassification, BertModel, ElectraConfig, ElectraForPreTraining, LlamaConfig,
                          LlamaForCausalLM, LlamaForSequenceClassification, LlamaForTokenClassification, LlamaModel,
                          OPTConfig, OPTForCausalLM, RobertaConfig, RobertaForMaskedLM,
                          RobertaForSequenceClassification)

from rmkit import RewardModel
from rmkit.head import rewards
from rmkit.model import add_lora, load_reward_model, save_reward_model
from rmkit.synthetic import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
SIZES = dict(vocab_size=len(TOKENIZER), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
             num_attention_heads=2, max_position_embeddings=64, initializer_range=0.2,
             pad_token_id=TOKENIZER.pad_token_id)
IDS = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 0, 0, 0]])
MASK = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
LLAMA = LlamaConfig(**SIZES)
ROW, BIAS = torch.randn(1, 16, generator=torch.Generator().manual_seed(1)), torch.tensor([0.7])
SUMMARY = {"v_head.summary.weight": ROW, "v_head.summary.bias": BIAS}


def causal(config=LLAMA, cls=LlamaForCausalLM):
    torch.manual_seed(0)
    return cls(config).eval()


def write(folder, state, config=LLAMA, name="model.safetensors", **more):
    "A folder of weights under any names, and a config with `more`"
    folder.mkdir(exist_ok=True)
    config.save_pretrained(folder), TOKENIZER.save_pretrained(folder)
    state = {key: x.clone() for key, x in state.items()}
    save_file(state, folder/name, {"format": "pt"}) if name.endswith("safetensors") else torch.save(state, folder/name)
    settings = json.loads((folder/"config.json").read_text()) | more
    (folder/"config.json").write_text(json.dumps(settings))
    return folder


def by_hand(lm=None, row=ROW, bias=0.0):
    "The head's formula at the last real token"
    with torch.no_grad(): hidden = (lm or causal()).base_model(IDS, attention_mask=MASK).last_hidden_state
    return (hidden[torch.arange(2), MASK.sum(1) - 1] @ row[0]) + bias


def scored(folder, **kwargs):
    model = RewardModel.from_pretrained(folder, device="cpu", **kwargs).model.eval()
    with torch.no_grad(): return rewards(model, IDS, MASK)


def close(a, b, atol=1e-5): return torch.allclose(a, b, atol=atol, rtol=0)


def state(prefix="", lm=None, backbone=None):
    "Weights of a language model behind a prefix, `model.` exchanged for another name of the backbone"
    weights = (lm or causal()).state_dict()
    if backbone: weights = {key.replace("model.", backbone, 1): x for key, x in weights.items() if "lm_head" not in key}
    return {prefix + key: x for key, x in weights.items()}


# --- the heads that others write

WRITERS = {
    "OpenRLHF": (lambda: state() | {"value_head.weight": ROW}, 0),
    "OpenRLHF, score": (lambda: {k: x for k, x in state().items() if "lm_head" not in k} | {"score.weight": ROW}, 0),
    "TRL's value head": (lambda: state() | SUMMARY, 0.7),
    "TRL's value head, as a state dict": (lambda: state("pretrained_model.") | SUMMARY, 0.7),
    "DeepSpeed-Chat": (lambda: state(backbone="rwtransformer.") | {"v_head.weight": ROW}, 0),
    "UltraRM": (lambda: state() | {"regression_head.weight": ROW}, 0),
    "Starling": (lambda: state(backbone="transformer.") | {"v_head.weight": ROW}, 0),
    "regression_head": (lambda: state() | {"regression_head.weight": ROW}, 0),
    "DDP": (lambda: state("module.") | {"module.score.weight": ROW}, 0),
    "compiled": (lambda: state("_orig_mod.") | {"_orig_mod.score.weight": ROW}, 0),
    "merged by hand from PEFT": (lambda: state("base_model.model.") | {"base_model.model.score.weight": ROW}, 0),
    "head inside the backbone": (lambda: state() | {"model.score.weight": ROW}, 0),
    "token classifier of one output": (lambda: state() | {"score.weight": ROW, "score.bias": BIAS}, 0.7),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_head_under_any_name_scores_as_it_was_meant(writer, name, tmp_path):
    make, bias = WRITERS[writer]
    folder = write(tmp_path/"rm", make(), name=name)
    assert close(scored(folder), by_hand(bias=bias))


@pytest.mark.parametrize("more", [dict(architectures=["LlamaForCausalLM"]), dict(architectures=None),
                                  dict(num_labels=2), dict(auto_map={"AutoModel": "modeling.RewardModel"}),
                                  dict(id2label={"0": "bad", "1": "good"}, label2id={"bad": 0, "good": 1})])
def test_a_head_of_one_output_is_kept_whatever_the_config_says(more, tmp_path):
    folder = write(tmp_path/"rm", state() | {"score.weight": ROW}, **more)
    assert close(scored(folder), by_hand())
    model, _ = load_reward_model(folder)
    assert torch.equal(model.score.weight, ROW) and model.config.num_labels == 1


@pytest.mark.parametrize("name", ["value_head.safetensors", "value_head.bin"])
def test_a_head_in_a_file_of_its_own(name, tmp_path):
    "As LLaMA-Factory saves it"
    folder = write(tmp_path/"rm", state())
    write(folder, {"v_head.summary.weight": ROW, "v_head.summary.bias": BIAS}, name=name)
    assert close(scored(folder), by_hand(bias=0.7))


def test_a_head_in_shards_and_in_bfloat16(tmp_path):
    model = LlamaForSequenceClassification(LlamaConfig(**SIZES, num_labels=1))
    model.save_pretrained(tmp_path/"plain")
    weights = load_file(tmp_path/"plain"/"model.safetensors")
    weights["value_head.weight"] = weights.pop("score.weight").bfloat16()
    write(tmp_path/"rm", weights)
    (tmp_path/"rm"/"model.safetensors").unlink()
    names, half = sorted(weights), len(weights) // 2
    shards = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
    for shard, keys in shards.items(): save_file({k: weights[k] for k in keys}, tmp_path/"rm"/shard, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {k: shard for shard, keys in shards.items() for k in keys}}
    (tmp_path/"rm"/"model.safetensors.index.json").write_text(json.dumps(index))
    assert close(scored(tmp_path/"rm"), by_hand(model.eval(), weights["value_head.weight"].float()))


def test_another_architecture_another_prefix(tmp_path):
    "DeepSpeed-Chat's first models were OPTs"
    config = OPTConfig(vocab_size=SIZES["vocab_size"], hidden_size=16, ffn_dim=24, num_hidden_layers=2,
                       num_attention_heads=2, word_embed_proj_dim=16, max_position_embeddings=64, init_std=0.2,
                       pad_token_id=TOKENIZER.pad_token_id)
    lm = causal(config, OPTForCausalLM)
    weights = state(lm=lm, backbone="rwtransformer.") | {"v_head.weight": ROW}
    assert close(scored(write(tmp_path/"rm", weights, config)), by_hand(lm))


def test_normalised_rewards_are_those_of_evaluation(tmp_path):
    folder = write(tmp_path/"rm", state() | {"value_head.weight": ROW}, normalize_reward=True, mean=0.5, std=2.0)
    assert close(scored(folder), (by_hand() - 0.5) / 2)
    model, _ = load_reward_model(folder) # to train on, the raw rewards
    assert torch.equal(model.score.weight, ROW) and model.score.bias is None and not model.config.normalize_reward


def test_training_goes_on_from_another_librarys_head(tmp_path, caplog):
    folder = write(tmp_path/"rm", state() | {"v_head.summary.weight": ROW, "v_head.summary.bias": BIAS})
    with caplog.at_level(logging.INFO, "rmkit.model"): model, tokenizer = load_reward_model(folder, seed=3)
    assert torch.equal(model.score.weight, ROW) and model.score.bias is None and "bias (0.7) is left out" in caplog.text
    save_reward_model(model, tokenizer, tmp_path/"saved")
    assert close(scored(tmp_path/"saved"), by_hand())


def test_what_a_prefix_was_taken_off_saves_without_it(tmp_path):
    folder = write(tmp_path/"rm", WRITERS["DeepSpeed-Chat"][0]())
    save_reward_model(*load_reward_model(folder), tmp_path/"saved")
    assert "model.norm.weight" in load_file(tmp_path/"saved"/"model.safetensors")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path/"saved").eval()
    with torch.no_grad(): assert close(plain(IDS, attention_mask=MASK).logits[:, 0], by_hand())


# --- what has none

def bert(cls, **kwargs):
    torch.manual_seed(0)
    return cls(BertConfig(**SIZES, **kwargs))


def roberta_without(name):
    model = RobertaForSequenceClassification(RobertaConfig(**SIZES, num_labels=1))
    return {k: x for k, x in model.state_dict().items() if name not in k}, model.config


HEADLESS = {
    "language model": lambda f: causal().save_pretrained(f),
    "backbone": lambda f: LlamaModel(LLAMA).save_pretrained(f),
    "encoder's backbone": lambda f: bert(BertModel).save_pretrained(f),
    "encoder without pooler": lambda f: bert(BertForTokenClassification, num_labels=1).save_pretrained(f),
    "token classifier": lambda f: LlamaForTokenClassification(LlamaConfig(**SIZES, num_labels=2)).save_pretrained(f),
    "question answering": lambda f: bert(BertForQuestionAnswering).save_pretrained(f),
    "masked language model": lambda f: bert(BertForMaskedLM).save_pretrained(f),
    "half a head": lambda f: write(f, *roberta_without("classifier.dense")),
    "the other half": lambda f: write(f, *roberta_without("classifier.out_proj")),
    "no architecture": lambda f: write(f, state(), architectures=None),
    "an MLP": lambda f: write(f, state() | {"v_head.0.weight": torch.randn(16, 16), "v_head.2.weight": ROW}),
    "two rows": lambda f: write(f, state() | {"v_head.weight": ROW, "q_head.weight": ROW}),
    "a second head": lambda f: write(f, state() | {"score.weight": ROW, "cost_head.weight": ROW}),
    "another width": lambda f: write(f, state() | {"v_head.weight": torch.randn(1, 8)}),
    "a layer is missing": lambda f: write(
        f, {k: x for k, x in state().items() if "layers.1.mlp" not in k} | {"score.weight": ROW}),
}


@pytest.mark.parametrize("kind", HEADLESS)
def test_random_rewards_are_refused(kind, tmp_path):
    HEADLESS[kind](tmp_path), TOKENIZER.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="had to be made anew|had to be|second head"): scored(tmp_path)
        assert load_reward_model(tmp_path)[0].config.num_labels == 1 # a place to start training from


@pytest.mark.parametrize("kind,named", [
    ("an MLP", "v_head.0.weight, v_head.2.weight"), ("two rows", "q_head.weight, v_head.weight"),
    ("question answering", "qa_outputs"), ("half a head", "classifier.dense.bias"), ("token classifier", "2 outputs"),
    ("encoder's backbone", r"a model \(BertModel\)"), ("a second head", "cost_head.weight"),
    ("no architecture", "no architecture is named")])
def test_the_error_names_what_it_found(kind, named, tmp_path):
    HEADLESS[kind](tmp_path), TOKENIZER.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=named): scored(tmp_path)


@pytest.mark.parametrize("cls", [LlamaModel, LlamaForTokenClassification, BertForTokenClassification, BertModel])
def test_a_loaded_model_that_is_no_classifier_is_refused(cls):
    config = (LLAMA if "Llama" in cls.__name__ else BertConfig(**SIZES)).__class__(**SIZES, num_labels=1)
    error = f"{cls.__name__} is no sequence classifier: .* loaded as \\w+ForSequenceClassification"
    with pytest.raises(ValueError, match=error): load_reward_model(cls(config), TOKENIZER)


def test_weights_that_do_not_fit_the_config_are_named(tmp_path):
    write(tmp_path, state() | {"score.weight": ROW}, vocab_size=SIZES["vocab_size"] + 3)
    with pytest.raises(ValueError, match="don't fit its config: model.embed_tokens.weight is"):
        load_reward_model(tmp_path)


def test_training_says_which_head_it_leaves_out(tmp_path):
    HEADLESS["an MLP"](tmp_path)
    with pytest.warns(UserWarning, match=r"aren't used: v_head.0.weight, v_head.2.weight"): load_reward_model(tmp_path)


@pytest.mark.parametrize("cls,config", [(RobertaForMaskedLM, RobertaConfig), (BertForMaskedLM, BertConfig),
                                        (ElectraForPreTraining, ElectraConfig)])
def test_the_head_of_another_task_is_no_head(cls, config, tmp_path):
    "Its layers have the names of a classifier's: `dense`, and stand elsewhere"
    torch.manual_seed(0)
    lm = cls(config(**SIZES))
    lm.save_pretrained(tmp_path), TOKENIZER.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model, _ = load_reward_model(tmp_path)
    theirs = [x for name, x in lm.named_parameters() if "dense.weight" in name and "encoder" not in name]
    new = [x for name, x in model.named_parameters() if "dense.weight" in name and "encoder" not in name]
    assert theirs and new and not any(torch.equal(a, b) for a in theirs for b in new)
    with pytest.raises(ValueError, match="had to be made anew"): scored(tmp_path)


def test_an_encoders_head_behind_a_prefix(tmp_path):
    weights, config = roberta_without("nothing")
    folder = write(tmp_path/"rm", {"module." + k: x for k, x in weights.items()}, config)
    plain = write(tmp_path/"plain", weights, config)
    assert close(scored(folder), scored(plain))


def test_a_multiple_choice_head_is_a_reward_head(tmp_path):
    "The same computation: a pooled text, one output"
    from transformers import BertForMultipleChoice
    model = bert(BertForMultipleChoice).eval()
    model.save_pretrained(tmp_path), TOKENIZER.save_pretrained(tmp_path)
    with torch.no_grad(): expected = torch.cat([model(ids[None, None, :n]).logits[0] for ids, n in zip(IDS, (6, 3))])
    assert close(scored(tmp_path), expected)


# --- adapters

@pytest.fixture
def adapter(tmp_path):
    "A trained adapter on a language model, and its rewards"
    causal().save_pretrained(tmp_path/"base"), TOKENIZER.save_pretrained(tmp_path/"base")
    model, tokenizer = load_reward_model(tmp_path/"base")
    model = add_lora(model, LoraConfig(r=2, target_modules=["q_proj"]))
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad: p.add_(torch.randn_like(p))
        expected = rewards(model.eval(), IDS, MASK)
    save_reward_model(model, tokenizer, tmp_path/"adapter", with_base=False)
    return tmp_path/"adapter", expected


def rename(folder, change):
    file = folder/"adapter_model.safetensors"
    save_file(change(load_file(file)), file, {"format": "pt"})


HEAD = "base_model.model.score.weight"


@pytest.mark.parametrize("name", [HEAD, "base_model.model.score.modules_to_save.default.weight",
                                  "base_model.model.score.modules_to_save.weight", "base_model.model.v_head.weight",
                                  "base_model.model.value_head.weight"])
def test_an_adapters_head_under_any_name(adapter, name):
    folder, expected = adapter
    original = {"base_model.model.score.original_module.weight": ROW}
    rename(folder, lambda weights: {name if k == HEAD else k: x for k, x in weights.items()} | original)
    assert close(scored(folder), expected)


@pytest.mark.parametrize("name", ["value_head.safetensors", "value_head.bin", "pytorch_model.bin"])
def test_a_head_in_a_file_beside_the_adapter(adapter, name):
    "As LLaMA-Factory and TRL's value head save it; the adapter is one on a language model"
    folder, expected = adapter
    row = load_file(folder/"adapter_model.safetensors")[HEAD]
    rename(folder, lambda weights: {k: x for k, x in weights.items() if k != HEAD})
    file = folder/"adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"modules_to_save": None, "task_type": "CAUSAL_LM"}))
    head = {"v_head.summary.weight": row, "v_head.summary.bias": BIAS}
    save_file(head, folder/name) if name.endswith("safetensors") else torch.save(head, folder/name)
    assert close(scored(folder), expected + 0.7)


def test_an_adapter_that_lost_its_head_is_refused(adapter):
    folder, _ = adapter
    rename(folder, lambda weights: {k: x for k, x in weights.items() if k != HEAD})
    with pytest.raises(ValueError, match="neither the adapter .* nor its base .* holds a head"): scored(folder)


def test_an_adapter_away_from_its_base(adapter, tmp_path):
    folder, _ = adapter
    causal(LlamaConfig(**SIZES | dict(hidden_size=32))).save_pretrained(tmp_path/"base")
    with pytest.raises(ValueError, match="doesn't fit its base"): scored(folder)
    (tmp_path/"base").rename(tmp_path/"gone")
    with pytest.raises(OSError, match="needs its base .*base"): scored(folder)
