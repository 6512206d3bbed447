"Token ids and positions: what the vocabulary, the embedding and the table of positions don't have"
import logging

import numpy as np
import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForSequenceClassification, XLNetConfig, XLNetForSequenceClassification

from rmkit import RewardConfig, RewardDataCollatorWithPadding, RewardModel, RewardTrainer
from rmkit.data import prepare_dataset
from rmkit.words import BadRowError
from rmkit.model import check_token_ids, grow_to_vocabulary, limit_length, load_reward_model, position_limit
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

GOOD = ([5, 6, 7], [5, 6, 8])
OF_LINES = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
GPT = dict(n_embd=16, n_layer=1, n_head=2)


def id_rows(*pairs, names=("chosen_ids", "rejected_ids")):
    return Dataset.from_list([dict(zip(names, pair)) for pair in pairs])


def trainer(tmp_path, model=None, tokenizer=None, rows=None, **kwargs):
    options = {name: kwargs.pop(name) for name in list(kwargs) if name in RewardConfig.__dataclass_fields__}
    config = RewardConfig(str(tmp_path), use_cpu=True, report_to="none", save_strategy="no", max_steps=1,
                          disable_tqdm=True, per_device_train_batch_size=4, **options)
    return RewardTrainer(model or tiny_model(0), config, train_dataset=make_pairs(8, seed=0) if rows is None else rows,
                         processing_class=tokenizer or tiny_tokenizer(), **kwargs)


# Ids that came with the rows ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("names", [("chosen_ids", "rejected_ids"), ("chosen_input_ids", "rejected_input_ids"),
                                   ("input_ids_chosen", "input_ids_rejected")])
@pytest.mark.parametrize("ids, found", [
    ([5, 6, 100_000], "the token id 100000"), ([5, -100], "the token id -100"), ([5.0, 6.0], "list [5.0, 6.0]"),
    ([True, False], "list [True, False]"), (["5", "6"], "list ['5', '6']"), (5, "int 5"), ([], "list []"),
    (None, "NoneType None")])
def test_row_and_column_are_named(names, ids, found, tokenizer):
    wrong = Dataset.from_list([dict(zip(names, (GOOD[0], ids)))])  # a table has one type a column, so the row is alone
    with pytest.raises(BadRowError) as caught:
        prepare_dataset(wrong, tokenizer)
    assert (caught.value.row, caught.value.column) == (0, names[1])
    assert found in caught.value.found


def test_the_last_id_of_the_vocabulary_is_taken_and_the_next_one_is_not(tokenizer):
    last = max(tokenizer.get_vocab().values())
    rows = id_rows(GOOD, ([5, last], [5, 6]), ([5, 6], [5, last + 1]))
    found = f"row 2, column 'rejected_ids': found the token id {last + 1}; expected ids from 0 to {last}"
    with pytest.raises(BadRowError, match=found):
        prepare_dataset(rows, tokenizer)
    prepared, report = prepare_dataset(rows, tokenizer, on_bad_row="drop")
    assert prepared["chosen_ids"][:] == [GOOD[0], [5, last]] and report.dropped == {"id outside the vocabulary": 1}


@pytest.mark.parametrize("mask, found", [([1, 1], "3 ids, of which a mask of 2 keeps 2"),
                                         ([0, 0, 0], "3 ids, of which a mask of 3 keeps 0")])
def test_a_mask_that_does_not_fit(mask, found, tokenizer):
    row = dict(input_ids_chosen=GOOD[0], attention_mask_chosen=[1, 1, 1], input_ids_rejected=GOOD[1],
               attention_mask_rejected=mask)
    with pytest.raises(BadRowError, match=f"row 0, column 'input_ids_rejected': found {found}"):
        prepare_dataset(Dataset.from_list([row]), tokenizer)


def test_numpy_ids_in_a_stream(tokenizer):
    rows = id_rows(GOOD, ([5, 6], [5, 100_000])).to_iterable_dataset()
    with pytest.raises(BadRowError, match="row 1, column 'rejected_ids'"):
        list(prepare_dataset(rows, tokenizer)[0])


def test_training_and_scoring_stop_before_the_first_step(tmp_path, model, tokenizer):
    rows = id_rows(GOOD, ([5, 6], [5, 100_000]))
    for stopped in (lambda: trainer(tmp_path, rows=rows), lambda: RewardModel(model, tokenizer).score_pairs(rows)):
        with pytest.raises(BadRowError, match="row 1, column 'rejected_ids'"):
            stopped()


def test_rows_that_a_collator_takes_as_they_are(tmp_path, tokenizer):
    pairs = (GOOD, ([5, 6, 7], [5, 6, 100_000]))
    rows = [dict(zip(("input_ids_chosen", "input_ids_rejected"), pair), attention_mask_chosen=[1] * 3,
                 attention_mask_rejected=[1] * 3) for pair in pairs]
    collator = RewardDataCollatorWithPadding(tokenizer)
    assert len(trainer(tmp_path, rows=Dataset.from_list(rows[:1]), data_collator=collator).train_dataset) == 1
    with pytest.raises(BadRowError, match="row 1, column 'input_ids_rejected': found the token id 100000"):
        trainer(tmp_path, rows=Dataset.from_list(rows), data_collator=collator)


# Tokens without an embedding row ------------------------------------------------------------------------------------

def test_added_tokens_get_rows_that_are_trained(tmp_path, caplog):
    tokenizer, model = tiny_tokenizer(), tiny_model(0)
    before = model.get_input_embeddings().num_embeddings
    tokenizer.add_tokens(["<new>", "<newer>"])
    rows = make_pairs(8, seed=0).map(lambda row: {"chosen": [row["chosen"][0] | {"content": "<newer> cat"}]})
    with caplog.at_level(logging.WARNING):
        run = trainer(tmp_path, model, tokenizer, rows, learning_rate=0.1, warmup_steps=0)
    assert f"from {before} rows to {before + 2}" in caplog.text and "'<new>'" in caplog.text
    weight = run.model.get_input_embeddings().weight
    start = weight[-1].detach().clone()
    run.train()
    assert len(weight) == before + 2 and not torch.equal(weight[-1], start)
    run.save_model()
    loaded = RewardModel.from_pretrained(tmp_path)
    scored = loaded.score("q", "<newer> cat")
    expected = RewardModel(run.model, tokenizer).score("q", "<newer> cat")
    assert np.isfinite(scored).all() and scored == pytest.approx(expected, abs=1e-5)


def test_an_adapter_trains_the_rows_of_added_tokens(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<new>"])
    run = trainer(tmp_path, tiny_model(0), tokenizer, peft_config=LoraConfig(r=2))
    assert any("trainable_tokens" in name for name, p in run.model.named_parameters() if p.requires_grad)
    with pytest.raises(ValueError, match="resize_token_embeddings"):
        tokenizer.add_tokens(["<newer>"])
        grow_to_vocabulary(run.model, tokenizer)


def test_scoring_refuses_a_token_that_was_added_later(model):
    tokenizer = tiny_tokenizer()
    n_rows = model.get_input_embeddings().num_embeddings
    tokenizer.add_tokens(["<new>"])
    scorer = RewardModel(model, tokenizer)
    assert np.isfinite(scorer.score("q", ["cat"])).all()
    for refused in (lambda: scorer.score("q", ["cat", "<new>"]), lambda: scorer.token_rewards("q", "<new>")):
        with pytest.raises(ValueError,
                           match=f"the token '<new>' \\(id {n_rows}\\), and the model has {n_rows} embedding rows"):
            refused()
    with pytest.raises(ValueError, match="text 1 has"):
        check_token_ids(model, tokenizer, [[3], [n_rows]])


# Positions ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, config, limit", [
    ("bert", OF_LINES | dict(max_position_embeddings=20), 20),
    ("roberta", OF_LINES | dict(max_position_embeddings=22, pad_token_id=1), 20),
    ("xlm-roberta", OF_LINES | dict(max_position_embeddings=22, pad_token_id=1), 20),
    ("mpnet", OF_LINES | dict(max_position_embeddings=22, pad_token_id=1), 20),
    ("albert", OF_LINES | dict(max_position_embeddings=20, embedding_size=8), 20),
    ("electra", OF_LINES | dict(max_position_embeddings=20), 20),
    ("deberta", OF_LINES | dict(max_position_embeddings=20), 20),
    ("distilbert", dict(dim=16, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=20), 20),
    ("gpt2", GPT | dict(n_positions=20), 20), ("gptj", GPT | dict(n_positions=20, rotary_dim=4), 20),
    ("opt", dict(hidden_size=16, word_embed_proj_dim=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16,
                 max_position_embeddings=20, pad_token_id=1), 20),
    ("mpt", dict(d_model=16, n_layers=1, n_heads=2, max_seq_len=20), 20),
    ("roformer", OF_LINES | dict(max_position_embeddings=20), 20),
    ("bloom", dict(hidden_size=16, n_layer=1, n_head=2), None),
    ("llama", OF_LINES | dict(max_position_embeddings=20), None),
    ("gpt_neox", OF_LINES | dict(max_position_embeddings=20), None),
    ("xlnet", dict(d_model=16, n_layer=1, n_head=2, d_inner=16), None),
    ("deberta-v2", OF_LINES | dict(max_position_embeddings=20, relative_attention=True, position_buckets=8,
                                   position_biased_input=False), None)])
def test_the_limit_is_the_longest_text_that_the_model_takes(kind, config, limit):
    config = AutoConfig.for_model(kind, **({"vocab_size": 40, "num_labels": 1, "pad_token_id": 0} | config))
    model = AutoModelForSequenceClassification.from_config(config).eval()
    assert position_limit(model) == limit
    def takes(n):
        try:
            ids = torch.full((1, n), 5)
            with torch.no_grad(): model(input_ids=ids, attention_mask=torch.ones_like(ids))
        except (IndexError, RuntimeError): return False
        return True
    assert takes(20) and takes(21) == (limit is None)


def absolute(n_positions=40):
    config = AutoConfig.for_model("gpt2", vocab_size=len(tiny_tokenizer()), num_labels=1, pad_token_id=0,
                                  n_positions=n_positions, **GPT)
    return AutoModelForSequenceClassification.from_config(config)


@pytest.mark.parametrize("max_length", [1024, None])
def test_training_reads_no_further_than_the_positions(tmp_path, caplog, max_length):
    ask = [{"role": "user", "content": "cat dog " * 60}]
    rows = [dict(prompt=ask, chosen=[{"role": "assistant", "content": "cat"}],
                 rejected=[{"role": "assistant", "content": "dog"}])] * 4
    with caplog.at_level(logging.WARNING):
        run = trainer(tmp_path, absolute(), rows=Dataset.from_list(rows), max_length=max_length)
    assert f"positions for 40 tokens: that is the longest text, and not max_length={max_length}" in caplog.text
    assert max(map(len, run.train_dataset["chosen_ids"])) == 40 and run.data_reports["train"].truncated == 4
    assert np.isfinite(run.train().training_loss)


def test_scoring_reads_no_further_than_the_positions(caplog):
    tokenizer = tiny_tokenizer()
    with caplog.at_level(logging.WARNING):
        scorer = RewardModel(absolute(), tokenizer, max_length=1024)
    assert scorer.max_length == 40 and "40 tokens" in caplog.text
    assert RewardModel(absolute(), tokenizer).max_length == 40
    assert np.isfinite(scorer.score("cat dog " * 60, ["cat", "dog"])).all()


def test_a_smaller_max_length_is_kept_without_a_word(model, caplog):
    with caplog.at_level(logging.WARNING):
        assert limit_length(absolute(), 12) == 12
        assert limit_length(model, 4096) == 4096 and limit_length(model, None) is None
    assert not caplog.text


def test_the_tokenizer_may_want_less():
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = 30
    assert RewardModel(absolute(), tokenizer).max_length == 30


def test_xlnet_has_rewards():
    tokenizer = tiny_tokenizer()
    config = XLNetConfig(vocab_size=len(tokenizer), d_model=16, n_layer=1, n_head=2, d_inner=16, num_labels=1,
                         pad_token_id=0)
    model, _ = load_reward_model(XLNetForSequenceClassification(config), tokenizer)
    scorer = RewardModel(model, tokenizer)
    assert scorer.max_length == tokenizer.model_max_length
    assert np.isfinite(scorer.score("a cat", ["a dog", "cat"])).all()


def test_a_model_that_is_made_late(tmp_path, tokenizer):
    "Data are prepared before `model_init` is called: what would then come too late is an error"
    rows = Dataset.from_list([dict(chosen_ids=[5] * 30, rejected_ids=[6] * n) for n in (20, 41)])
    def make(**config):
        config = RewardConfig(str(tmp_path), report_to="none", use_cpu=True, **config)
        return RewardTrainer(model_init=lambda: absolute(), args=config, eval_dataset={"a": rows},
                             processing_class=tokenizer)
    with pytest.raises(ValueError, match=r"takes 40 tokens, and the longest text has 41.*max_length=40"): make()
    assert len(make(max_length=40, overlong="drop").eval_dataset["a"]) == 1
    with pytest.raises(ValueError, match="`eos_token` of the config would come too late"): make(eos_token="<|end|>")
