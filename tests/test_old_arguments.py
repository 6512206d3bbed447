"What older code hands in (loading arguments, names, datasets, collators, adapters, optimizers), and gets back"
import copy
import importlib
import logging

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoTokenizer, BitsAndBytesConfig

import rmkit
from rmkit import (DataCollatorForPreference, PrefixSharingCollator, RewardConfig, RewardDataCollatorWithPadding,
                   RewardTrainer)
from rmkit.data import ID_COLUMNS, prepare_dataset
from rmkit.words import BadRowError
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer


def config(path, **kw):
    kw = dict(max_steps=2, per_device_train_batch_size=4, per_device_eval_batch_size=4, logging_steps=1,
              learning_rate=1e-2, save_strategy="no",
              report_to="none", disable_tqdm=True, use_cpu=True, seed=1) | kw
    return RewardConfig(str(path), **kw)


def trainer_of(path, rows, model=None, tokenizer=None, config_args=None, **kw):
    return RewardTrainer(model or tiny_model(seed=0), config(path, **config_args or {}), train_dataset=rows,
                         processing_class=tokenizer or tiny_tokenizer(), **kw)


def weights(model): return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture(scope="module")
def rows(): return make_pairs(24, seed=0)


@pytest.fixture
def folder(tmp_path):
    tiny_model(seed=0).save_pretrained(tmp_path/"model"), tiny_tokenizer().save_pretrained(tmp_path/"model")
    return tmp_path/"model"


# Loading

LOADING = [dict(trust_remote_code=True), dict(trust_remote_code=False, num_labels=1), dict(seed=7),
           dict(use_cache=False), dict(dtype="bfloat16"), dict(torch_dtype=torch.bfloat16), dict(dtype="auto"),
           dict(device_map={"": "cpu"}), dict(attn_implementation="eager"),
           dict(revision="main", local_files_only=True), dict(is_trainable=True),
           dict(low_cpu_mem_usage=True), dict(quantization_config=None)]


@pytest.mark.parametrize("kwargs", LOADING, ids=str)
def test_model_init_kwargs(tmp_path, folder, rows, kwargs):
    "Each reaches the model; none is given twice"
    trainer = trainer_of(tmp_path, rows, str(folder),
                         config_args=dict(model_init_kwargs=kwargs, trust_remote_code=True, bf16=False))
    trainer.train()
    assert trainer.model.dtype == (torch.bfloat16 if "bfloat16" in str(kwargs) else torch.float32)
    assert trainer.model.config.num_labels == 1


def test_a_tokenizer_and_a_path_among_them(tmp_path, folder, rows):
    tokenizer = tiny_tokenizer()
    trainer = RewardTrainer(folder, config(tmp_path, model_init_kwargs=dict(tokenizer=tokenizer, dtype="bfloat16")),
                            train_dataset=rows)
    assert trainer.processing_class is tokenizer and trainer.model.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="once"):
        trainer_of(tmp_path, rows, folder, config_args=dict(model_init_kwargs=dict(tokenizer=tokenizer)))


def test_two_labels_among_them(tmp_path, folder, rows):
    with pytest.raises(ValueError, match="reward models require `num_labels=1`"):
        trainer_of(tmp_path, rows, str(folder), config_args=dict(model_init_kwargs=dict(num_labels=2)))


def test_quantisation_twice(tmp_path, rows):
    from rmkit.trainer import loading_arguments
    def args(config):
        return RewardConfig(str(tmp_path), use_cpu=True, model_init_kwargs=dict(quantization_config=config))
    four, eight = BitsAndBytesConfig(load_in_4bit=True), BitsAndBytesConfig(load_in_8bit=True)
    assert loading_arguments(args(four), BitsAndBytesConfig(load_in_4bit=True))["quantization_config"].load_in_4bit
    with pytest.raises(ValueError, match="twice"): loading_arguments(args(eight), four)


def test_the_tokenizer_by_its_older_name(tmp_path, rows):
    tokenizer = tiny_tokenizer()
    trainer = trainer_of(tmp_path, rows, tokenizer=tokenizer)
    assert trainer.tokenizer is tokenizer is trainer.processing_class
    trainer.tokenizer = other = tiny_tokenizer()
    assert trainer.processing_class is other
    trainer.train()
    trainer.save_model()
    assert len(AutoTokenizer.from_pretrained(tmp_path)) == len(other)


# Names

@pytest.mark.parametrize("name", ["RewardConfig", "RewardTrainer", "RewardDataCollatorWithPadding",
                                  "DataCollatorForPreference", "compute_accuracy", "disable_dropout_in_model"])
def test_names_that_stand_here(name):
    module = {}
    exec(f"from rmkit import {name}", module)
    assert callable(module[name]) and hasattr(rmkit, name)


GONE = dict(
    ModelConfig="from trl import ModelConfig", get_peft_config="peft_config=LoraConfig", set_seed="transformers",
    get_kbit_device_map="RewardTrainer", TrlParser="from trl import TrlParser", maybe_apply_chat_template="itself",
    setup_chat_format="chat_template_path",
    print_rich_table="visualize_samples", decode_and_strip_padding="batch_decode", is_conversational="detect_format",
    _tokenize="prepare_dataset", DPOTrainer="from trl import DPOTrainer",
    AutoModelForCausalLMWithValueHead="reward models", RewardTrainr="RewardTrainer")


@pytest.mark.parametrize("name, says", GONE.items())
def test_names_that_do_not(name, says):
    "The message is the same for `import rmkit` and for `from rmkit import`, which takes an AttributeError for its own"
    with pytest.raises(ImportError, match=says): exec(f"from rmkit import {name}")
    with pytest.raises(AttributeError, match=says): getattr(rmkit, name)
    assert not hasattr(rmkit, name)


def test_modules_are_still_imported_by_name():
    for name in ("data", "cli", "trainer"): exec(f"from rmkit import {name}")
    with pytest.raises(ImportError): importlib.import_module("rmkit.nowhere")


@pytest.mark.parametrize("name", [name for name, home in rmkit._elsewhere.items() if " " not in home])
def test_where_names_went(name): assert callable(getattr(rmkit, name))


# Datasets

NOT_ONE = [(lambda rows: DatasetDict(train=rows, test=rows), "'train', 'test'"),
           (lambda rows: dict(train=rows), "'train'"), (lambda rows: rows.to_list(), "from_list"),
           (lambda rows: rows.to_pandas(), "from_pandas"), (lambda rows: "trl-lib/tldr-preference", "load_rows"),
           (lambda rows: iter(rows), "from_list")]


@pytest.mark.parametrize("data, says", NOT_ONE, ids=["splits", "dict", "list", "table", "name", "iterator"])
def test_what_is_not_a_dataset(tmp_path, rows, data, says):
    with pytest.raises(TypeError, match=f"train dataset is a .*{says}"): trainer_of(tmp_path, data(rows))


def test_a_dataset_dict_is_fine_for_evaluation(tmp_path, rows):
    metrics = trainer_of(tmp_path, rows, eval_dataset=DatasetDict(a=rows, b=rows)).evaluate(num_print_samples=0)
    assert metrics["eval_a_accuracy"] == metrics["eval_b_accuracy"]


class Texts(torch.utils.data.Dataset):
    "A dataset of PyTorch's, whose rows only its collator knows"
    def __init__(self, rows):
        self.rows = [(row["chosen_ids"], row["rejected_ids"]) for row in prepare_dataset(rows, tiny_tokenizer())[0]]
    def __len__(self): return len(self.rows)
    def __getitem__(self, i): return self.rows[i]


def test_a_dataset_of_pytorch_with_its_collator(tmp_path, rows):
    def collate(batch): return DataCollatorForPreference(0)([dict(chosen_ids=c, rejected_ids=r) for c, r in batch])
    trainer = trainer_of(tmp_path, Texts(rows), data_collator=collate, eval_dataset=Texts(rows))
    plain = trainer_of(tmp_path, rows, eval_dataset=rows)
    for t in (trainer, plain): t.train()
    ours, theirs = (t.evaluate(num_print_samples=2) for t in (trainer, plain))
    assert ours["eval_accuracy"] == theirs["eval_accuracy"]
    assert ours["eval_loss"] == pytest.approx(theirs["eval_loss"], abs=1e-4)
    with pytest.raises(TypeError, match="train dataset is a Texts"): trainer_of(tmp_path, Texts(rows))


# Margins and collators

@pytest.mark.parametrize("margin", [[1.5], [[1.5]], 1.5, "1.5"], ids=repr)
@pytest.mark.parametrize("prepared", [True, False])
def test_a_margin_is_one_number(tmp_path, rows, margin, prepared):
    data = prepare_dataset(rows, tiny_tokenizer())[0] if prepared else rows
    trainer = trainer_of(tmp_path, data.add_column("margin", [margin] * 24))
    batch = trainer.data_collator([trainer.train_dataset[0], trainer.train_dataset[1]])
    assert batch["margin"].tolist() == [1.5, 1.5]
    trainer.train()


@pytest.mark.parametrize("margin", [np.float32(1.5), np.array([1.5]), torch.tensor([1.5]), torch.tensor(1.5), [1.5],
                                    "1.5", 1.5], ids=repr)
@pytest.mark.parametrize("collator", [DataCollatorForPreference(0), RewardDataCollatorWithPadding(tiny_tokenizer()),
                                      PrefixSharingCollator()], ids=lambda c: type(c).__name__)
def test_a_margin_in_a_collator(collator, margin):
    assert collator([dict(chosen_ids=[5, 6], rejected_ids=[7], margin=margin)])["margin"].tolist() == [1.5]


@pytest.mark.parametrize("margin, found", [([1., 2.], "1.0, 2.0"), ("much", "much"), ([], r"\[\]")])
def test_a_margin_that_is_none(tmp_path, rows, margin, found):
    with pytest.raises(ValueError, match=f"row 0.*margin.*{found}"):
        DataCollatorForPreference(0)([dict(chosen_ids=[5, 6], rejected_ids=[7], margin=margin)])
    with pytest.raises(BadRowError, match="row 0.*margin"):
        trainer_of(tmp_path, rows.add_column("margin", [margin] * 24))


def test_a_column_of_margins_of_ones_own_collator(tmp_path, rows):
    "(B, 1), as TRL 0.11 needed it beside rewards of (B, 1)"
    data = rows.add_column("margin", [float(i) for i in range(24)])
    def collate(batch):
        return {k: x[:, None] if k == "margin" else x for k, x in DataCollatorForPreference(0)(batch).items()}
    own, plain = trainer_of(tmp_path, data, data_collator=collate), trainer_of(tmp_path, data)
    for t in (own, plain): t.train()
    torch.testing.assert_close(weights(own.model), weights(plain.model), atol=2e-5, rtol=0)


@pytest.mark.parametrize("names", ID_COLUMNS, ids=lambda names: names[0])
@pytest.mark.parametrize("collator", [DataCollatorForPreference(0), RewardDataCollatorWithPadding(tiny_tokenizer()),
                                      PrefixSharingCollator()], ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("masked", [True, False])
def test_any_collator_by_hand_on_any_generation(names, collator, masked):
    ids = dict(zip(names, ([5, 6, 7], [5, 8, 0])))
    masks = {}
    if masked and "input_ids" in names[0]:
        masks = {name.replace("input_ids", "attention_mask"): mask for name, mask in zip(names, ([1, 1, 1], [1, 1, 0]))}
    batch = collator([ids | masks, ids | masks])
    filled = 0 if masks else 1 # without a mask the last token of the rejected text is one of its own
    if "cu_k" in batch: assert batch["cu_k"].diff().tolist() == [3, 2 + filled] * 2
    else:
        assert batch["attention_mask_rejected"].sum(1).tolist() == [2 + filled] * 2
        assert batch["input_ids_chosen"].tolist() == [[5, 6, 7]] * 2


# The order of a collator of one's own

ORDERS = dict(side_by_side=lambda c, r: [x for pair in zip(c, r) for x in pair], turned=lambda c, r: [*r, *c],
              reversed=lambda c, r: [*c, *r[::-1]])


def stacked(texts):
    width = max(map(len, texts))
    return dict(input_ids=torch.tensor([t + [0] * (width - len(t)) for t in texts]),
                attention_mask=torch.tensor([[1] * len(t) + [0] * (width - len(t)) for t in texts]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reads", ["chosen_ids", "input_ids_j", "texts"])
def test_texts_in_another_order_are_refused(tmp_path, rows, order, reads):
    tokenizer, data = tiny_tokenizer(), rows
    if reads == "input_ids_j":
        ids, _ = prepare_dataset(rows, tokenizer)
        data = Dataset.from_dict(dict(input_ids_j=ids["chosen_ids"], input_ids_k=ids["rejected_ids"]))
    def texts(batch, side):
        if reads == "texts": return [tokenizer(str(row["prompt"]) + str(row[side]))["input_ids"][-30:] for row in batch]
        column = f"{side}_ids" if reads == "chosen_ids" else dict(chosen="input_ids_j", rejected="input_ids_k")[side]
        return [row[column] for row in batch]
    def collate(batch): return stacked(ORDERS[order](texts(batch, "chosen"), texts(batch, "rejected")))
    def right(batch): return stacked(texts(batch, "chosen") + texts(batch, "rejected"))
    kw = dict(config_args=dict(remove_unused_columns=False))
    with pytest.raises(ValueError, match="rejected text of the first of two pairs into row [013]"):
        trainer_of(tmp_path, data, data_collator=collate, **kw)
    trainer_of(tmp_path, data, data_collator=right, **kw).train()
    class Own(RewardTrainer):
        def compute_loss(self, model, inputs, return_outputs=False): return model(**inputs).logits.sum()
    Own(tiny_model(), config(tmp_path, remove_unused_columns=False), train_dataset=data, processing_class=tokenizer,
        data_collator=collate).train()


def test_texts_that_ones_own_collator_reads_are_those_that_came(tmp_path):
    "Not what rmkit makes of them"
    rows, seen = Dataset.from_dict(dict(chosen=[f"Name a colour. Red, {i}." for i in range(8)],
                                        rejected=[f"Name a colour. Dog, {i}." for i in range(8)])), []
    def collate(batch):
        seen.extend(row["chosen"] for row in batch)
        return stacked([tiny_tokenizer()(row[side])["input_ids"] for side in ("chosen", "rejected") for row in batch])
    trainer_of(tmp_path, rows, data_collator=collate, config_args=dict(remove_unused_columns=False)).train()
    assert all(text.startswith("Name a colour.") for text in seen)


# Adapters

LORA = dict(r=4, target_modules=["q_proj", "v_proj"])


@pytest.mark.parametrize("given", [LORA, LORA | dict(modules_to_save=["score"]), LORA | dict(task_type="SEQ_CLS"),
                                   dict(r=4)], ids=str)
def test_an_adapter_given_twice_alike(tmp_path, rows, given):
    model = get_peft_model(tiny_model(seed=0), LoraConfig(**given | dict(modules_to_save=["score"])))
    before = weights(model)
    trainer = trainer_of(tmp_path, rows, model, peft_config=LoraConfig(**given))
    trainer.train()
    assert trainer.model is model and list(model.peft_config) == ["default"] and not torch.equal(before, weights(model))


def test_the_very_config_and_all_linear(tmp_path, rows):
    peft_config = LoraConfig(r=2, target_modules="all-linear", modules_to_save=["score"])
    given = copy.deepcopy(peft_config)
    trainer_of(tmp_path, rows, get_peft_model(tiny_model(seed=0), peft_config), peft_config=given)
    assert given.target_modules == "all-linear"


@pytest.mark.parametrize("other, named", [(dict(r=8), "`r` is 4 in the model, 8"),
                                          (dict(target_modules=["q_proj"]), "target_modules"),
                                          (dict(lora_dropout=.1), "lora_dropout"),
                                          (dict(modules_to_save=["score", "norm"]), "modules_to_save")], ids=str)
def test_another_adapter_is_an_error(tmp_path, rows, other, named):
    model = get_peft_model(tiny_model(seed=0), LoraConfig(**LORA, modules_to_save=["score"]))
    with pytest.raises(ValueError, match=named):
        trainer_of(tmp_path, rows, model, peft_config=LoraConfig(**LORA | other))


def test_an_adapter_that_is_not_trainable(tmp_path, rows):
    adapter = LoraConfig(**LORA, modules_to_save=["score"])
    get_peft_model(tiny_model(seed=0), adapter).save_pretrained(tmp_path/"adapter")
    with pytest.raises(ValueError, match="is_trainable=True"):
        trainer_of(tmp_path, rows, PeftModel.from_pretrained(tiny_model(seed=0), tmp_path/"adapter")).train()
    trainer_of(tmp_path, rows, PeftModel.from_pretrained(tiny_model(seed=0), tmp_path/"adapter",
                                                         is_trainable=True)).train()


# Optimizers

def optimizers(model): return torch.optim.AdamW(model.parameters(), lr=1e-2), None


@pytest.mark.parametrize("kind", ["adapter", "head", "part"])
def test_an_optimizer_of_other_parameters(tmp_path, rows, kind):
    model = tiny_model(seed=0)
    opt = (torch.optim.AdamW(model.score.parameters()), None) if kind == "part" else optimizers(model)
    if kind == "head": model.score = torch.nn.Linear(model.config.hidden_size, 1, bias=False)
    peft_config = LoraConfig(**LORA) if kind == "adapter" else None
    trainer = trainer_of(tmp_path, rows, model, optimizers=opt, peft_config=peft_config)
    with pytest.raises(ValueError, match="trainable parameters are in no group of the optimizer"): trainer.train()


def test_optimizers_that_are_right(tmp_path, rows):
    "One for all, its embedding grown since; one for what isn't frozen; a class; a subclass's"
    model, frozen = tiny_model(seed=0), tiny_model(seed=0)
    opt = optimizers(model)
    model.resize_token_embeddings(len(tiny_tokenizer()) + 8) # in place
    for p in frozen.model.parameters(): p.requires_grad_(False)
    of_head = torch.optim.SGD(frozen.score.parameters(), lr=1.), None
    by_class = dict(optimizer_cls_and_kwargs=(torch.optim.SGD, dict(lr=1.)), peft_config=LoraConfig(**LORA))
    for m, kw in ((model, dict(optimizers=opt)), (frozen, dict(optimizers=of_head)), (tiny_model(seed=0), by_class)):
        trainer = trainer_of(tmp_path, rows, m, **kw)
        before = trainer.model.score.weight.clone() if not isinstance(trainer.model, PeftModel) else None
        trainer.train()
        assert before is None or not torch.equal(before, m.score.weight)
    class Layered(RewardTrainer):
        def create_optimizer(self):
            self.optimizer = torch.optim.SGD([dict(params=self.model.score.parameters(), lr=1.),
                                              dict(params=self.model.model.parameters(), lr=.1)])
            return self.optimizer
    Layered(tiny_model(), config(tmp_path), train_dataset=rows, processing_class=tiny_tokenizer()).train()


# Options of transformers

class Batches:
    "A metric that adds up batch by batch"
    def __init__(self): self.right, self.n, self.calls = 0, 0, []
    def __call__(self, p, compute_result):
        self.right += int((p.predictions[:, 0] > p.predictions[:, 1]).sum())
        self.n += len(p.predictions)
        self.calls.append(compute_result)
        return dict(share=self.right / self.n, pairs=self.n) if compute_result else {}


@pytest.mark.parametrize("kw", [{}, dict(padding_free=False)], ids=str)
def test_metrics_batch_by_batch(tmp_path, rows, kw):
    metric = Batches()
    trainer = trainer_of(tmp_path, rows, compute_metrics=metric, config_args=dict(batch_eval_metrics=True) | kw)
    metrics = trainer.evaluate(rows.select(range(11)), num_print_samples=0)
    assert metric.calls == [False, False, True] and metrics["eval_pairs"] == 11
    assert metrics["eval_share"] == pytest.approx(metrics["eval_accuracy"])


@pytest.mark.parametrize("strategy", ["group_by_length", "batch_rebalance"])
def test_pairs_sorted_by_length(tmp_path, strategy):
    rows = make_pairs(200, seed=1)
    trainer = trainer_of(tmp_path, rows, config_args=dict(train_sampling_strategy=strategy,
                                                          per_device_train_batch_size=8))
    order = [i for batch in trainer._get_train_sampler() for i in (batch if isinstance(batch, list) else [batch])]
    lengths = np.array([len(c) + len(r) for c, r in zip(trainer.train_dataset["chosen_ids"],
                                                        trainer.train_dataset["rejected_ids"])])
    if strategy == "group_by_length":
        assert lengths[order].reshape(-1, 8).std(1).mean() < .3 * lengths.std() and sorted(order) == list(range(200))
    assert "length" not in trainer.train_dataset.column_names
    trainer.train()


def test_what_metrics_may_ask_for(tmp_path, rows):
    "Losses one a pair, inputs two a pair, batches as they were cut"
    got = {}
    def metric(p):
        got.update(n=[len(x) for x in p.predictions] if isinstance(p.predictions, list) else len(p.predictions),
                   losses=p.losses, inputs=p.inputs)
        return {}
    for kw, n in ((dict(include_for_metrics=["loss"]), 11), (dict(include_for_metrics=["inputs"]), 11),
                  (dict(eval_do_concat_batches=False), [4, 4, 3])):
        trainer = trainer_of(tmp_path, rows, compute_metrics=metric, config_args=kw)
        trainer.evaluate(rows.select(range(11)), num_print_samples=0)
        assert got["n"] == n
        if "inputs" in kw.get("include_for_metrics", ""): assert len(got["inputs"]) == 22


def test_noise_on_embeddings_is_padded(tmp_path, rows, caplog):
    trainer = trainer_of(tmp_path, rows, config_args=dict(neftune_noise_alpha=5.))
    assert not trainer.flat and "neftune" in caplog.text
    trainer.train()


# What is the caller's

def test_the_callers_objects_stay_as_they_were(tmp_path, rows):
    tokenizer, peft_config, kwargs = tiny_tokenizer(), LoraConfig(r=2), dict(dtype="bfloat16")
    tokenizer.padding_side = "left"
    args = config(tmp_path/"out", model_init_kwargs=kwargs)
    def theirs(): return (args.to_dict(), tokenizer.chat_template, dict(tokenizer.special_tokens_map), len(tokenizer),
                          peft_config.to_dict())
    before = copy.deepcopy(theirs())
    dispatch, columns, fingerprint = args.accelerator_config.dispatch_batches, rows.column_names, rows._fingerprint
    tiny_model().save_pretrained(tmp_path/"model")
    trainer = RewardTrainer(str(tmp_path/"model"), args, train_dataset=rows, eval_dataset=rows,
                            processing_class=tokenizer, peft_config=peft_config)
    trainer.train(), trainer.evaluate(num_print_samples=0), trainer.save_model()
    assert tokenizer.padding_side == "left" and trainer.processing_class is tokenizer and trainer.args is args
    assert theirs() == before
    assert args.accelerator_config.dispatch_batches is dispatch is None and kwargs == dict(dtype="bfloat16")
    assert rows.column_names == columns and rows._fingerprint == fingerprint
    assert AutoTokenizer.from_pretrained(tmp_path/"out").padding_side == "right"
    assert trainer.accelerator.dispatch_batches is False


@pytest.mark.parametrize("model", [lambda: tiny_model(),
                                   lambda: get_peft_model(tiny_model(), LoraConfig(r=2, modules_to_save=["score"]))])
def test_saved_tokenizers_pad_right(tmp_path, rows, model):
    tokenizer = tiny_tokenizer()
    tokenizer.padding_side = "left"
    trainer = trainer_of(tmp_path, rows, model(), tokenizer=tokenizer,
                         config_args=dict(save_strategy="steps", save_steps=2))
    trainer.train(), trainer.save_model(tmp_path/"end")
    for folder in ("checkpoint-2", "end"): assert AutoTokenizer.from_pretrained(tmp_path/folder).padding_side == "right"
    assert tokenizer.padding_side == "left"


def test_a_pad_token_that_ends_texts_is_replaced_aloud(tmp_path, rows, caplog):
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    with caplog.at_level(logging.WARNING): trainer_of(tmp_path, rows, tokenizer=tokenizer)
    assert "pad token was" in caplog.text and tokenizer.pad_token != tokenizer.eos_token
