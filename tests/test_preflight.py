"Preflight: every fault that is planted is found, nothing is found where there is none, and nothing is changed"
import math

import numpy as np
import pytest
import torch
from data_helpers import byte_tokenizer, CHATML, LLAMA3
from datasets import Dataset, IterableDataset
from peft import get_peft_model, LoraConfig
from transformers import BertConfig, BertForSequenceClassification

from rmkit import preflight as chapter
from rmkit import RewardConfig, RewardTrainer
from rmkit.checks import Check, Checks
from rmkit.data import find_format, prepare_dataset, PrepareReport
from rmkit.intervals import accuracy_estimate, Estimate
from rmkit.metrics import prompt_groups
from rmkit.preflights import (check_begin, check_columns, check_head, check_leakage, check_learning_rate, check_labels,
                             check_lengths, check_margins, check_marker_tokens, check_memory, check_padding,
                             check_position, check_read_token, check_repeats, check_rows, check_rule, check_template,
                             check_time, check_turn_end, compare_with_run, estimate_run, MEANINGS, preflight, RATES,
                             rule_accuracy, RunEstimate, steps_of, what_is_trained, word_differences)
from rmkit.scoring import RewardModel
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.tokens import find_markers
from rmkit.words import as_text

PAIRS = make_pairs(240)
ROWS = PAIRS.to_list()
PARTS = ("prompt", "chosen", "rejected")


@pytest.fixture(autouse=True)
def short_trial(monkeypatch):
    "One pass is enough where its time doesn't matter"
    monkeypatch.setattr(chapter, "TRIAL", 0)


def settings(tmp_path=".", **more):
    usual = dict(learning_rate=3e-3, per_device_train_batch_size=16, num_train_epochs=1, use_cpu=True,
                 report_to="none", disable_tqdm=True, save_strategy="no", dashboard=False)
    return RewardConfig(str(tmp_path), **(usual | more))


def look(rows=PAIRS, model=None, tokenizer=None, **more):
    "The table of the tiny model at the rate that suits it"
    rows = rows if isinstance(rows, (Dataset, IterableDataset)) else Dataset.from_list(rows)
    return preflight(model or tiny_model(), rows, args=more.pop("args", None) or settings(),
                     tokenizer=tokenizer or tiny_tokenizer(), **more)


def not_passed(checks):
    return {check.name: check.status for check in checks if check.status != "pass"}


def texts_of(rows):
    return {part: [as_text(row[part]) for row in rows] for part in PARTS}


# The whole table ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("margins", [False, True])
def test_the_embedded_default_is_silent(margins):
    held_out = {"a": make_pairs(80, split="test"), "b": make_pairs(60, seed=1, split="test")}
    checks = look(make_pairs(500, margins=margins), eval_dataset=held_out, args=settings(eval_strategy="epoch"))
    assert not not_passed(checks)
    assert {"rows of a", "rows of b", "train and eval", "time", "memory"} <= {check.name for check in checks}
    assert {check.name for check in checks} | {"cost", "set-up"} == {*MEANINGS, "rows of a", "rows of b"}


def test_a_training_after_it_is_the_same_as_without(tmp_path):
    def trained(with_look):
        trainer = RewardTrainer(tiny_model(), settings(tmp_path, max_steps=3), train_dataset=PAIRS,
                                processing_class=tiny_tokenizer())
        torch.manual_seed(1)
        if with_look:
            assert not not_passed(preflight(trainer))
            assert not any(p.grad is not None for p in trainer.model.parameters()) and not trainer.model.training
            assert trainer.running.sums.sum() == 0
        drawn = torch.rand(1)
        trainer.train()
        return drawn, trainer

    (drawn, without), (drawn_after, after) = trained(False), trained(True)
    assert drawn == drawn_after
    for name, weight in without.model.state_dict().items():
        assert torch.equal(weight, after.model.state_dict()[name]), name
    checks = compare_with_run(preflight(after), after)
    assert [check.name for check in checks] == ["time", "memory"] and all(check.number > 0 for check in checks)


def test_planted_faults_are_found_together():
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    model = tiny_model()
    with torch.no_grad():
        model.score.weight.fill_(math.nan)
    rows = [row | {"what_was_said": row["prompt"]} for row in ROWS]
    for row in rows:
        del row["prompt"]
    rows += rows[:20] + [rows[0] | {"chosen": rows[0]["rejected"]}, rows[1] | {"chosen": []}]
    found = not_passed(look(rows, model, tokenizer, args=settings(learning_rate=1.0, max_length=16), price=1))
    assert found == {"pad token": "warn", "head": "warn", "columns": "fail", "rows": "fail", "repeated pairs": "warn",
                     "length": "warn", "learning rate": "fail"}
    with pytest.raises(ValueError, match="(?s)3 checks failed.*rows.*columns.*learning rate"):
        look(rows, model, tokenizer, args=settings(learning_rate=1.0)).raise_failed()


def test_a_folder_is_read_and_a_reward_model(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    tiny_model().save_pretrained(tmp_path), tokenizer.save_pretrained(tmp_path)
    checks = preflight(str(tmp_path), PAIRS, args=settings(), price=2.0)
    assert not_passed(checks) == {"pad token": "warn"} and "'<|end|>' was padding" in checks["pad token"].found
    assert checks["cost"].number == pytest.approx(checks["time"].number / 3600 * 2)
    assert not not_passed(preflight(RewardModel(tiny_model(), tiny_tokenizer()), PAIRS, args=settings()))


def test_a_sample_is_looked_at_and_said(monkeypatch):
    monkeypatch.setattr(chapter, "SEEN", 50)
    monkeypatch.setattr(chapter, "COMPARED", 100)
    checks = look()
    assert "50 rows of 240" in checks["length"].found and "100 rows of 240" in checks["rows"].found
    assert "50 pairs" in checks["length"].found and "100 pairs" in checks["marker tokens"].found


def test_streams_and_ids(monkeypatch):
    monkeypatch.setattr(chapter, "SEEN", 60)
    stream = look(IterableDataset.from_generator(lambda: iter(ROWS)), args=settings(max_steps=3))
    assert not not_passed(stream) and "60 pairs" in stream["length"].found
    ids = prepare_dataset(PAIRS, tiny_tokenizer())[0].select_columns(["chosen_ids", "rejected_ids"])
    assert not_passed(look(ids)) == {"marker tokens": "unknown"}
    doubled = ids.map(lambda row: {name: [1, *row[name]] for name in row})
    assert not_passed(look(doubled))["begin of text"] == "fail"
    cut = ids.map(lambda row: {name: row[name][:-1] for name in row})
    assert not_passed(look(cut))["end of turn"] == "fail"


def test_what_cannot_be_set_up_is_a_row():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    checks = look(ROWS + ROWS[:120], tokenizer=tokenizer, eval_dataset=Dataset.from_list(ROWS[:9]))
    assert not_passed(checks) == {"set-up": "fail", "repeated pairs": "warn", "train and eval": "fail"}
    assert "no chat template" in checks["set-up"].found
    assert not_passed(look([dict(prompt="a", chosen="", rejected="")] * 3)) == {"set-up": "fail"}
    with pytest.raises(TypeError, match="load_rows"):
        preflight(tiny_model(), "pairs.jsonl", tokenizer=tiny_tokenizer())


def test_a_collator_of_ones_own_is_told(tmp_path):
    class Own:
        def __call__(self, rows):
            return dict(input_ids=torch.ones(2 * len(rows), 3, dtype=int), attention_mask=torch.ones(2 * len(rows), 3))
    trainer = RewardTrainer(tiny_model(), settings(tmp_path, remove_unused_columns=False), Own(), PAIRS,
                            processing_class=tiny_tokenizer())
    assert not_passed(preflight(trainer)) == {"rows": "unknown"}


# Adapters -----------------------------------------------------------------------------------------------------------

LORA = LoraConfig(r=2, target_modules=["q_proj", "v_proj"])


def test_an_adapter_is_taken_off_again():
    model = tiny_model()
    model.model.embed_tokens.weight.requires_grad_(False)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    checks = look(PAIRS, model, args=settings(learning_rate=2e-4), peft_config=LORA)
    assert not not_passed(checks) and "an adapter" in checks["learning rate"].found
    after = model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(x, after[name]) for name, x in before.items())
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["model.embed_tokens.weight"]


def test_an_adapter_without_its_head_fails():
    model = get_peft_model(tiny_model(), LORA)
    assert not_passed(look(PAIRS, model, args=settings(learning_rate=2e-4))) == {"head": "fail"}


# What the model reads -----------------------------------------------------------------------------------------------

GEMMA = "{{ bos_token }}" + CHATML
TEMPLATES = dict(qwen=(CHATML, dict(add_bos=False, bos_token=None, eos_token="<|im_end|>")),
                 chatml=(CHATML, dict(eos_token="<|im_end|>", bos_token="<|im_start|>")),
                 llama=(LLAMA3, dict(add_bos=True, eos_token="<|eot|>")),
                 gemma=(GEMMA, dict(add_bos=True)))


def ids_of(name):
    tokenizer = byte_tokenizer(TEMPLATES[name][0], **TEMPLATES[name][1])
    prepared, report = prepare_dataset(PAIRS.select(range(40)), tokenizer)
    return tokenizer, prepared["chosen_ids"][:], prepared["rejected_ids"][:], report


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_of_all_families_pass(name):
    tokenizer, chosen, rejected, report = ids_of(name)
    found = [check_read_token(chosen, rejected, tokenizer), check_begin(chosen, tokenizer, find_markers(tokenizer)),
             check_turn_end(chosen + rejected, tokenizer), check_template(report, tokenizer), check_padding(tokenizer)]
    assert {check.status for check in found} == {"pass"}, found


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_a_template_and_a_tokenizer_double_or_cut_is_found(name):
    tokenizer, *_ = ids_of(name)
    talk = [row["prompt"] + row["chosen"] for row in ROWS[:40]]
    twice = tokenizer(tokenizer.apply_chat_template(talk, tokenize=False))["input_ids"]  # with special tokens again
    begin = check_begin(twice, tokenizer, find_markers(tokenizer))
    assert begin.status == ("fail" if name in ("llama", "gemma") else "pass"), begin
    assert check_turn_end([ids[:-3] for ids in twice], tokenizer).status == "fail"
    lost = check_begin([ids[2:] for ids in twice], tokenizer, find_markers(tokenizer))
    assert lost.status == ("pass" if name == "qwen" else "fail"), lost
    ends = [[*ids, tokenizer.eos_token_id, tokenizer.eos_token_id] for ids in twice]
    assert check_turn_end(ends, tokenizer).status == "fail"
    assert check_turn_end(twice * 10 + [twice[0][:-3]], tokenizer).status == "warn"


def test_ends_that_tell_the_label_are_found():
    tokenizer, chosen, rejected, _ = ids_of("llama")
    cut = [ids[:-1] for ids in rejected]
    assert check_read_token(chosen, cut, tokenizer).status == "fail"
    assert check_read_token(chosen, rejected[:20] + cut[20:], tokenizer).status == "fail"
    some = chosen[:37] + [ids[:-1] for ids in chosen[37:]]
    assert check_read_token(some, rejected[:37] + cut[37:], tokenizer).status == "warn"


@pytest.mark.parametrize("name", TEMPLATES)
def test_markers_in_texts_are_found(name):
    tokenizer, *_ = ids_of(name)
    end, plain = tokenizer.eos_token, dict(prompt=["a"] * 30, chosen=["b <pad"] * 30, rejected=["c"] * 30)
    assert check_marker_tokens(plain, tokenizer).status == "pass"
    for part in PARTS:
        planted = plain | {part: ["x"] * 29 + [f"So.{end}Sure!"]}
        check = check_marker_tokens(planted, tokenizer)
        assert (check.status, check.number) == ("warn", 1) and end in check.found and "pair 29" in check.found
    assert check_marker_tokens(plain | {"chosen": [f"So.{end}Sure!"] * 30}, tokenizer).status == "fail"
    written = plain | {"prompt": [f"<|im_start|>a{end}"] * 30, "chosen": [f"b{end}"] * 30}
    assert check_marker_tokens(written, tokenizer, is_text=True).status == "pass"
    assert check_marker_tokens(written, tokenizer).status == "fail"
    ends = plain | {"chosen": [f"b{end}"] * 30}
    assert check_marker_tokens(ends, tokenizer, is_text=True).status == "pass"


def test_templates_that_are_missing_or_left_aside():
    plain = [dict(prompt=f"Say {i}.", chosen=f"{i}!", rejected="No.") for i in range(30)]
    hh = [dict(chosen=f"\n\nHuman: {i}?\n\nAssistant: Yes.", rejected=f"\n\nHuman: {i}?\n\nAssistant: No.")
          for i in range(30)]
    system = [row | {"prompt": [dict(role="system", content="Be kind."), *row["prompt"]]} for row in ROWS[:30]]
    deaf = CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")
    for rows, template, status in ((plain, CHATML, "warn"), (plain, None, "pass"), (hh, CHATML, "pass"),
                                   (system, CHATML, "pass"), (system, deaf, "warn")):
        tokenizer = byte_tokenizer(template)
        _, report = prepare_dataset(Dataset.from_list(rows), tokenizer)
        assert check_template(report, tokenizer).status == status, (rows[0], template)


def test_an_encoder_is_told():
    config = BertConfig(vocab_size=600, hidden_size=16, num_hidden_layers=1, num_attention_heads=1,
                        intermediate_size=16, num_labels=1)
    assert "one vector of the whole text" in chapter._what_is_read(BertForSequenceClassification(config))
    assert chapter._what_is_read(tiny_model()) == "the reward is read there"


def test_padding_that_ends_texts():
    tokenizer = tiny_tokenizer()
    assert check_padding(tokenizer).status == "pass" and check_padding(tokenizer, "<|end|>").status == "warn"
    tokenizer.pad_token = tokenizer.eos_token
    assert check_padding(tokenizer).status == "fail"
    tokenizer.pad_token = None
    assert check_padding(tokenizer).found == "there is none"


# Rows and texts -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("column, more, status", [
    ("what_was_said", {}, "fail"), ("the_task_at_hand", {}, "fail"), ("prompt", dict(prompt_column=""), "fail"),
    ("what_was_said", dict(prompt_column="what_was_said"), "pass"), ("question", {}, "pass")])
def test_a_prompt_that_is_not_read(column, more, status):
    rows = PAIRS.select(range(40)).rename_column("prompt", column) if column != "prompt" else PAIRS.select(range(40))
    columns = {name.removesuffix("_column"): value for name, value in more.items()}
    _, report = prepare_dataset(rows, tiny_tokenizer(), columns=columns)
    assert check_columns(report).status == status, report.doubts
    if status == "fail":
        assert repr(column) in check_columns(report).found


def test_another_text_that_is_not_read_is_a_warning():
    rows = [row | {"critique": f"It is rather long, {i}."} for i, row in enumerate(ROWS[:40])]
    _, report = prepare_dataset(Dataset.from_list(rows), tiny_tokenizer())
    assert check_columns(report).status == "warn" and "critique" in check_columns(report).found


def test_rows_by_reason():
    report = PrepareReport("train", None, max_length=9, rows=100, pairs=90)
    assert check_rows(report, True).status == "pass" == check_lengths(report, True).status
    report.dropped.update({"tie": 5, "longer than max_length": 1})
    assert check_rows(report, True).status == "pass" and check_lengths(report, False).status == "pass"
    assert check_lengths(report, stops=True).status == "fail"
    report.dropped.update({"empty answer": 2, "no winner": 1})
    assert check_rows(report, stops=True).status == "fail" and check_rows(report, stops=False).status == "warn"
    assert "5 tie; 2 empty answer; 1 longer than max_length; 1 no winner" in check_rows(report, True).found
    assert check_rows(report, True).number == 3
    report.dropped["empty answer"] = 30
    assert check_rows(report, stops=False).status == "fail"
    report.truncated = 12
    assert check_lengths(report, False).status == "warn" and check_lengths(report, False).number == 13 / 91


def test_repeats_and_leaks():
    rows, other = texts_of(ROWS), texts_of(make_pairs(60, split="test").to_list())
    assert check_repeats(rows).status == "pass" == check_leakage(rows, other).status

    def with_pairs(*more):
        return {part: rows[part] + [dict(zip(PARTS, pair))[part] for pair in more] for part in PARTS}

    first = tuple(rows[part][0] for part in PARTS)
    turned = [(rows["prompt"][i], rows["rejected"][i], rows["chosen"][i]) for i in range(3)]
    long = " ".join(f"word{i}" for i in range(60))
    near = [(long, long + " yes", long + " no"), (long + " x", long + " yes", long + " no")] * 20
    for planted, kind in ((with_pairs(*turned), "contradictory"), (with_pairs(*[first] * 9), "duplicate"),
                          (with_pairs(("a b", "c d", "c d")), "identical"), (with_pairs(*near), "near-duplicate")):
        assert check_repeats(planted).status == "warn" and f" {kind} (row" in check_repeats(planted).found, kind
    assert check_repeats({part: rows[part] * 3 for part in PARTS}).status == "fail"
    leaked = {part: other[part] + rows[part][:2] for part in PARTS}
    assert check_leakage(rows, leaked).status == "warn" and check_leakage(rows, rows).status == "fail"


# Labels -------------------------------------------------------------------------------------------------------------

LAYOUTS = {
    "a letter": lambda first: dict(response_a="x", response_b="y", winner="a" if first else "b"),
    "a name": lambda first: dict(answer_1="x", answer_2="y", better="answer_1" if first else "answer_2"),
    "a number": lambda first: dict(response_0="x", response_1="y", better_response_id=0 if first else 1),
    "two marks": lambda first: dict(response_a="x", response_b="y", score_a=2.0 if first else 1.0,
                                    score_b=1.0 if first else 2.0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("firsts, status", [(50, "pass"), (57, "pass"), (70, "warn"), (25, "warn")])
def test_position_is_read_of_every_layout(layout, firsts, status):
    rows = [dict(prompt=f"{i}?") | LAYOUTS[layout](i % 100 < firsts) for i in range(300)]
    check = check_position(rows, find_format(Dataset.from_list(rows)))
    assert (check.status, check.number) == (status, firsts / 100)


def test_constant_labels_fail():
    rows = [dict(prompt=f"{i}?") | LAYOUTS["a letter"](i < 90) for i in range(100)]
    format = find_format(Dataset.from_list(rows))
    assert check_position(rows[:90], format).status == "fail" and check_position(rows[90:], format).status == "warn"
    assert check_position([rows[0] | {"winner": "?"}], format).found == "no row says which answer is better"


@pytest.mark.parametrize("margins, status", [
    ([], "pass"), ([0, 1, 2, 3], "pass"), ([0.1] * 9, "pass"), ([10, 60, 95], "fail"), ([12.0] * 9, "warn"),
    ([-1, 2, 2, 2], "warn"), ([1] * 99 + [-1], "pass"), ([1] * 99 + [500], "pass"), ([-50.0] * 9, "fail")])
def test_margins(margins, status):
    assert check_margins(margins).status == status


def rule_of(rows):
    texts = texts_of(rows)
    return rule_accuracy(word_differences(texts["chosen"], texts["rejected"]), prompt_groups(texts["prompt"]))


def test_rules_find_length_noise_and_give_aways():
    longer = look(make_pairs(600, length_bias=3.0), head=False)
    assert not_passed(longer) == {"length rule": "warn", "frozen head": "unknown"}
    assert "the longer answer wins" in longer["length rule"].found
    noise = look(make_pairs(600, label_noise=0.5))
    assert not_passed(noise) == {"labels": "warn"}
    told = [row | {"chosen": [dict(role="assistant", content="Certainly! " + as_text(row["chosen"]))]} for row in ROWS]
    check = check_rule("word rule", rule_of(told), "right in", 0.9)
    assert check.status == "warn" and check.number > 0.95


def test_rules_without_a_number():
    few = rule_accuracy(np.ones((20, 1)), np.arange(20) % 3)
    assert math.isnan(few.value) and check_rule("word rule", few, "right in").why == few.why
    assert check_labels([few]).status == "pass"
    assert check_labels([accuracy_estimate([0, 1] * 50)]).status == "pass"  # too few to tell
    assert check_labels([accuracy_estimate([0, 1] * 500), few, Estimate(0.6, 0.55, 0.65, 900)]).status == "pass"


def test_word_differences_by_hand():
    x_NW = word_differences(["yes yes no", "a"], ["no", "yes"])
    words = {"yes": (math.log(3), -math.log(2)), "no": (0, 0), "a": (0, math.log(2))}
    assert sorted(map(tuple, x_NW.T.round(4))) == sorted(tuple(np.float32(x).round(4)) for x in words.values())


# What is trained, and the run ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("trained, rate, status", [
    ("all weights", 1e-3, "fail"), ("all weights", 2e-5, "pass"), ("all weights", 2e-4, "warn"),
    ("all weights", 1e-8, "fail"), ("an adapter", 1e-6, "fail"), ("an adapter", 1e-5, "warn"),
    ("an adapter", 1e-4, "pass"), ("an adapter", 1e-3, "pass"), ("an adapter", 0.1, "fail"),
    ("the head alone", 1e-3, "pass"), ("a small model", 4e-3, "pass"), ("a small model", 2e-5, "warn"),
    ("a small model", 1e-5, "fail"), ("a small model", 0.1, "fail")])
def test_learning_rates(trained, rate, status):
    assert check_learning_rate(rate, trained).status == status and trained in RATES


def test_what_is_trained(monkeypatch):
    model, adapter = tiny_model(), get_peft_model(tiny_model(), LORA)
    assert what_is_trained(model) == "a small model" and what_is_trained(adapter) == "an adapter"
    monkeypatch.setattr(chapter, "SMALL", 1000)
    assert what_is_trained(model) == "all weights"
    model.model.requires_grad_(False)
    assert what_is_trained(model) == "the head alone" and check_head(model).status == "pass"


@pytest.mark.parametrize("spoil, status", [
    (lambda head: head.requires_grad_(False), "fail"), (lambda head: head.weight.data[0, 3:5].fill_(math.inf), "fail"),
    (lambda head: head.weight.data.fill_(math.nan), "fail"), (lambda head: None, "pass")])
def test_heads(spoil, status):
    model = tiny_model()
    spoil(model.score)
    assert check_head(model).status == status


@pytest.mark.parametrize("more, expected", [
    ({}, (13, 0)), (dict(num_train_epochs=2.5), (33, 0)), (dict(max_steps=7), (7, 0)),
    (dict(gradient_accumulation_steps=4), (4, 0)), (dict(eval_strategy="epoch", num_train_epochs=3), (39, 3)),
    (dict(eval_strategy="steps", eval_steps=5), (13, 2)), (dict(eval_strategy="steps", eval_steps=0.25), (13, 3))])
def test_steps_and_evaluations(more, expected):
    assert steps_of(settings(**more), 200) == expected


def test_a_trial_that_fails_is_told(tmp_path):
    class Broken(RewardTrainer):
        def compute_loss(self, *args, **kwargs):
            raise KeyError("mine")
    trainer = Broken(tiny_model(), settings(tmp_path), train_dataset=PAIRS, processing_class=tiny_tokenizer())
    checks = preflight(trainer)
    assert not_passed(checks) == {"time": "unknown", "frozen head": "unknown"}
    assert "KeyError: 'mine'" in checks["time"].why and "KeyError" in checks["frozen head"].why
    assert [check_memory(RunEstimate(1, gib), 24).status for gib in (40, 23, 9)] == ["fail", "warn", "pass"]
    assert [check.number for check in check_time(RunEstimate(7200, 1), price=1.5)] == [7200, 3]


def test_an_estimate_grows_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(chapter, "_seconds_per_token", lambda trainer, rows: 1e-3)
    monkeypatch.setattr(chapter, "_optimizer_time", lambda model: 0.5)
    trainer = RewardTrainer(tiny_model(), settings(tmp_path, eval_strategy="epoch"), train_dataset=PAIRS,
                            eval_dataset=PAIRS.select(range(9)), processing_class=tiny_tokenizer())
    rows = trainer.train_dataset.to_list()
    a_pair = sum(len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows) / len(rows)
    found = estimate_run(trainer, rows, 1600, 300)
    assert found.seconds_per_pair == pytest.approx(a_pair / 1000)
    assert found.seconds == pytest.approx(100 * (16 * a_pair / 1000 + 0.5) + 300 * a_pair / 3000)


def test_other_optimizers_are_unknown(tmp_path):
    trainer = RewardTrainer(tiny_model(), settings(tmp_path, optim="sgd"), train_dataset=PAIRS,
                            processing_class=tiny_tokenizer())
    assert chapter._check_rate(trainer).status == "unknown"


def test_comparing_says_what_is_missing():
    checks = Checks([Check("time", "pass", "about 0:10", "", number=10.0), Check("memory", "unknown", "?", "")])

    class Done:
        class state:
            log_history = [dict(memory_gib=1.0), dict(train_runtime=30.0)]
    time, memory = compare_with_run(checks, Done)
    assert (time.status, time.number, time.found) == ("warn", 3.0, "0:30, estimated 0:10")
    assert memory.status == "unknown"
