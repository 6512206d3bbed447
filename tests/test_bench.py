"Benchmarks: rows as they are published, rewards that survive an interruption, names, and rows of one's own"
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from hostile import PAYLOADS

from rmkit import benches as module
from rmkit import rules
from rmkit.benches import bench, BENCHMARKS, find_benchmark, find_rows
from rmkit.bias import LengthCorrection
from rmkit.cli import main
from rmkit.intervals import resamples
from rmkit.model import save_reward_model
from rmkit.options import BenchArguments
from rmkit.scoring import RewardModel
from rmkit.synthetic import make_pairs, make_rankings, tiny_model, tiny_tokenizer
from rmkit.words import BadRowError, visible

QUIET = dict(progress=False)


@pytest.fixture(scope="module")
def rm(): return RewardModel(tiny_model(), tiny_tokenizer())


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    "Intervals have tests of their own, in `test_intervals.py`"
    monkeypatch.setattr(module, "resamples", lambda *args, n_boot=None, **more: resamples(*args, n_boot=60, **more))


def words(*numbers):
    "A short answer for each number, all different"
    return [f"Sure: {', '.join(['cat', 'dog', 'cow', 'hen'][:1 + n % 4])} {n}." for n in numbers]


# Rows as they are published: what is written where, and what the rule makes of the rewards of [right..., wrong...]

def write(folder, name, rows):
    path = folder/name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet": pd.DataFrame(rows).to_parquet(path)
    elif path.suffix == ".jsonl": path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else: path.write_text(json.dumps(rows, indent=1))


def rewardbench(folder):
    subsets = ["alpacaeval-easy", "llmbar-natural", "donotanswer", "math-prm", "hep-cpp", "math-prm"]
    rows = [dict(prompt=f"Name {i} pets.", chosen=words(i)[0], chosen_model="a", rejected=words(i + 1)[0],
                 rejected_model="b", subset=subset, id=i) for i, subset in enumerate(subsets)]
    write(folder, "data/filtered-00000-of-00001.parquet", rows)
    write(folder, "data/raw-00000-of-00001.parquet", rows * 3)
    chat = [dict(content=text, role=role) for text, role in (("Hi", "user"), ("Hello!", "assistant"), ("And?", "user"))]
    write(folder, "data/shp-00000-of-00001.parquet", [dict(prompt=chat, chosen="Cat.", rejected="Dog.", subset="x")])
    return [(row["prompt"], [row["chosen"], row["rejected"]]) for row in rows] + [(chat, ["Cat.", "Dog."])]


def rewardbench2(folder):
    rows = [dict(id=str(i), prompt=f"Name {i} pets.", chosen=words(i), rejected=words(i + 1, i + 2, i + 3),
                 num_correct=1, num_incorrect=3, total_completions=4, additional_metadata=None, subset=subset)
            for i, subset in enumerate(list(rules.SUBSETS_OF_REWARDBENCH2)[:5])]
    for kind, n in (("ref", 1), ("tied", 3)):
        rows.append(dict(rows[0], id=f"{kind}:7", chosen=words(*range(n)), rejected=words(8, 9), num_correct=n,
                         total_completions=n + 2, subset="Ties"))
    write(folder, "data/test-00000-of-00001.parquet", rows)
    return [(row["prompt"], row["chosen"] + row["rejected"]) for row in rows]


def rm_bench(folder):
    domains = ["chat", "code", "math", "safety-refuse", "safety-response"]
    rows = [dict(id=i, prompt=f"Name {i} pets.", chosen=words(i, i + 1, i + 2), rejected=words(i + 3, i + 4, i + 5),
                 domain=domain) for i, domain in enumerate(domains)]
    write(folder, "total_dataset.json", rows)
    for row in rows:  # as in its repository, where the file alone tells the domain
        write(folder, f"data/{row['domain']}_filtered.json", [{k: row[k] for k in row if k != "domain"}])
    return [(row["prompt"], row["chosen"] + row["rejected"]) for row in rows]


def judgebench(folder):
    sources = ["mmlu-pro-law", "livebench-reasoning", "livebench-math", "livecodebench", "mmlu-pro-math"]
    rows = [dict(pair_id=f"a{i}", original_id=i, source=source, question=f"Name {i} pets.", response_A=words(i)[0],
                 response_model="gpt-4o-2024-05-13", response_B=words(i + 1)[0], label=["A>B", "B>A"][i % 2])
            for i, source in enumerate(sources)]
    write(folder, "data/dataset=judgebench,response_model=gpt-4o-2024-05-13.jsonl", rows)
    write(folder, "data/dataset=judgebench,response_model=claude-3-5-sonnet-20240620.jsonl",
          [row | dict(response_model="claude-3-5-sonnet-20240620") for row in rows[:2]])
    write(folder, "outputs/dataset=judgebench,response_model=gpt-4o,judge_name=x.jsonl", rows)
    return [(row["question"], [row["response_A"], row["response_B"]]) for row in rows]


def llmbar(folder):
    found = []
    for i, subset in enumerate(["Adversarial/GPTInst", "Adversarial/GPTOut", "Adversarial/Manual",
                                "Adversarial/Neighbor", "Natural"]):
        rows = [dict(input=f"Name {i} pets.", output_1=words(i)[0], output_2=words(i + 1)[0], label=1 + i % 2)]
        write(folder, f"Dataset/LLMBar/{subset}/dataset.json", rows)
        write(folder, f"Dataset/LLMBar/{subset}/evaluators/GPT-4/CoT/result.json", rows * 2)
        found.append((rows[0]["input"], [rows[0]["output_1"], rows[0]["output_2"]]))
    write(folder, "Dataset/CaseStudy/Normal/dataset.json", rows)
    return found


WRITERS = {"rewardbench": rewardbench, "rewardbench2": rewardbench2, "rm-bench": rm_bench, "judgebench": judgebench,
           "llmbar": llmbar}


@pytest.mark.parametrize("key", WRITERS)
def test_a_copy_of_the_published_files(key, tmp_path, rm):
    asked, known = WRITERS[key](tmp_path/"copy"), BENCHMARKS[key]
    result = bench(rm, tmp_path/"copy", **QUIET)
    n = len(asked)
    whole = result.name.partition(" (")[0]
    assert whole == f"part of {known.name}" and f"({n:,} of {known.total:,} prompts)" in result.name
    assert result.name in str(result) and result.name in result._repr_html_() and result.name in result.as_page()
    def as_key(prompt, texts): return json.dumps([prompt, texts], sort_keys=True)
    by_hand = {as_key(prompt, texts): rm.score(
        [prompt if isinstance(prompt, list) else [dict(role="user", content=prompt)]] * len(texts), texts)
        for prompt, texts in asked}
    for row in result.table.itertuples():
        np.testing.assert_allclose(row.rewards, by_hand[as_key(row.prompt, row.responses)], atol=1e-5)
    assert any("not a result of" in note for note in result.notes) and len(result.table) == n
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["benchmark"] == result.name
    same = bench(rm, tmp_path/"copy", key, **QUIET)  # by name as well as by its form
    assert same.as_dict() == result.as_dict()


def test_scores_are_the_rules(tmp_path, rm):
    rewardbench2(tmp_path)
    result = bench(rm, tmp_path, **QUIET)
    four_NK = np.array(result.table["rewards"][:5].tolist())
    ref, tied = (np.array(rewards) for rewards in result.table["rewards"][5:])
    gaps, spread = (ref[0] - ref[1:].max(), tied[:3].min() - tied[3:].max()), np.ptp(tied[:3])
    expected = rules.ties_score(["ref:7", "tied:7"], np.array(gaps), np.array([0, spread]))
    assert result.scores["Ties"].value == pytest.approx(expected)
    right_N, subsets = rules.best_of_four(four_NK), list(rules.SUBSETS_OF_REWARDBENCH2)[:5]
    assert [result.scores[name].value for name in subsets] == right_N.tolist()
    assert result.score.value == pytest.approx((right_N.sum() + expected) / 6)
    assert result.scores["Ties"].n == 2 and result.facts["responses"] == 4 * 5 + 3 + 5


@pytest.mark.parametrize("name, n", [("data/chat_filtered.json", 1), ("data", 5), ("total_dataset.json", 5)])
def test_a_part_of_a_clone(name, n, tmp_path):
    rm_bench(tmp_path)
    rows = find_rows(tmp_path/name)
    assert rows.known is BENCHMARKS["rm-bench"] and len(rows.asked) == n and "sha256" in rows.data


def test_the_other_set_of_judgebench(tmp_path):
    judgebench(tmp_path)
    file = next((tmp_path/"data").glob("*claude*"))
    assert find_rows(file).known is BENCHMARKS["judgebench-claude"] and find_rows(tmp_path).known.total == 350
    assert len(find_rows(tmp_path, "judgebench-claude").asked) == 2


def test_files_of_the_hub_with_other_names(tmp_path):
    llmbar(tmp_path/"a")
    for name in ("Natural", "Adversarial_Manual"):
        write(tmp_path/"b", f"LLMBar/{name}/0000.parquet", [dict(input="Hi", output_1="a", output_2="b", label=1)])
    assert [row.subset for row in find_rows(tmp_path/"b").asked] == ["Manual", "Natural"]
    judgebench(tmp_path/"c")
    shutil.copy(next((tmp_path/"c/data").glob("*gpt*")), tmp_path/"gpt.jsonl")
    assert find_rows(tmp_path/"gpt.jsonl").known.name == "JudgeBench"


@pytest.mark.parametrize("key, change, column", [
    ("rewardbench", dict(chosen=None), "chosen"), ("rewardbench", dict(subset="alpaca"), "subset"),
    ("rewardbench2", dict(rejected=["One."]), "rejected"), ("rewardbench2", dict(num_correct=2), "num_correct"),
    ("rewardbench2", dict(subset="Ties"), "id"), ("rewardbench2", dict(prompt=3), "prompt"),
    ("rm-bench", dict(chosen=["a", "b"]), "chosen"), ("rm-bench", dict(domain="maths"), "domain"),
    ("judgebench", dict(label="A=B"), "label"), ("judgebench", dict(response_B=None), "response_B"),
    ("llmbar", dict(label=3), "label"), ("llmbar", dict(output_1=[1]), "output_1")])
def test_a_bad_row_is_named_with_its_file(key, change, column, tmp_path):
    WRITERS[key](tmp_path)
    name, file = next(iter(module._files_of(tmp_path, BENCHMARKS[key].files).items()))
    row = next(iter(module.load_rows(file)))
    bad = json.loads(json.dumps(row)) | change
    with pytest.raises(BadRowError) as caught: BENCHMARKS[key].read(bad, name)
    assert caught.value.column == column and name in str(caught.value)


def test_a_bad_row_has_its_number(tmp_path, rm):
    llmbar(tmp_path)
    rows = [dict(input="Hi", output_1="a", output_2="b", label=label) for label in (1, 2, 0)]
    write(tmp_path, "Dataset/LLMBar/Natural/dataset.json", rows)
    with pytest.raises(BadRowError, match="row 2, column 'label': found int 0.*Natural/dataset.json"):
        bench(rm, tmp_path, **QUIET)


def test_rows_given_by_hand_as_a_known_benchmark(rm):
    rows = [dict(pair_id="a", source="livecodebench", question="Hi", response_A="Cat.", response_B="Cat.", label="B>A")]
    result = bench(rm, rows, "judgebench", **QUIET)
    assert result.name == "part of JudgeBench (1 of 350 prompts)" and result.scores["Coding"].value == 1  # a tie: B
    with pytest.raises(BadRowError, match="row 1, column 'label'"):
        bench(rm, [*rows, rows[0] | dict(label="C")], "judgebench", **QUIET)


# Names

@pytest.mark.parametrize("key", BENCHMARKS)
def test_only_the_whole_goes_by_the_name(key):
    known = BENCHMARKS[key]
    whole, name = dict(known.sizes), known.name + " without prior sets" * bool(known.more)
    assert module.name_of(known, whole) == name
    first = next(iter(whole))
    for part in ({**whole, first: whole[first] - 1}, {k: n for k, n in whole.items() if k != first}):
        assert module.name_of(known, part).startswith(f"part of {known.name} (")
    for other in ({**whole, first: whole[first] + 1}, {**whole, "new": 1}):
        assert module.name_of(known, other).startswith("rows in the form of")
    if known.more:
        assert module.name_of(known, whole | known.more) == f"{known.name} with prior sets"


def test_a_whole_benchmark_by_its_name_and_a_limited_one_not(tmp_path, rm):
    for subset, n in rules.SUBSETS_OF_LLMBAR.items():
        rows = [dict(input=f"Name {i % 9} pets.", output_1=f"Sure: cat {i}.", output_2="Sure: dog.", label=1 + i % 2)
                for i in range(n)]
        write(tmp_path, f"{'' if subset == 'Natural' else 'Adversarial/'}{subset}/dataset.json", rows)
    result = bench(rm, tmp_path, **QUIET)
    assert result.name == "LLMBar" and not result.notes and len(result.table) == 419
    scored = [rm.score([[dict(role="user", content=row.prompt)]] * 2, row.responses) for row in
              result.table[:20].itertuples()]
    right = [0.5 if a == b else float((a > b) == (label == 1)) for (a, b), label in zip(scored, result.table["label"])]
    assert result.table["right"][:20].tolist() == right
    limited = bench(rm, tmp_path, limit=40, **QUIET)
    assert limited.name == "part of LLMBar (40 of 419 prompts)"
    assert set(limited.table["subset"]) == set(rules.SUBSETS_OF_LLMBAR)


@pytest.mark.parametrize("written, key", [("RewardBench 2", "rewardbench2"), ("allenai/reward-bench-2", "rewardbench2"),
                                          ("reward-bench", "rewardbench"), ("RM_Bench", "rm-bench"),
                                          ("ScalerLab/JudgeBench", "judgebench"), ("LLMBAR", "llmbar")])
def test_spellings(written, key): assert find_benchmark(written) is BENCHMARKS[key]


# The Hub

def test_the_commit_is_told(tmp_path, rm, monkeypatch):
    llmbar(tmp_path/"snapshots/0a1b2c3d")
    asked = {}

    def snapshot_download(name, **options):
        asked.update(options, name=name)
        return str(tmp_path/"snapshots/0a1b2c3d")
    monkeypatch.setattr(module, "snapshot_download", snapshot_download)
    result = bench(rm, "llmbar", revision="main", **QUIET)
    assert result.facts["data"] == "princeton-nlp/LLMBar at 0a1b2c3d"
    assert asked == dict(name="princeton-nlp/LLMBar", repo_type="dataset", revision="main", allow_patterns="LLMBar/*")


@pytest.mark.parametrize("key", BENCHMARKS)
def test_without_a_connection_the_error_says_what_to_do(key, monkeypatch):
    def snapshot_download(*args, **options): raise OSError("no route")
    monkeypatch.setattr(module, "snapshot_download", snapshot_download)
    with pytest.raises(ConnectionError) as caught: find_rows(key)
    known = BENCHMARKS[key]
    assert f"hf download {known.hub} --repo-type dataset --include '{known.on_hub}'" in str(caught.value)


def test_a_name_that_means_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="Did you mean 'judgebench'.*rewardbench, rewardbench2, rm-bench"):
        find_rows("judgbench")
    with pytest.raises(FileNotFoundError, match="Known"): find_rows(tmp_path, rule="nobench")
    with pytest.raises(FileNotFoundError, match="no file or folder 'nowhere'"): find_rows("nowhere", rule="llmbar")


# Rewards that survive an interruption

PIECES = dict(max_tokens=40, progress=False)  # a few rows a piece


class Broken(KeyboardInterrupt): pass


def break_after(monkeypatch, pieces):
    "Let scoring break off after some pieces; a list that counts them"
    done, append = [], module._append

    def count(path, rewards):
        if len(done) == pieces: raise Broken
        done.append(len(rewards))
        append(path, rewards)
    monkeypatch.setattr(module, "_append", count)
    return done


@pytest.mark.parametrize("pieces, torn", [(0, b""), (1, b'{"rewards": [[0.25'), (2, b'{"rewards": [[1.0]]}'), (2, b"")])
def test_an_interrupted_run_goes_on_to_the_same_bit(pieces, torn, tmp_path, rm, monkeypatch):
    rewardbench2(tmp_path/"copy")
    whole = bench(rm, tmp_path/"copy", rewards=tmp_path/"whole.jsonl", **PIECES)
    with monkeypatch.context() as patched:
        break_after(patched, pieces)
        with pytest.raises(Broken): bench(rm, tmp_path/"copy", rewards=tmp_path/"half.jsonl", **PIECES)
    with open(tmp_path/"half.jsonl", "ab") as file: file.write(torn)
    done = break_after(monkeypatch, 99)
    again = bench(rm, tmp_path/"copy", rewards=tmp_path/"half.jsonl", **PIECES)
    n = len((tmp_path/"whole.jsonl").read_text().splitlines()) - 1
    assert len(done) == n - pieces > 0
    assert (tmp_path/"half.jsonl").read_bytes() == (tmp_path/"whole.jsonl").read_bytes()
    assert again.as_dict() == whole.as_dict() and again.table["rewards"].tolist() == whole.table["rewards"].tolist()
    assert bench(rm, tmp_path/"copy", **PIECES).table["rewards"].tolist() == whole.table["rewards"].tolist()
    bench(rm, tmp_path/"copy", rewards=tmp_path/"half.jsonl", **PIECES)
    assert len(done) == n - pieces  # nothing is scored twice


def other_template():
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = tokenizer.chat_template + "{# another #}"
    return RewardModel(tiny_model(), tokenizer)


def in_half_precision(): return RewardModel(tiny_model().to(torch.bfloat16), tiny_tokenizer())


def trained_on():
    model = tiny_model()
    with torch.no_grad(): model.score.weight.add_(1e-4)
    return RewardModel(model, tiny_tokenizer())


@pytest.mark.parametrize("other, options, what", [
    (trained_on, {}, "weights"), (other_template, {}, "template"), (None, dict(max_length=100), "max_length"),
    (None, dict(limit=3), "rows"), (in_half_precision, {}, "precision")])
def test_rewards_of_another_run_are_refused(other, options, what, tmp_path, rm):
    judgebench(tmp_path/"copy")
    file = tmp_path/"rewards.jsonl"
    bench(rm, tmp_path/"copy", rewards=file, **QUIET)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=f"another run.*{what}: .* there, .* here.*Give another file, or delete"):
        bench(other() if other else rm, tmp_path/"copy", rewards=file, **options, **QUIET)
    assert file.read_bytes() == before


def test_other_rows_are_refused_and_no_other_file_is_touched(tmp_path, rm):
    judgebench(tmp_path/"copy")
    file = tmp_path/"rewards.jsonl"
    bench(rm, tmp_path/"copy", rewards=file, **QUIET)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="data: .*inputs: "):
        bench(rm, next((tmp_path/"copy/data").glob("*claude*")), "judgebench", rewards=file, **QUIET)
    line = before.splitlines()[0] + b"\n"
    for foreign in (b'{"other": 1}\n', b"[1]\n", b'{"rewards": [[1.0]]}\n', b'{"rewards": [[1, 2]]}\n' * 9):
        file.write_bytes(line + foreign)
        with pytest.raises(ValueError, match="aren't this run's"): bench(rm, tmp_path/"copy", rewards=file, **QUIET)
    for text in ("My notes.", '{"prompt": "Hi"}\n', "[1]\n", '{"rmk'):
        file.write_text(text)
        if text.startswith('{"rmk'):  # the first line of a run, torn
            bench(rm, tmp_path/"copy", rewards=file, **QUIET)
            continue
        with pytest.raises(ValueError, match="something else"): bench(rm, tmp_path/"copy", rewards=file, **QUIET)
        assert file.read_text() == text


# What has to be said beside the number

def test_what_was_cut_and_what_was_too_long(tmp_path, rm):
    rows = [dict(input="Please name 3 animals. " * 5, output_1="Sure: cat.", output_2="Sure: dog.", label=1),
            dict(input="Hi", output_1="Sure: cat.", output_2="Sure: cat, dog, cow, hen. " * 20, label=1),
            dict(input="Hi", output_1="Sure: cat.", output_2="Sure: cat.", label=1)]
    write(tmp_path, "LLMBar/Natural/dataset.json", rows)
    result = bench(rm, tmp_path, max_length=30, **QUIET)
    assert result.facts["cut"].startswith("2 of 6 ") and result.facts["too long"].startswith("1 of 6 ")
    assert result.facts["read"] == "up to 30 tokens (as asked)" and "33.3% of comparisons" in result.facts["ties"]
    assert result.table["right"].tolist()[1:] == [0, 0.5] and math.isnan(result.table["rewards"][1][1])
    assert any("1 responses have no reward" in note for note in result.notes)
    json.dumps(result.as_dict(), allow_nan=False)


def test_the_limit_is_the_benchmarks_where_the_model_can(tmp_path, rm):
    rm_bench(tmp_path)
    short, long = bench(rm, tmp_path, **QUIET), module._with_limit(rm, 4096)
    assert short.facts["read"] == "up to 512 tokens (the model's limit; the benchmark's program reads 2,048)"
    assert bench(long, tmp_path, **QUIET).facts["read"] == "up to 2,048 tokens (as in the benchmark's program)"
    assert long.max_length == 4096  # the model given stays as it was


def test_half_precision_is_told_where_it_makes_ties(tmp_path):
    rows = [dict(input="Hi", output_1="Sure: cat.", output_2="Sure: cat.", label=1)] * 2
    write(tmp_path, "LLMBar/Natural/dataset.json", rows)
    half = bench(in_half_precision(), tmp_path, **QUIET)
    assert half.facts["precision"] == "bfloat16" and any("bfloat16 rounds rewards" in note for note in half.notes)
    assert half.scores["Natural"].value == 0.5


def test_a_model_without_a_template_gets_plain_text(tmp_path):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    plain = RewardModel(tiny_model(), tokenizer)
    asked = judgebench(tmp_path)
    result = bench(plain, tmp_path, **QUIET)
    assert result.facts["template"] == "plain text, without a template"
    np.testing.assert_allclose(result.table["rewards"][0], plain.score([asked[0][0]] * 2, asked[0][1]), atol=1e-5)


def test_a_length_correction_is_applied_and_told(tmp_path, rm):
    judgebench(tmp_path)
    raw = bench(rm, tmp_path, rewards=tmp_path/"rewards.jsonl", **QUIET)
    corrected = rm.with_length_correction(LengthCorrection((0.0, 50.0), (0.0, 100.0), 0.5))
    result = bench(corrected, tmp_path, rewards=tmp_path/"rewards.jsonl", **QUIET)  # the file has raw ones
    assert raw.facts["rewards"] == "raw" and result.facts["rewards"] == "less 50% of a bias for length"
    row = result.table.iloc[0]
    expected = corrected.score([[dict(role="user", content=row.prompt)]] * 2, row.responses)
    np.testing.assert_allclose(row.rewards, expected, atol=1e-5)
    assert abs(row.rewards[0] - raw.table["rewards"][0][0]) > 1


def test_what_was_trained_on_is_told(tmp_path, rm):
    asked = judgebench(tmp_path)
    train = [dict(prompt=prompt, chosen=a + " One two.", rejected=b + " Three four.") for prompt, (a, b) in asked[:2]]
    result = bench(rm, tmp_path, train=train, **QUIET)
    assert result.facts["training set"] == "of 5 rows 2 share a prompt"
    assert "trained on: of 5 rows 2 share a prompt" in result.notes
    clean = bench(rm, tmp_path, train=make_pairs(20), **QUIET)
    assert clean.facts["training set"] == "of 5 rows none is in it" and len(clean.notes) == len(result.notes) - 1


def test_hostile_names_do_no_harm(rm):
    rows = [row | dict(source=text) for row, text in zip(make_pairs(len(PAYLOADS)), PAYLOADS)]
    result = bench(rm, rows, **QUIET)
    result.name, result.notes = PAYLOADS[0], list(PAYLOADS)
    page = result.as_page()
    assert "<script" not in page and "<img" not in page and page.count("<style>") == page.count("</style>") == 2
    assert page.count("<tr>") == 1 + len(result.scores) + len(result.facts) and len(result.scores) > 100
    assert visible(page) == page and visible(str(result)) == str(result)
    json.dumps(result.as_dict(), allow_nan=False)


# Rows of one's own

def margin_of_a_half(pairs): return (pairs["reward_margin"] > 0.5).mean()


def best_of_n(pairs):
    highest = pairs.groupby("prompt_id")[["reward_chosen", "reward_rejected"]].max()
    return (highest["reward_chosen"] > highest["reward_rejected"]).mean()


def test_a_folder_and_a_function(tmp_path, rm):
    pairs = make_pairs(40, seed=3)
    pairs.to_json(tmp_path/"rows.jsonl")
    result = bench(rm, tmp_path, margin_of_a_half, **QUIET)
    scores = rm.score_pairs(pairs, progress=False)
    assert result.score.value == pytest.approx((scores.reward_margin > 0.5).mean(), abs=1e-6)
    assert result.name == tmp_path.name and list(result.scores) == ["Score"] and result.score.low < result.score.high
    plain = bench(rm, tmp_path, **QUIET)
    assert plain.score.value == pytest.approx(((np.sign(scores.reward_margin) + 1) / 2).mean())
    assert set(plain.scores) == {"Accuracy", *pairs["source"]} and plain.scores[pairs[0]["source"]].n < 40
    limited = bench(rm, tmp_path, limit=10, **QUIET)
    assert limited.name == f"part of {tmp_path.name} (10 of 40 rows)" and len(limited.table) == 10


def test_rankings_and_best_of_n(rm):
    rankings = make_rankings(25, k=4, seed=2).select_columns(["prompt", "responses", "scores"])
    result = bench(rm, rankings, best_of_n, **QUIET)
    right = [row["scores"][rm.score([row["prompt"]] * 4, row["responses"]).argmax()] == max(row["scores"])
             for row in rankings]
    assert result.score.value == pytest.approx(np.mean(right)) and len(np.unique(result.groups_N)) == 25


@pytest.mark.parametrize("rows", [
    [dict(question="Name 2 pets.", a="Cat, dog.", b="Car.", winner="a"),
     dict(question="Hi", a="Ugh.", b="Hello!", winner="b")],
    [dict(prompt="Name 2 pets.", chosen="Cat, dog.", rejected="Car."),
     dict(prompt="Hi", chosen="Hello!", rejected="Ugh.")]])
def test_any_layout_of_pairs(rows, rm):
    result = bench(rm, rows, **QUIET)
    assert result.table["chosen"].map(module.as_text).tolist() == ["Cat, dog.", "Hello!"] and result.facts["layout"]


def test_what_is_left_out_is_told(rm):
    rows = [dict(prompt="Hi", responses=["Cat.", "Dog.", "Cow."], scores=[1, 1, 2])]
    result = bench(rm, rows, lambda pairs: math.inf, **QUIET)
    assert (result.facts["left out"], result.facts["rows"], result.facts["different prompts"]) == ("1 (tie)", 2, 1)
    assert math.isnan(result.score.value) and "no finite number" in result.score.why
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["scores"]["Score"]["value"] is None


def test_a_rule_that_gives_no_number(rm):
    with pytest.raises(TypeError, match="gave a Series for 'Score'"):
        bench(rm, make_pairs(4), lambda pairs: pairs["reward_margin"], **QUIET)


def test_resamples_draw_prompts_and_keep_copies_apart():
    pairs = pd.DataFrame(dict(prompt_id=[0, 0, 1, 2], x=[1, 2, 3, 4]))
    drawn = module._repeat_pairs(pairs, np.array([2, 2, 0, 1]))
    assert drawn.groupby("prompt_id")["x"].apply(list).tolist() == [[1, 2], [4], [1, 2]]


def test_own_rows_go_on_after_an_interruption_too(tmp_path, rm, monkeypatch):
    options = dict(rewards=tmp_path/"rewards.jsonl", max_tokens=100, progress=False)
    with monkeypatch.context() as patched:
        break_after(patched, 2)
        with pytest.raises(Broken): bench(rm, make_pairs(30), **options)
    done = break_after(monkeypatch, 99)
    again = bench(rm, make_pairs(30), **options)
    assert 0 < sum(done) < 30
    assert again.as_dict() == bench(rm, make_pairs(30), max_tokens=100, progress=False).as_dict()


@pytest.mark.parametrize("rows, error, what", [
    ([dict(prompt="Hi", chosen="a", rejected=None)], BadRowError, "row 0, column 'rejected'"),
    ([], ValueError, "no rows"),
    ([dict(prompt="Hi")], BadRowError, "column")])
def test_rows_that_make_no_sense(rows, error, what, rm):
    with pytest.raises(error, match=what): bench(rm, Dataset.from_list(rows), **QUIET)


def test_a_limit_below_one(rm):
    with pytest.raises(ValueError, match="give 1 or more"): bench(rm, make_pairs(4), limit=0)


# Intervals and comparisons

def test_intervals_hold_a_prompt_together_and_a_constant_share_has_one(tmp_path, rm):
    pairs = [dict(prompt=f"Name {i} pets.", chosen=f"Sure: cat {j}.", rejected="Sure: dog.")
             for i in range(8) for j in range(9)]
    result = bench(rm, pairs, **QUIET)
    one = bench(rm, pairs, lambda pairs: 1.0, **QUIET).score
    assert result.score.n == 72 and len(np.unique(result.groups_N)) == 8 and result.score.low <= result.score.value
    assert one.value == 1 and math.isnan(one.low) and "give one number" in one.why


def test_difference_of_two_results(tmp_path, rm):
    judgebench(tmp_path)
    other = RewardModel(tiny_model(seed=5), tiny_tokenizer())
    a, b = bench(rm, tmp_path, **QUIET), bench(other, tmp_path, **QUIET)
    found = a.minus(b)
    assert list(found.index) == list(a.scores)
    assert found.loc["Overall", "difference"] == pytest.approx(a.score.value - b.score.value)
    assert found.loc["Overall", "low"] <= found.loc["Overall", "difference"] <= found.loc["Overall", "high"]
    own_a, own_b = (bench(model, make_pairs(60), margin_of_a_half, **QUIET) for model in (rm, other))
    assert own_a.minus(own_b).loc["Score", "difference"] == pytest.approx(own_a.score.value - own_b.score.value)
    with pytest.raises(ValueError, match="same rows"): a.minus(bench(rm, tmp_path, limit=3, **QUIET))


# On the command line

@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")/"tiny"
    save_reward_model(tiny_model(), tiny_tokenizer(), folder)
    return str(folder)


def test_command(saved, tmp_path, capsys):
    judgebench(tmp_path/"copy")
    for output in ("result.json", "result.html"):
        command = ["bench", "--model", saved, "--benchmark", str(tmp_path/"copy"), "--limit", "4", "--resume",
                   str(tmp_path/"rewards.jsonl"), "--output", str(tmp_path/output)]
        assert main(command) == 0
    out = capsys.readouterr().out
    assert "part of JudgeBench (4 of 350 prompts)" in out and "a tie goes to B" in out
    found = json.loads((tmp_path/"result.json").read_text())
    assert found["scores"]["Overall"]["n"] == 4 and saved in found["facts"]["model"]
    assert "part of JudgeBench (4 of 350 prompts)</title>" in (tmp_path/"result.html").read_text()


@pytest.mark.parametrize("wrong, what", [
    ("--benchmark rewardbench3", "Did you mean 'rewardbench'? Known: rewardbench, rewardbench2, rm-bench"),
    ("--benchmark rewardbench2", "hf download allenai/reward-bench-2 --repo-type dataset"),
    ("--benchmark rewardbench2 --limit 0", "--limit 0: give 1 or more"),
    ("--benchmark rewardbench2 --output result.csv", "must end in .html or .json"),
    ("--benchmark rewardbench2 --resume rewards.csv", "--resume rewards.csv: the name must end in .jsonl")])
def test_what_a_user_gets_wrong(wrong, what, saved, capsys):
    assert main(["bench", "--model", saved, *wrong.split()]) == 2
    error = capsys.readouterr().err
    assert what in error and error.count("\n") == 1


def test_help_names_the_known_benchmarks():
    help = BenchArguments.__dataclass_fields__["benchmark"].metadata["help"]
    names = help.partition(";")[0].replace(" or ", ", ").split(", ")
    assert names == list(BENCHMARKS)


def test_nothing_runs_code_of_others():
    source = Path(module.__file__).read_text()
    assert "trust_remote_code" not in source and "pickle" not in source
