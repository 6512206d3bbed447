"What is saved scores the same, checked before `save_model` returns; and the call on the model card is the right one"
import logging
import re
import string
from datetime import datetime

import numpy as np
import psutil
import pytest
import torch
from datasets import Dataset
from peft import (IA3Config, LoHaConfig, LoKrConfig, LoraConfig, OFTConfig, PrefixTuningConfig, PromptEncoderConfig,
                  PromptTuningConfig, VeraConfig, get_peft_model)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertForSequenceClassification,
                          BertTokenizer, LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification,
                          PreTrainedTokenizerFast, Qwen2Config, Qwen2ForSequenceClassification, RobertaConfig,
                          RobertaForSequenceClassification)

from rmkit import RewardConfig, RewardModel, RewardTrainer
from rmkit.data import prepare_dataset
from rmkit.tokens import find_pair_markers
from rmkit.head import rewards
from rmkit.model import add_lora, check_saved, fix_date, load_reward_model, prepare_for_reward, save_reward_model
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
SIZES = dict(vocab_size=len(TOKENIZER), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
             num_attention_heads=4, max_position_embeddings=256, initializer_range=0.2, num_labels=1)
IDS = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 0, 0, 0]])
MASK = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
QV = dict(target_modules=["q_proj", "v_proj"])


def close(a, b, atol=1e-4): return np.allclose(np.asarray(a), np.asarray(b), atol=atol, rtol=0)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    "A language model, and a reward model made of it"
    folder = tmp_path_factory.mktemp("bases")
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SIZES)).save_pretrained(folder/"lm"), tiny_tokenizer().save_pretrained(folder/"lm")
    save_reward_model(*load_reward_model(folder/"lm"), folder/"rm")
    return folder


def moved(model):
    "A model whose trainable weights have been trained"
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad: p.add_(torch.randn_like(p) * 0.1)
    return model.eval()


def args(folder, **kwargs):
    usual = dict(report_to="none", disable_tqdm=True, dashboard=False, max_steps=1, per_device_train_batch_size=8,
                 learning_rate=1e-2, logging_steps=1, save_strategy="no",
                 use_cpu=True)  # rewards are compared with those by hand, in float32
    return RewardConfig(folder, **usual | kwargs)


def trainer_of(model, tokenizer, folder, rows=None, peft_config=None, **kwargs):
    dataset = make_pairs(8) if rows is None else Dataset.from_list(rows)
    return RewardTrainer(model, args(folder, **kwargs), train_dataset=dataset, processing_class=tokenizer,
                         peft_config=peft_config)


# --- adapters

ADAPTERS = {
    "LoRA": LoraConfig(r=4, **QV), "PiSSA": LoraConfig(r=4, init_lora_weights="pissa", **QV),
    "PiSSA, drawn": LoraConfig(r=4, init_lora_weights="pissa_niter_4", **QV),
    "OLoRA": LoraConfig(r=4, init_lora_weights="olora", **QV), "DoRA": LoraConfig(r=4, use_dora=True, **QV),
    "trained tokens": LoraConfig(r=4, trainable_token_indices=[5, 6], **QV),
    "embedding": LoraConfig(r=4, target_modules=["embed_tokens", "q_proj"]), "VeRA": VeraConfig(r=4, **QV),
    "LoHa": LoHaConfig(r=4, **QV), "LoKr": LoKrConfig(r=4, **QV), "OFT": OFTConfig(r=0, oft_block_size=4, **QV),
    "IA3": IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
}


@pytest.mark.parametrize("base", ["lm", "rm"])
@pytest.mark.parametrize("kind", ADAPTERS)
def test_adapters_score_the_same_everywhere(kind, base, bases, tmp_path, caplog):
    model, tokenizer = load_reward_model(bases/base)
    model = moved(add_lora(model, ADAPTERS[kind]))
    with torch.no_grad(): expected = rewards(model, IDS, MASK)
    save_reward_model(model, tokenizer, tmp_path)
    with caplog.at_level(logging.WARNING, "rmkit.model"): assert check_saved(model, tokenizer, tmp_path)
    with torch.no_grad():
        assert close(rewards(RewardModel.from_pretrained(tmp_path, device="cpu").model.eval(), IDS, MASK), expected)
        if kind == "VeRA":
            assert "Plain transformers can't load the adapter" in caplog.text
            return
        plain = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
        assert close(plain(IDS, attention_mask=MASK).logits[:, 0], expected)
    assert (tmp_path/"model.safetensors").exists() == (base == "lm" or kind in ("PiSSA", "PiSSA, drawn", "OLoRA"))


@pytest.mark.parametrize("config", [PromptTuningConfig(num_virtual_tokens=8), PrefixTuningConfig(num_virtual_tokens=8),
                                    PromptEncoderConfig(num_virtual_tokens=8)])
def test_virtual_tokens_are_refused(config, bases):
    model, _ = load_reward_model(bases/"rm")
    with pytest.raises(ValueError, match=f"{config.peft_type.value} puts virtual tokens before a text"):
        add_lora(model, config)


@pytest.mark.parametrize("kind", ["LoRA", "PiSSA", "DoRA"])
def test_a_trainers_adapter_is_checked(kind, bases, tmp_path):
    trainer = trainer_of(str(bases/"lm"), None, tmp_path, None, ADAPTERS[kind], save_strategy="steps", save_steps=1)
    trainer.train()
    trainer.save_model()
    expected = RewardModel(trainer.model, trainer.processing_class).score("What?", ["Yes.", "No!"])
    for folder in (tmp_path, tmp_path/"checkpoint-1"):
        assert close(RewardModel.from_pretrained(folder, device="cpu").score("What?", ["Yes.", "No!"]), expected)


@pytest.mark.parametrize("base", ["lm", "rm"])
def test_an_adapter_with_a_name_of_its_own(base, bases, tmp_path):
    "PEFT puts it into a folder below, where nobody looks"
    model, tokenizer = load_reward_model(bases/base)
    config = LoraConfig(r=4, task_type="SEQ_CLS", **QV)
    model = moved(load_reward_model(get_peft_model(model, config, adapter_name="mine"), tokenizer)[0])
    save_reward_model(model, tokenizer, tmp_path)
    assert check_saved(model, tokenizer, tmp_path)
    with torch.no_grad():
        loaded = RewardModel.from_pretrained(tmp_path, device="cpu").model.eval()
        assert close(rewards(loaded, IDS, MASK), rewards(model, IDS, MASK))


def test_a_base_that_was_trained_after_loading(bases, tmp_path):
    "The adapter names a base that is another by now"
    base = AutoModelForSequenceClassification.from_pretrained(bases/"rm")
    model, tokenizer = load_reward_model(base, tiny_tokenizer())
    model = moved(add_lora(moved(model), ADAPTERS["LoRA"]))
    save_reward_model(model, tokenizer, tmp_path/"alone")
    with pytest.raises(ValueError, match=r"reward is -?[\d.]+, and here -?[\d.]+.*with_base=True"):
        check_saved(model, tokenizer, tmp_path/"alone")
    save_reward_model(model, tokenizer, tmp_path/"whole", with_base=True)
    assert check_saved(model, tokenizer, tmp_path/"whole")


# --- the trainer

def test_the_trainer_checks_what_it_saved_and_not_its_checkpoints(tmp_path, monkeypatch):
    import rmkit.trainer
    checked = []
    def note(model, tokenizer, folder, rows, texts, **kwargs): checked.append((folder, rows, texts))
    monkeypatch.setattr(rmkit.trainer, "check_saved", note)
    trainer = trainer_of(tiny_model(), tiny_tokenizer(), tmp_path, save_strategy="steps", save_steps=1)
    trainer.train()
    assert not checked
    trainer.save_model(tmp_path/"final")
    (folder, rows, texts), = checked
    data = list(trainer.train_dataset.take(2))
    assert folder == tmp_path/"final" and rows == [row[k] for row in data for k in ("chosen_ids", "rejected_ids")]
    assert texts[0] == data[0]["prompt"] + data[0]["chosen"] and len(texts) == 4


class Forgetful(LlamaForSequenceClassification):
    "A forward with a number that isn't saved"
    scale = 1.0
    def forward(self, input_ids, attention_mask=None, **kwargs):
        out = super().forward(input_ids, attention_mask=attention_mask, **kwargs)
        out.logits = out.logits * self.scale
        return out


def test_what_differs_is_an_error_with_both_numbers(tmp_path):
    torch.manual_seed(0)
    model = Forgetful(LlamaConfig(**SIZES))
    model.scale = 3.0
    trainer = trainer_of(model, tiny_tokenizer(), tmp_path)
    with pytest.raises(ValueError, match="doesn't score as the model in memory") as error: trainer.save_model()
    theirs, here = map(float, re.findall(r"(?:reward is|here) (-?[\d.]+\d)", str(error.value)))
    assert close(here, 3 * theirs, 1e-2) and (tmp_path/"model.safetensors").is_file()


def test_a_class_of_ones_own_is_loaded_by_itself(tmp_path, caplog):
    torch.manual_seed(0)
    trainer = trainer_of(Forgetful(LlamaConfig(**SIZES)), tiny_tokenizer(), tmp_path)
    with caplog.at_level(logging.WARNING, "rmkit.model"): trainer.save_model()
    assert "load" in caplog.text and "Forgetful.from_pretrained" in caplog.text
    with pytest.warns(UserWarning, match="saved as Forgetful"): RewardModel.from_pretrained(tmp_path, device="cpu")


def test_without_memory_it_says_that_it_was_not_compared(tmp_path, monkeypatch, caplog):
    model, tokenizer = prepare_for_reward(tiny_model(), tiny_tokenizer())
    save_reward_model(model, tokenizer, tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000}))
    with caplog.at_level(logging.WARNING, "rmkit.model"): assert check_saved(model, tokenizer, tmp_path) is False
    assert "no memory for a second model" in caplog.text


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_passes(dtype, tmp_path):
    model, tokenizer = prepare_for_reward(tiny_model().to(dtype), tiny_tokenizer())
    save_reward_model(model, tokenizer, tmp_path)
    assert check_saved(model, tokenizer, tmp_path, [[5, 6, 7], [8, 9]])


# --- tokenizers

PAD = dict(pad_token="<pad>", unk_token="<unk>")


def words(template=None, bos=True):
    "A tokenizer of characters, that adds a BOS or doesn't"
    vocabulary = ["<pad>", "<s>", "</s>", "<unk>", *string.printable]
    t = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if bos: t.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A $B", [("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", **PAD)
    tokenizer.chat_template = template
    return tokenizer


def decoder(tokenizer):
    torch.manual_seed(0)
    return LlamaForSequenceClassification(LlamaConfig(**SIZES | dict(vocab_size=len(tokenizer))))


PLAIN_CHAT = "{% for m in messages %}{{ m.role[0] }}: {{ m.content }}\n{% endfor %}"
CHAT_ROWS = [dict(prompt=[dict(role="user", content=f"What is {i}?")], rejected=[dict(role="assistant", content="no")],
                  chosen=[dict(role="assistant", content=f"It is {i}.")]) for i in range(8)]


def test_a_tokenizer_that_auto_replaces_is_an_error(tmp_path):
    "For Qwen2, AutoTokenizer knows better what the tokenizer is"
    tokenizer = words()
    torch.manual_seed(0)
    model = Qwen2ForSequenceClassification(Qwen2Config(**SIZES | dict(vocab_size=len(tokenizer))))
    trainer = trainer_of(model, tokenizer, tmp_path, PAIRS)
    with pytest.raises(ValueError, match=r"loads a Qwen2Tokenizer .* trained with a TokenizersBackend.*becomes \["):
        trainer.save_model()


@pytest.mark.parametrize("template", ["Today is {{ strftime_now('%d %b %Y') }}. " + PLAIN_CHAT,
    '{% if not date_string is defined %}{% if strftime_now is defined %}'
    '{% set date_string = strftime_now("%d %b %Y") %}{% else %}'
    '{% set date_string = "26 Jul 2024" %}{% endif %}{% endif %}Today is {{ date_string }}. ' + PLAIN_CHAT])
def test_the_date_of_training_is_saved(template, tmp_path, caplog):
    tokenizer = words(template)
    trainer = trainer_of(decoder(tokenizer), tokenizer, tmp_path, CHAT_ROWS)
    trainer._read_on = datetime(2024, 2, 3)
    with caplog.at_level(logging.WARNING, "rmkit.model"): trainer.save_model()
    assert "it is 03 Feb 2024 for good" in caplog.text
    text = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(CHAT_ROWS[0]["prompt"], tokenize=False)
    assert text == "Today is 03 Feb 2024. u: What is 0?\n" and tokenizer.chat_template == template


def test_a_template_without_a_date_is_left_alone():
    tokenizer = words(PLAIN_CHAT)
    assert fix_date(tokenizer) is tokenizer and fix_date(words()).chat_template is None


def test_a_date_that_cannot_be_fixed_is_told(tmp_path, caplog):
    tokenizer = words("{% set day = '%d %b' %}{{ strftime_now(day) }} " + PLAIN_CHAT)
    with caplog.at_level(logging.WARNING, "rmkit.model"): save_reward_model(decoder(tokenizer), tokenizer, tmp_path)
    assert "still writes today's date" in caplog.text


def test_a_tokenizer_that_auto_cannot_load_is_an_error(tmp_path):
    model, tokenizer = prepare_for_reward(decoder(words()), words())
    save_reward_model(model, tokenizer, tmp_path)
    (tmp_path/"tokenizer.json").unlink()
    with pytest.raises(ValueError, match="AutoTokenizer can't load the TokenizersBackend that is saved in"):
        check_saved(model, tokenizer, tmp_path)


def test_padded_columns_of_ones_own_are_compared_without_padding(tmp_path):
    "Plain transformers would read before the padding, and rmkit behind it"
    rows = [{f"{name}_{side}": value for side in ("chosen", "rejected") for name, value in
             (("input_ids", [5, 6, 7 + (side == "chosen"), 0, 0]), ("attention_mask", [1, 1, 1, 0, 0]))}] * 8
    dataset, collate = Dataset.from_list(rows), lambda rows: rows
    trainer = RewardTrainer(tiny_model(), args(tmp_path), collate, dataset, None, tiny_tokenizer())
    assert trainer._texts_to_compare()[0][:2] == [[5, 6, 8], [5, 6, 7]]
    trainer.save_model()


def test_a_card_for_a_template_that_wants_another_conversation(tmp_path):
    template = "{% if messages[0].role != 'system' %}{{ raise_exception('system first') }}{% endif %}" + PLAIN_CHAT
    rows = [row | dict(prompt=[dict(role="system", content="Be brief."), *row["prompt"]]) for row in CHAT_ROWS]
    trainer = trainer_of(decoder(words()), words(template), tmp_path, rows)
    trainer.save_model(), trainer.create_model_card()
    assert "as RewardModel puts it together" in (tmp_path/"README.md").read_text()


def test_a_template_that_draws_lots_is_an_error(tmp_path):
    tokenizer = words("{{ range(99999) | random }} " + PLAIN_CHAT)
    model, tokenizer = prepare_for_reward(decoder(tokenizer), tokenizer)
    save_reward_model(model, tokenizer, tmp_path)
    with pytest.raises(ValueError, match="doesn't write the same text twice"): check_saved(model, tokenizer, tmp_path)


def test_tokens_added_while_running_are_saved(tmp_path):
    tokenizer = words()
    tokenizer.add_tokens(["<think>"])
    model, tokenizer = prepare_for_reward(decoder(tokenizer), tokenizer)
    save_reward_model(model, tokenizer, tmp_path)
    assert check_saved(model, tokenizer, tmp_path, [tokenizer("a<think>b")["input_ids"]], ["a<think>b"])


# --- text pairs

def encoder_tokenizer():
    letters = string.ascii_lowercase + string.digits + string.punctuation
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    return BertTokenizer(vocab={w: i for i, w in enumerate(vocab)})


def roberta_tokenizer():
    t, special = words(bos=False).backend_tokenizer, [("<s>", 1), ("</s>", 2)]
    t.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", special)
    return PreTrainedTokenizerFast(tokenizer_object=t, cls_token="<s>", sep_token="</s>", **PAD)


def encoder(tokenizer, cls=BertForSequenceClassification, config=BertConfig):
    torch.manual_seed(0)
    return cls(config(**SIZES | dict(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)))


PAIRS = [dict(prompt=f"what is {i}?", chosen=f"it is {i}.", rejected="no" * (i + 1)) for i in range(4)]


def by_hand(model, tokenizer, pairs):
    model.eval()
    with torch.no_grad():
        return torch.stack([model(**tokenizer(*pair, return_tensors="pt")).logits[0, 0] for pair in pairs])


@pytest.mark.parametrize("make,cls,config", [(encoder_tokenizer, BertForSequenceClassification, BertConfig),
                                             (roberta_tokenizer, RobertaForSequenceClassification, RobertaConfig)])
def test_text_pairs_train_score_and_save_the_same(make, cls, config, tmp_path):
    tokenizer = make()
    trainer = trainer_of(encoder(tokenizer, cls, config), tokenizer, tmp_path, PAIRS, text_pair=True)
    assert trainer.train_dataset[0]["chosen_ids"] == tokenizer("what is 0?", "it is 0.")["input_ids"]
    chosen, rejected = ([(row["prompt"], row[k]) for row in PAIRS] for k in ("chosen", "rejected"))
    expected = torch.stack([by_hand(trainer.model, tokenizer, pairs) for pairs in (chosen, rejected)], 1)
    assert close(trainer.predict(Dataset.from_list(PAIRS)).predictions, expected)
    loss = -torch.nn.functional.logsigmoid(expected[:, 0] - expected[:, 1]).mean()
    assert close(trainer.train().training_loss, loss)
    trainer.save_model()
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    plain = by_hand(plain, AutoTokenizer.from_pretrained(tmp_path), chosen)
    loaded = RewardModel.from_pretrained(tmp_path, device="cpu")
    assert close(loaded.score(*zip(*chosen)), plain) and close(loaded.score_pairs(PAIRS)["reward_chosen"], plain)
    messages = [[[dict(role=role, content=text)] for role, text in zip(("user", "assistant"), pair)] for pair in chosen]
    assert close(loaded.score(*map(list, zip(*messages))), plain)
    again = trainer_of(str(tmp_path), None, tmp_path/"again", PAIRS) # as it was trained before
    assert again.train_dataset[0]["chosen_ids"] == tokenizer("what is 0?", "it is 0.")["input_ids"]


def test_an_adapter_keeps_that_it_was_trained_on_text_pairs(tmp_path):
    "Its base doesn't say so, and stays where it is"
    tokenizer = encoder_tokenizer()
    save_reward_model(*prepare_for_reward(encoder(tokenizer), tokenizer), tmp_path/"base")
    adapter = LoraConfig(r=2, target_modules=["query"], init_lora_weights=False)
    trainer = trainer_of(str(tmp_path/"base"), None, tmp_path/"adapter", PAIRS, adapter, text_pair=True)
    trainer.save_model()
    assert not (tmp_path/"adapter"/"model.safetensors").exists()
    expected = by_hand(trainer.model, tokenizer, [("what is 2?", "it is 2.")])
    loaded = RewardModel.from_pretrained(tmp_path/"adapter", device="cpu")
    assert close(loaded.score("what is 2?", ["it is 2."]), expected)


def test_the_question_is_cut_and_not_the_answer():
    rows = Dataset.from_list([dict(prompt="abcdefgh", chosen="xyz", rejected="zyx")])
    tokenizer = encoder_tokenizer()
    prepared, report = prepare_dataset(rows, tokenizer, max_length=10, text_pair=True)
    assert tokenizer.decode(prepared[0]["chosen_ids"]).replace(" ", "") == "[CLS]efgh[SEP]xyz[SEP]"
    assert report.truncated == 1


def test_a_model_of_others_trained_on_text_pairs(tmp_path):
    tokenizer = encoder_tokenizer()
    model = encoder(tokenizer)
    model.save_pretrained(tmp_path), tokenizer.save_pretrained(tmp_path)
    loaded = RewardModel.from_pretrained(tmp_path, device="cpu", text_pair=True)
    expected = by_hand(model, tokenizer, [("what is 2?", "it is 2."), ("what is 2?", "no")])
    assert close(loaded.score("what is 2?", ["it is 2.", "no"]), expected)


def test_a_tokenizer_without_a_separator_is_refused(tmp_path):
    with pytest.raises(ValueError, match="doesn't put a separator between a question and an answer"):
        find_pair_markers(words())


# --- the call on the model card

CARDS = {
    "adds BOS, chat": (lambda: words(PLAIN_CHAT), CHAT_ROWS),
    "adds BOS, template writes it too": (lambda: words("<s>" + PLAIN_CHAT), CHAT_ROWS),
    "adds none, template writes one": (lambda: words("<s>" + PLAIN_CHAT, bos=False), CHAT_ROWS),
    "no BOS at all": (lambda: words(PLAIN_CHAT + "</s>", bos=False), CHAT_ROWS),
    "adds BOS, text": (words, PAIRS),
    "text, though it has a template": (lambda: words(PLAIN_CHAT), PAIRS),
    "rmkit's own": (tiny_tokenizer, CHAT_ROWS),
    "encoder": (encoder_tokenizer, PAIRS),
    "text pairs": (encoder_tokenizer, PAIRS),
}


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("kind", CARDS)
def test_the_call_on_the_card_gives_the_reward(kind, lora, tmp_path):
    make, rows = CARDS[kind]
    tokenizer = make()
    if lora and make is encoder_tokenizer: pytest.skip("the same as without")
    model = encoder(tokenizer) if make is encoder_tokenizer else decoder(tokenizer)
    adapter = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False) if lora else None
    trainer = trainer_of(model, tokenizer, tmp_path, rows, adapter, text_pair=kind == "text pairs")
    trainer.save_model(), trainer.create_model_card()
    code = re.search(r"```python\n(from transformers.*?)```", (tmp_path/"README.md").read_text(), re.S)[1]
    *lines, last = code.strip().splitlines()
    found = {}
    exec("\n".join(lines) + "\nfound['score'] = " + last, {"found": found})
    prompt = "What is 2 + 2? " if rows is PAIRS and kind != "text pairs" else "What is 2 + 2?"
    expected = RewardModel(trainer.model, trainer.processing_class).score(prompt, "4")
    assert close(found["score"], expected)
