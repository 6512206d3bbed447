"Formats in, bad rows refused or counted, streams, rankings, ratings, splits."
import json
import math
import pickle

import pytest
from data_helpers import CHATML, STRICT, assistant, byte_tokenizer, user
from datasets import Dataset, DatasetDict, Features, IterableDataset, Json, List, Value, disable_progress_bars
from hypothesis import given
from hypothesis import strategies as st

from rmkit.data import (detect_format, extract_prompt, Format, format_hh, parse_hh, prepare_dataset, split_by_prompt,
                        to_pairs)
from rmkit.files import load_rows
from rmkit.words import as_text, BadRowError, drop_none

disable_progress_bars()
CHAT = {"prompt": [user("Hi")], "chosen": [assistant("Good day.")], "rejected": [assistant("What?")]}
TEXT = {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}
TOKENIZER = byte_tokenizer()


def prepare(rows, tokenizer=TOKENIZER, **options):
    return prepare_dataset(Dataset.from_list(rows), tokenizer, **options)


# Bad rows ----------------------------------------------------------------------------------------------------------

BAD_ROWS = {
    "empty": (TEXT | {"chosen": ""}, "chosen", "found str ''; expected a non-empty answer", "empty answer"),
    "blank": (TEXT | {"rejected": " \n"}, "rejected", "found str ' \\n'; expected a non-empty answer", "empty answer"),
    "null": (TEXT | {"chosen": None}, "chosen", "found null; expected a non-empty answer", "empty answer"),
    "null prompt": (TEXT | {"prompt": None}, "prompt", "found NoneType None; expected text", "wrong type"),
    "equal": (TEXT | {"rejected": " blue."}, "rejected",
              "found str ' blue.'; expected an answer other than the chosen one",
              "chosen equals rejected"),
    "no messages": (CHAT | {"chosen": []}, "chosen", "expected a non-empty answer", "empty answer"),
    "blank message": (CHAT | {"chosen": [assistant(" ")]}, "chosen", "expected a non-empty answer", "empty answer"),
    "null message": (CHAT | {"chosen": [assistant(None)]}, "chosen", "expected a non-empty answer", "empty answer"),
    "null in prompt": (CHAT | {"prompt": [user(None)]},
                       "prompt", "found content NoneType None; expected text", "wrong type"),
    "another prompt": (CHAT | {name: [user("Ho"), *CHAT[name]] for name in ("chosen", "rejected")}, "prompt",
                       "expected the question that the conversations begin with", "two prompts"),
    "user last": (CHAT | {"chosen": CHAT["chosen"] + [user("Thanks")]}, "chosen", "found a last message from 'user'",
                  "roles out of order"),
    "nobody speaks": (CHAT | {"prompt": [{"role": None, "content": "Hi"}]}, "prompt",
                      "expected a list of messages with 'role' and 'content'", "wrong type"),
    "NaN margin": (TEXT | {"margin": math.nan}, "margin", "found float nan; expected a finite number", "bad number"),
    "infinite margin": (TEXT | {"margin": math.inf},
                        "margin", "found float inf; expected a finite number", "bad number"),
    "null margin": (TEXT | {"margin": None}, "margin", "found NoneType None; expected a finite number", "bad number"),
    "scores": (TEXT | {"score_chosen": 1.0, "score_rejected": 2.0}, "score_chosen", "found 1, below score_rejected=2",
               "scores contradict the labels"),
    "NaN score": (TEXT | {"score_chosen": 1.0, "score_rejected": math.nan},
                  "score_rejected", "found float nan", "bad number"),
    "score count": ({"prompt": "x", "responses": ["a", "b"], "scores": [1.0]},
                    "scores", "expected one score a response", "wrong type"),
    "ranked NaN": ({"prompt": "x", "responses": ["a", "b"], "scores": [1.0, math.nan]},
                   "scores[1]", "found float nan", "bad number"),
    "ranked blank": ({"prompt": "x", "responses": ["a", " "], "scores": [1.0, 2.0]},
                     "responses[1]", "found str ' '", "empty answer"),
    "rated blank": ({"prompt": "x", "response": " ", "score": 1.0}, "response", "found str ' '", "empty answer"),
    "rated NaN": ({"prompt": "x", "response": "a", "score": math.nan}, "score", "found float nan", "bad number"),
    "no ids": ({"chosen_ids": [], "rejected_ids": [1]},
               "chosen_ids", "expected a non-empty list of token ids", "empty answer"),
    "equal ids": ({"chosen_ids": [1, 2], "rejected_ids": [1, 2]},
                  "rejected_ids", "found the token ids of chosen", "chosen equals rejected"),
    "transcript": ({"chosen": "Human: a", "rejected": "\n\nHuman: a\n\nAssistant: c"}, "chosen",
                   "expected a transcript starting with '\\n\\nHuman: '", "not a transcript"),
    "transcript without answer": (
        {"chosen": "\n\nHuman: a\n\nAssistant:", "rejected": "\n\nHuman: a\n\nAssistant: c"}, "chosen",
        "found a last message from 'user'", "roles out of order"),
}


def good_rows(bad):
    "Three good rows of the bad one's format."
    row = next(good for good in [
        {"chosen_ids": [1, 2], "rejected_ids": [1, 3]}, {"prompt": "y", "responses": ["a", "b"], "scores": [1.0, 2.0]},
        {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"},
        {"prompt": "y", "response": "a", "score": 1.0}, TEXT | {"margin": 1.0},
        TEXT | {"score_chosen": 2.0, "score_rejected": 1.0}, CHAT if isinstance(bad.get("chosen"), list) else TEXT,
    ] if set(good) == set(bad))
    return [row, row | {"response": "b", "score": 2.0} if "response" in row else row, row]


ONE_OF_EACH_LAYOUT = ["empty", "user last", "transcript", "equal ids", "ranked NaN", "rated NaN"]


@pytest.mark.parametrize("name, num_proc",
                         [(name, None) for name in BAD_ROWS] + [(name, 2) for name in ONE_OF_EACH_LAYOUT])
def test_bad_rows_raise_or_are_counted(name, num_proc):
    bad, column, message, reason = BAD_ROWS[name]
    rows = good_rows(bad) * 2 + [bad]
    with pytest.raises(BadRowError) as info:
        prepare(rows, num_proc=num_proc)
    error = info.value
    assert (error.row, error.column, error.reason) == (len(rows) - 1, column, reason)
    assert str(error).startswith(f"row {len(rows) - 1}, column '{column}': found ") and message in str(error)
    assert 'on_bad_row="drop"' in error.remedy
    prepared, report = prepare(rows, num_proc=num_proc, on_bad_row="drop")
    assert report.dropped[reason] == 1 and report.rows == len(rows)
    assert len(prepared) == report.pairs == prepare(rows[:-1])[1].pairs


@pytest.mark.parametrize("rows, column", [
    ([{"prompt": "x", "chosen": "a"}], "rejected"), ([{"rejected": "a"}], "chosen"), ([{"responses": ["a"]}], "scores"),
    ([{"text": "a"}], "chosen"), ([{"chosen_ids": [1]}], "chosen"),
])
def test_a_missing_column_is_named(rows, column):
    for on_bad_row in ("raise", "drop"):
        with pytest.raises(BadRowError, match=f"row 0, column '{column}': found no such column among"):
            prepare(rows, on_bad_row=on_bad_row)


def test_wrong_types_of_whole_columns():
    with pytest.raises(BadRowError, match="row 0, column 'chosen': found int 1; expected text"):
        prepare([{"chosen": 1, "rejected": 2}])
    with pytest.raises(BadRowError,
                       match="expected a list of messages with 'role' and 'content'. All 1 rows looked at"):
        prepare([{"chosen": [{"who": "human", "said": "x"}], "rejected": [{"who": "human", "said": "y"}]}])
    with pytest.raises(BadRowError, match=r"found list \['a'\]"):
        prepare([{"prompt": "x", "chosen": ["a"], "rejected": ["b"]}])


def test_what_a_template_refuses_is_a_bad_row():
    row = CHAT | {"prompt": [{"role": "system", "content": "Be kind."}, user("Hi")]}
    with pytest.raises(BadRowError,
                       match="row 1, column 'prompt': found messages the chat template refuses .no system role"):
        prepare([CHAT, row], byte_tokenizer(STRICT))
    _, report = prepare([CHAT, row], byte_tokenizer(STRICT), on_bad_row="drop")
    assert report.dropped == {"refused by template": 1}


def test_nothing_left_and_nothing_given():
    with pytest.raises(ValueError, match=r"no pair is left. train: 1 rows .* 1 dropped \(empty answer\)"):
        prepare([TEXT | {"chosen": " "}], on_bad_row="drop")
    with pytest.raises(ValueError, match="the test split has no rows"):
        prepare_dataset(Dataset.from_dict({"chosen": [], "rejected": []}), TOKENIZER, split="test")
    with pytest.raises(ValueError, match="overlong='cut'"):
        prepare([TEXT], overlong="cut")


def test_the_error_survives_pickling_and_shows_no_control_characters():
    error = pickle.loads(pickle.dumps(BadRowError(3, "chosen", "x", "y", "Do z.", "w")))
    assert str(error) == "row 3, column 'chosen': found x; expected y. Do z." and error.reason == "w"
    with pytest.raises(BadRowError) as info:
        prepare([TEXT | {"chosen": "\x1b[31m" * 50, "rejected": "\x1b[31m" * 50}])
    assert "\x1b" not in str(info.value) and "..." in str(info.value)


# Formats -----------------------------------------------------------------------------------------------------------

def test_rankings_become_all_ordered_pairs():
    rows = [{"prompt": "x", "responses": ["a", "b", "c", "d"], "scores": [0, 2, 2, 5], "source": "s"},
            {"prompt": "y", "responses": ["a"], "scores": [1]}]
    prepared, report = prepare(rows)
    found = {(row["chosen"], row["rejected"]): row["margin"] for row in prepared}
    assert found == {("b", "a"): 2, ("c", "a"): 2, ("d", "a"): 5, ("d", "b"): 3, ("d", "c"): 3}
    assert report.dropped == {"tie": 1, "fewer than two responses": 1} and report.rows == 2
    assert set(prepared["source"]) == {"s"}
    assert "responses" not in prepared.column_names


def test_one_equal_pair_leaves_the_rest_of_a_ranking():
    _, report = prepare([{"prompt": "x", "responses": ["a", "a", "b"], "scores": [0, 1, 2]}], on_bad_row="drop")
    assert report.pairs == 2 and report.dropped == {"chosen equals rejected": 1}


@pytest.mark.parametrize("score", ["score", "rating", "label"])
@pytest.mark.parametrize("chat", [False, True])
def test_ratings_of_a_prompt_are_compared_wherever_they_are(score, chat):
    ask, say = (lambda text: [user(text)], lambda text: [assistant(text)]) if chat else (str, str)
    values = [True, True, False] if score == "label" else [3, 5, 1]
    rows = [{"prompt": ask(p), "completion": say(a), score: v, "source": "s"} for p, a, v in zip("xyx", "abc", values)]
    prepared, report = prepare(rows)
    assert (prepared[0]["chosen"], prepared[0]["rejected"]) == (say("a"), say("c"))
    assert prepared[0]["margin"] == (1 if score == "label" else 2) and report.rows == 3
    assert report.dropped == {"fewer than two responses": 1} and prepared[0]["source"] == "s"


def test_rated_rows_are_named_by_their_own_index():
    rows = [{"prompt": p, "response": a, "score": 1.0 + i} for i, (p, a) in enumerate(zip("xyxy", "abcd"))]
    rows[2]["response"] = " "
    with pytest.raises(BadRowError, match="row 2, column 'response'"):
        prepare(rows)


def test_tools_reach_the_template_without_what_arrow_filled_in():
    template = ("{{ tools | tojson if tools else 'none' }}{% for m in messages %}{{ 'tool_calls' in m }}{% endfor %}"
                + CHATML)
    tool = {"name": "add", "parameters": {"a": {"type": "number"}}}
    call = assistant("", tool_calls=[{"function": {"name": "add", "arguments": {"a": 1}}}])
    with_call = CHAT | {"chosen": [call]}
    other_tool = {"name": "stop", "parameters": {"b": {"type": "string"}}}
    rows = [CHAT | {"tools": [tool]}, with_call | {"tools": [tool, other_tool]}]
    prepared, _ = prepare(rows, byte_tokenizer(template))
    text = TOKENIZER.decode(prepared[0]["chosen_ids"])
    assert text.startswith(json.dumps([tool])) and "FalseFalse" in text
    assert "FalseTrue" in TOKENIZER.decode(prepared[1]["chosen_ids"])
    as_json, _ = prepare([row | {"tools": json.dumps(row["tools"])} for row in rows], byte_tokenizer(template))
    assert as_json["chosen_ids"][:] == prepared["chosen_ids"][:]
    assert drop_none(prepared[1]["chosen"]) == [call]


def test_message_keys_that_appear_late_and_json_features():
    call = assistant("", tool_calls=[{"function": {"name": "add", "arguments": {"a": 1}}}])
    prepared, _ = prepare([CHAT] * 1200 + [CHAT | {"chosen": [call]}])
    assert drop_none(prepared[1200]["chosen"]) == [call] and drop_none(prepared[0]["chosen"]) == CHAT["chosen"]
    messages = List(Json())
    rows = Dataset.from_list([CHAT, CHAT | {"chosen": [call]}], features=Features(dict.fromkeys(CHAT, messages)))
    assert prepare_dataset(rows, TOKENIZER)[0][1]["chosen"] == [call]


def test_columns_that_are_not_ours_stay():
    prepared, _ = prepare([TEXT | {"source": "a", "id": 7, "true_margin": 0.5}])
    assert [prepared[0][name] for name in ("source", "id", "true_margin")] == ["a", 7, 0.5]
    assert prepared.features["chosen_ids"] == List(Value("int32"))


def test_transcripts_without_a_chat_template_stay_text():
    row = {name: format_hh([user("Hi"), *CHAT[name]]) for name in ("chosen", "rejected")}
    prepared, report = prepare([row], byte_tokenizer(None))
    assert report.format == Format("implicit", "text")
    assert TOKENIZER.decode(prepared[0]["chosen_ids"]) == row["chosen"] + "</s>"
    assert prepare([row])[0][0]["prompt"] == [user("Hi")]


marked = st.tuples(st.sampled_from(["\n\nHuman: ", "\n\nAssistant: "]), st.text(st.sampled_from("\n :HumanAssit")))


@given(st.lists(marked, min_size=1))
def test_transcripts_round_trip(turns):
    text = "".join(marker + content for marker, content in turns)
    assert format_hh(parse_hh(text)) == text


def test_not_a_transcript():
    for text in ("", "Human: a", "x\n\nHuman: a", "\n\nHuman:a"):
        with pytest.raises(BadRowError, match="expected a text starting with"):
            parse_hh(text)


@given(st.text(st.sampled_from("ab \n")), st.text(st.sampled_from("ab \n")), st.text(st.sampled_from("ab \n")))
def test_extracted_text_loses_nothing(shared, a, b):
    prompt, chosen, rejected = extract_prompt(shared + a, shared + b)
    assert prompt + chosen == shared + a and prompt + rejected == shared + b
    assert not prompt[-1:].isspace() and all(not rest or rest[0].isspace() for rest in (chosen, rejected) if prompt)


def test_extracted_messages_leave_each_answer_one():
    talk = [user("a"), assistant("b"), user("c"), assistant("d")]
    assert extract_prompt(talk, talk[:2]) == ([user("a")], talk[1:], talk[1:2])
    assert extract_prompt(talk, talk) == (talk[:3], talk[3:], talk[3:])


def test_older_ids_with_masks_and_margin():
    row = {"input_ids_chosen": [5, 6, 0], "attention_mask_chosen": [1, 1, 0], "input_ids_rejected": [5, 7],
           "attention_mask_rejected": [1, 1], "margin": 2}
    prepared, report = prepare([row])
    assert prepared[0] == {"chosen_ids": [5, 6], "rejected_ids": [5, 7], "margin": 2.0} and report.pairs == 1
    assert to_pairs({"chosen_input_ids": [1], "rejected_input_ids": [2]}) == [{"chosen_ids": [1], "rejected_ids": [2]}]


def test_detection():
    answers = {"chosen": [assistant("y")], "rejected": [assistant("z")]}
    whole = {name: [user("x"), *answer] for name, answer in answers.items()}
    assert detect_format({"prompt": "x", **whole}) == Format("implicit", "messages")
    assert detect_format({"prompt": "x", **answers}) == Format("explicit", "messages")
    assert str(Format("ranking", "text", "scores")) == "ranking, text, margin from scores"


# Datasets ----------------------------------------------------------------------------------------------------------

def test_prepared_data_is_left_alone():
    once, _ = prepare([CHAT, CHAT])
    twice, report = prepare_dataset(once, TOKENIZER, max_length=1000)
    assert twice is once and (report.rows, report.pairs, report.truncated, report.dropped) == (2, 2, 0, {})


def test_a_stream_is_lazy_counts_as_it_goes_and_again():
    read = []

    def rows():
        for i in range(250):
            read.append(i)
            yield TEXT | {"chosen": " blue" + "." * i} if i != 120 else TEXT | {"chosen": " "}
    stream, report = prepare_dataset(IterableDataset.from_generator(rows), TOKENIZER, on_bad_row="drop", max_length=200)
    assert isinstance(stream, IterableDataset) and len(read) <= 100 and (report.rows, report.pairs) == (0, 0)
    iterator = iter(stream)
    for _ in range(10):
        next(iterator)
    assert report.pairs == 10
    for _ in range(2):
        kept = list(stream)
        assert report.rows == 250 and report.pairs == len(kept) and report.dropped["empty answer"] == 1
        assert report.pairs + report.dropped.total() == 250 and report.dropped["response longer than max_length"] > 0
    table, _ = prepare_dataset(Dataset.from_list(list(rows())), TOKENIZER, on_bad_row="drop", max_length=200)
    assert kept == list(table)


def test_streams_say_which_row_is_bad_and_may_lack_keys():
    def rows():
        yield from [TEXT] * 130
        yield {"prompt": "x", "chosen": "y"}
    stream, _ = prepare_dataset(IterableDataset.from_generator(rows), TOKENIZER)
    with pytest.raises(BadRowError, match="row 130, column 'rejected': found null"):
        list(stream)


def test_a_stream_of_rankings_and_of_ratings():
    ranking = [{"prompt": "x", "responses": ["a", "b", "c"], "scores": [1, 2, 2]}] * 3
    stream, report = prepare_dataset(Dataset.from_list(ranking).to_iterable_dataset(), TOKENIZER)
    assert len(list(stream)) == 6 and report.rows == 3 and report.dropped == {"tie": 3}
    rows = [{"prompt": p, "response": a, "score": s} for p, a, s in zip("xxyyx", "abcde", [1, 2, 5, 3, 1])]
    stream, report = prepare_dataset(Dataset.from_list(rows).to_iterable_dataset(), TOKENIZER)
    assert report.rows == 0
    for _ in range(2):
        pairs = list(stream)
        assert [(pair["chosen"], pair["rejected"], pair["margin"]) for pair in pairs] == [("b", "a", 1), ("c", "d", 2)]
        assert report.rows == 5 and report.pairs == 2 and report.dropped == {"fewer than two responses": 1}
        assert "_row" not in pairs[0] and "responses" not in pairs[0]


def test_dicts_and_formatted_datasets():
    splits, reports = prepare_dataset(DatasetDict(a=Dataset.from_list([TEXT]), b=Dataset.from_list([CHAT])), TOKENIZER)
    assert isinstance(splits, DatasetDict) and reports["b"].split == "b"
    plain, _ = prepare_dataset({"a": Dataset.from_list([TEXT])}, TOKENIZER)
    assert plain["a"][0] == splits["a"][0]
    torch_rows = Dataset.from_list([{"chosen_ids": [1, 2], "rejected_ids": [1, 3]}]).with_format("torch")
    assert prepare_dataset(torch_rows, TOKENIZER)[1].pairs == 1


def test_counts_are_right_when_the_pass_comes_from_a_cache(tmp_path):
    Dataset.from_list([TEXT, TEXT | {"chosen": " "}]).to_json(tmp_path / "rows.jsonl")
    for _ in range(2):
        _, report = prepare_dataset(load_rows(tmp_path / "rows.jsonl"), TOKENIZER, on_bad_row="drop")
        assert (report.rows, report.pairs, report.dropped) == (2, 1, {"empty answer": 1})


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "parquet"])
def test_load_rows(tmp_path, suffix):
    path, rows = tmp_path / f"rows.{suffix}", Dataset.from_list([TEXT])
    getattr(rows, {"jsonl": "to_json"}.get(suffix, f"to_{suffix}"))(path)
    assert load_rows(path)[0] == load_rows(str(path), "test")[0] == TEXT
    with pytest.raises(FileNotFoundError, match="no file"):
        load_rows(tmp_path / f"other.{suffix}")


@pytest.mark.parametrize("inside", [False, True])
def test_split_by_prompt(inside):
    rows = [CHAT | {"prompt": [user(f"q{i % 10}")], "chosen": [assistant(f"a{i}")]} for i in range(40)]
    if inside:
        rows = [{name: row["prompt"] + row[name] for name in ("chosen", "rejected")} for row in rows]
    parts = split_by_prompt(Dataset.from_list(rows), 0.25, seed=3)
    questions = {name: {str(to_pairs(row)[0]["prompt"]) for row in part} for name, part in parts.items()}
    assert not questions["train"] & questions["test"] and len(parts["test"]) == 12 and len(parts["train"]) == 28
    assert split_by_prompt(Dataset.from_list(rows), 0.25, seed=3)["test"][:] == parts["test"][:]
    assert len(split_by_prompt(Dataset.from_list(rows), 4)["test"]) == 4
    with pytest.raises(ValueError, match="split before tokenising"):
        split_by_prompt(Dataset.from_list([{"chosen_ids": [1], "rejected_ids": [2]}]))


def test_as_text():
    assert as_text([user("Hi"), assistant("Ho")]) == "User: Hi\n\nAssistant: Ho"
    assert as_text([{"role": "system", "content": "x"}]) == "System: x" and as_text([]) == ""
    assert as_text([user([{"type": "text", "text": "Hi"}, {"type": "image"}])]) == "Hi[image]"
