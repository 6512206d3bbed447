"Layouts that people have: the question is read once, the right side is chosen, ties and what can't be told are said."
import json

import pytest
from data_helpers import CHATML, STRICT, assistant, byte_tokenizer, user
from datasets import Dataset, disable_progress_bars

from rmkit.data import detect_format, prepare_dataset, split_by_prompt, to_pairs
from rmkit.files import load_rows
from rmkit.words import BadRowError

disable_progress_bars()
CHAT, PLAIN = byte_tokenizer(), byte_tokenizer(None)
Q, GOOD, BAD, SYSTEM = "What is the colour of the sky?", "It is blue.", "Green, I think.", "Be brief."


def prepare(rows, tokenizer=CHAT, **options):
    return prepare_dataset(Dataset.from_list(rows), tokenizer, **options)


def decoded(rows, tokenizer=CHAT, **options):
    "What the model reads of the first pair."
    prepared, _ = prepare(rows, tokenizer, **options)
    return [tokenizer.decode(prepared[0][name]) for name in ("chosen_ids", "rejected_ids")]


def chat(*messages):
    return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)


def expect(good=GOOD, bad=BAD, question=Q, system=None):
    before = [{"role": "system", "content": system}] * bool(system) + [user(question)]
    return [chat(*before, assistant(answer)) for answer in (good, bad)]


def sharegpt(*texts):
    return [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(texts)]


SIDES = {"response_a": BAD, "response_b": GOOD}
LAYOUTS = {  # name: row whose better answer is GOOD
    "orca": {"system": "", "question": Q, "chosen": GOOD, "rejected": BAD},
    "instruction": {"instruction": Q, "chosen": GOOD, "rejected": BAD},
    "instruction, empty input": {"instruction": Q, "input": "", "chosen": GOOD, "rejected": BAD},
    "query": {"query": Q, "chosen": GOOD, "rejected": BAD},
    "input": {"input": Q, "chosen": GOOD, "rejected": BAD},
    "context": {"context": Q, "chosen": GOOD, "rejected": BAD},
    "problem": {"problem": Q, "chosen_solution": GOOD, "rejected_solution": BAD},
    "chosen_response": {"question": Q, "chosen_response": GOOD, "rejected_response": BAD, "chosen_score": 1,
                        "rejected_score": 5},
    "response_chosen": {"question": Q, "response_rejected": BAD, "response_chosen": GOOD},
    "response, rejected_response": {"query": Q, "response": GOOD, "rejected_response": BAD},
    "accepted": {"question": Q, "accepted": GOOD, "rejected": BAD},
    "win": {"question": Q, "lose": BAD, "win": GOOD},
    "j, k": {"question": Q, "response_j": GOOD, "response_k": BAD},
    "positive": {"question": Q, "negative": BAD, "positive": GOOD},
    "better": {"question": Q, "better_response": GOOD, "worse_response": BAD},
    "preferred": {"question": Q, "preferred_output": GOOD, "dispreferred_output": BAD},
    "camel": {"question": Q, "ChosenAnswer": GOOD, "RejectedAnswer": BAD},
    "arena": {"question_id": "q1", "model_a": "llama", "model_b": "gemma", "winner": "model_b", "turn": 1,
              "conversation_a": [user(Q), assistant(BAD)], "conversation_b": [user(Q), assistant(GOOD)]},
    "arena, by name of the model": {
        "model_a": "llama", "model_b": "gemma", "winner": "gemma", "conversation_a": [user(Q), assistant(BAD)],
        "conversation_b": [user(Q), assistant(GOOD)]},
    "one-hot": {"prompt": json.dumps([Q]), "response_a": json.dumps([BAD]), "response_b": json.dumps([GOOD]),
                "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0},
    "A>B": {"question": Q, **SIDES, "label": "B>A"},
    "letters": {"prompt": Q, **SIDES, "preference": "B"},
    "[[B]]": {"prompt": Q, **SIDES, "verdict": "[[B]]"},
    "name of the column": {"prompt": Q, **SIDES, "preferred": "response_b"},
    "text of the winner": {"prompt": Q, **SIDES, "winner": GOOD},
    "better_response_id": {"prompt": Q, "response_0": BAD, "response_1": GOOD, "is_response_0_safe": True,
                           "is_response_1_safe": False, "better_response_id": 1, "safer_response_id": 0},
    "AlpacaEval": {"instruction": Q, "output_1": BAD, "output_2": GOOD, "preference": 2.0},
    "LLMBar": {"input": Q, "output_1": GOOD, "output_2": BAD, "label": 1},
    "soft": {"question": Q, "answer_a": BAD, "answer_b": GOOD, "preference": 0.2},
    "bool": {"question": Q, "answer_a": GOOD, "answer_b": BAD, "label": True},
    "webgpt": {"question": {"dataset": "eli5", "id": "x", "full_text": Q}, "answer_0": BAD, "score_0": -1.0,
               "answer_1": GOOD, "score_1": 1.0, "quotes_0": {"title": ["t"]}, "tokens_0": {"x": [1]}},
    "SHP": {"post_id": "x", "history": Q, "human_ref_A": GOOD, "human_ref_B": BAD, "labels": 1, "score_A": 9,
            "score_B": 2},
    "SHP, the other": {"history": Q, "human_ref_A": BAD, "human_ref_B": GOOD, "labels": 0},
    "summarize": {"info": {"id": "t3", "post": Q, "title": "Sky", "article": None}, "choice": 1, "worker": "w",
                  "summaries": [{"text": BAD, "policy": "a"}, {"text": GOOD, "policy": "b"}]},
    "stack-exchange": {"qid": 4, "question": Q, "answers": [{"text": BAD, "pm_score": 1, "selected": False},
                                                            {"text": GOOD, "pm_score": 5, "selected": True}]},
    "HelpSteer3": {"context": [user(Q)], "response1": BAD, "response2": GOOD, "overall_preference": 2,
                   "domain": "general"},
    "HelpSteer2 preference": {"prompt": Q, "response_1": GOOD, "response_2": BAD, "preference_strength": -1,
                              "preference_statement": "Response 1 is a bit better than response 2."},
    "UltraFeedback": {"instruction": Q, "models": ["a", "b"], "completions": [
        {"response": BAD, "overall_score": 3.0, "custom_system_prompt": "x"},
        {"response": GOOD, "overall_score": 8.5}]},
    "UltraFeedback, annotations": {"instruction": Q, "completions": [
        {"response": BAD, "annotations": {"helpfulness": {"Rating": "2"}, "honesty": {"Rating": "N/A"}}},
        {"response": GOOD, "annotations": {"helpfulness": {"Rating": "4"}, "honesty": {"Rating": "3"}}}]},
    "Nectar": {"prompt": f"\n\nHuman: {Q}\n\nAssistant: ", "answers": [
        {"answer": BAD, "model": "a", "rank": 2.0}, {"answer": GOOD, "model": "b", "rank": 1.0}]},
    "best of n": {"instruction": Q, "generations": [BAD, GOOD], "ratings": [1.0, 4.0]},
    "best of n, rewards": {"question": Q, "samples": [BAD, GOOD], "rewards": [-1.5, 0.5]},
    "ranks": {"question": Q, "candidates": [GOOD, BAD], "ranks": [1, 2]},
    "best, worst": {"instruction": Q, "input": "", "output": [GOOD, BAD]},
    "ShareGPT": {"conversations": sharegpt(Q), "chosen": {"from": "gpt", "value": GOOD},
                 "rejected": {"from": "gpt", "value": BAD}},
    "lone messages": {"prompt": Q, "chosen": assistant(GOOD), "rejected": assistant(BAD)},
    "whole ShareGPT": {"chosen": sharegpt(Q, GOOD), "rejected": sharegpt(Q, BAD)},
    "ms-swift": {"messages": [user(Q), assistant(GOOD)], "rejected_response": BAD},
    "ms-swift, messages": {"messages": [user(Q), assistant(GOOD)], "rejected_messages": [user(Q), assistant(BAD)]},
    "Gemma's role": {"chosen": [user(Q), {"role": "model", "content": GOOD}],
                     "rejected": [user(Q), {"role": "model", "content": BAD}]},
    "Cohere": {"chat_history": [{"role": "USER", "message": Q}], "chosen": {"role": "CHATBOT", "message": GOOD},
               "rejected": {"role": "CHATBOT", "message": BAD}},
    "upper case": {"prompt": [{"role": "User", "content": Q}], "chosen": [{"role": "ASSISTANT", "content": GOOD}],
                   "rejected": [{"role": "CHATBOT", "content": BAD}]},
    "parts": {"prompt": [{"role": "user", "content": [{"type": "text", "text": Q}]}],
              "chosen": [{"role": "assistant", "content": [{"type": "text", "text": GOOD}]}],
              "rejected": [{"role": "assistant", "content": [{"type": "text", "text": BAD}]}]},
    "dictionaries of lists": {"question": Q, "answers": {"text": [BAD, GOOD], "pm_score": [1, 5]}},
    "messages in a dictionary": {
        "conversations": {"from": ["human"], "value": [Q]}, "chosen": {"from": ["gpt"], "value": [GOOD]},
        "rejected": {"from": ["gpt"], "value": [BAD]}},
    "JSON": {"chosen": json.dumps([user(Q), assistant(GOOD)]), "rejected": json.dumps([user(Q), assistant(BAD)])},
    "Python's repr": {"prompt": str([user(Q)]), "chosen": str([assistant(GOOD)]), "rejected": str([assistant(BAD)])},
    "binarized": {"prompt": Q, "messages": [user(Q), assistant(GOOD)], "chosen": [user(Q), assistant(GOOD)],
                  "rejected": [user(Q), assistant(BAD)], "score_chosen": 8.0, "score_rejected": 7.0},
    "repeated, conversation": {"prompt": [user(Q)], "chosen": [user(Q), assistant(GOOD)],
                               "rejected": [user(Q), assistant(BAD)]},
    "repeated, transcript": {"prompt": Q, "chosen": f"\n\nHuman: {Q}\n\nAssistant: {GOOD}",
                             "rejected": f"\n\nHuman: {Q}\n\nAssistant: {BAD}"},
    "transcript, answers apart": {"prompt": f"\n\nHuman: {Q}\n\nAssistant:", "response": " x", "chosen": f" {GOOD}",
                                  "rejected": f" {BAD}"},
    "repeated, text": {"question": Q, "chosen": f"{Q}\n{GOOD}", "rejected": f"{Q}\n{BAD}"},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_model_reads_the_question_once_and_the_right_side(name):
    row = LAYOUTS[name]
    assert decoded([row]) == expect()
    stream, report = prepare_dataset(Dataset.from_list([row, row]).to_iterable_dataset(), CHAT)
    assert CHAT.decode(next(iter(stream))["chosen_ids"]) == expect()[0]
    parts = split_by_prompt(Dataset.from_list([row, row]), 1)
    assert (len(parts["train"]), len(parts["test"])) == (2, 0)  # one prompt stays on one side


@pytest.mark.parametrize("row", [
    {"system": SYSTEM, "question": Q, "chosen": GOOD, "rejected": BAD},
    {"system_prompt": SYSTEM, "prompt": Q, "chosen": GOOD, "rejected": BAD},
    {"system_message": SYSTEM, "prompt": [user(Q)], **SIDES, "winner": "b"},
    {"system": SYSTEM, "chosen": [user(Q), assistant(GOOD)], "rejected": [user(Q), assistant(BAD)]},
    {"system": SYSTEM, "conversations": sharegpt(Q), "chosen": {"from": "gpt", "value": GOOD},
     "rejected": {"from": "gpt", "value": BAD}},
    {"system": SYSTEM, "prompt": [{"role": "system", "content": SYSTEM}, user(Q)], "chosen": GOOD, "rejected": BAD},
    {"system": SYSTEM, "instruction": Q, "generations": [BAD, GOOD], "scores": [0, 1]},
    {"system": SYSTEM, "prompt": f"{SYSTEM}\n\n{Q}", "chosen": GOOD, "rejected": BAD},
])
def test_the_system_text_is_read_once(row):
    assert decoded([row]) == expect(system=SYSTEM)
    assert "system" in str(prepare([row])[1].format) or isinstance(row.get("prompt"), list)


def test_system_and_question_as_plain_text():
    row = {"system": SYSTEM, "question": Q, "chosen": GOOD, "rejected": BAD}
    assert decoded([row], PLAIN)[0] == f"{SYSTEM}\n\n{Q}\n\n{GOOD}</s>"
    spaced = {"query": "The sky is", "chosen": " blue.", "rejected": " green."}
    assert decoded([spaced])[0] == "The sky is blue.</s>"  # goes on from the prompt, so it is no turn
    with pytest.raises(BadRowError, match="All 1 rows looked at are like this.*turn the rows"):
        prepare([row], byte_tokenizer(STRICT))


# Which side is better ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("column, value, better", [
    ("winner", "a", 0), ("winner", "Response B is slightly better", 1), ("winner", "model_b", 1),
    ("winner", "Response A", 0), ("verdict", "[[A]]", 0), ("label", "A>>B", 0),
    ("label", "B<A", 0), ("label", "A < B", 1), ("preferred", "second", 1), ("winner", GOOD, 1), ("is_a_better", 0, 1),
    ("b_is_better", True, 1), ("label", True, 0), ("preference", 0.8, 0), ("preference", 0.2, 1), ("label", 2, 1),
    ("label", 1.2, 0),
    ("preference_strength", -3, 0), ("overall_preference", 1, 1), ("winner", 0, 0), ("Better Response", "b", 1),
])
def test_verdicts_of_every_spelling(column, value, better):
    row = {"question": Q, **SIDES, column: value}
    assert [pair["chosen"][0]["content"] for pair in to_pairs(row)] == [[BAD, GOOD][better]]


@pytest.mark.parametrize("column, values, ties", [
    ("winner", ["a", "tie", "tie (bothbad)", "B", "both good", "neither", "[[C]]"], 5), ("label", ["A=B", "A>B"], 1),
    ("preference", [0.5, 0.9], 1), ("preference", [1.5, 1, 2], 1), ("overall_preference", [0, -1], 1),
])
def test_ties_are_counted_and_left_out(column, values, ties):
    prepared, report = prepare([{"question": Q, **SIDES, column: value} for value in values])
    assert report.dropped == {"tie": ties} and len(prepared) == report.rows - ties == len(values) - ties
    assert f"{ties} dropped (tie)" in str(report)


@pytest.mark.parametrize("column, values", [
    ("label", [0]), ("label", [0, 1]), ("labels", [1.0, 0.0]), ("preference", [1]), ("winner", [1]),
    ("preference", [-1, 1]), ("label", [0, 1, 2]),
])
def test_a_number_that_could_mean_either_side_is_asked_for(column, values):
    rows = [{"question": Q, **SIDES, column: value} for value in values]
    with pytest.raises(BadRowError,
                       match=f"row 0, column '{column}'.*winner_column='{column}' if .*'response_a'.*first_wins_col"):
        prepare(rows)
    first, last = ({name: to_pairs(row, detect_format(rows, {name: column})) for name in ("winner", "first_wins")}
                   for row in (rows[0], rows[-1]))
    for pairs in (first, last):
        if all(pairs.values()):  # no tie
            assert pairs["winner"][0]["chosen"] == pairs["first_wins"][0]["rejected"]
    if values == [0, 1]:
        assert first["winner"][0]["chosen"] == [assistant(BAD)] and last["winner"][0]["chosen"] == [assistant(GOOD)]


def test_scores_in_the_same_rows_settle_a_label():
    for label in (0, 1):
        row = {"question": Q, **SIDES, "label": label, "score_a": 1, "score_b": 7}
        assert decoded([row]) == expect()
    rows = [row, row | {"label": 0}]  # once agreed with and once not
    with pytest.raises(BadRowError, match="found 0, 1; expected numbers that tell"):
        prepare(rows)


def test_bad_verdicts_are_row_errors():
    rows = [{"question": Q, **SIDES, "winner": winner} for winner in ("b", None, "x")]
    with pytest.raises(BadRowError,
                       match="row 1, column 'winner': found NoneType None; expected what names 'a', 'b' or a tie"):
        prepare(rows)
    assert prepare(rows, on_bad_row="drop")[1].dropped == {"no winner": 2}
    rows[2] |= {"winner": "vicuna-13b"}  # a model, and not the side "b"
    assert prepare(rows, on_bad_row="drop")[1].dropped == {"no winner": 2}
    with pytest.raises(BadRowError,
                       match="row 0, column 'winner': found str 'vicuna-13b'.*All 1 rows looked at are like this"):
        prepare(rows[2:], on_bad_row="drop")
    with pytest.raises(BadRowError,
                       match="column 'winner': found no such column.*which of 'response_a' and 'response_b' is better"):
        prepare([{"question": Q, **SIDES}])
    with pytest.raises(BadRowError, match="found more than two columns of answers"):
        prepare([{"question": Q, "response_1": "a", "response_2": "b", "response_3": "c", "winner": 1}])


# Lists and ratings -------------------------------------------------------------------------------------------------

def test_helpsteer_kto_and_rated_conversations():
    rows = [{"prompt": Q, "response": text, "helpfulness": mark, "verbosity": 4 - mark} for text,
            mark in ((BAD, 1), (GOOD, 4), ("Grey.", 4))]
    prepared, report = prepare(rows)
    assert decoded(rows) == expect() and report.dropped == {"tie": 1} and prepared["margin"] == [3.0, 3.0]
    kto = [{"prompt": [user(q)], "completion": [assistant(text)], "label": good} for q, text, good in
           ((Q, BAD, False), ("Alone?", "Yes.", True), (Q, GOOD, True))]
    assert decoded(kto) == expect() and prepare(kto)[1].dropped == {"fewer than two responses": 1}
    whole = [{"messages": [user(Q), assistant(text)], "label": good} for text, good in ((BAD, "False"), (GOOD, "True"))]
    assert decoded(whole) == expect()
    with_system = [row | {"system": SYSTEM} for row in rows]
    assert decoded(with_system) == expect(system=SYSTEM)
    with pytest.raises(BadRowError, match="refuses .no system role here.*All 3 rows"):
        prepare(with_system, byte_tokenizer(STRICT))
    parts = split_by_prompt(Dataset.from_list(whole), 1)
    assert (len(parts["train"]), len(parts["test"])) == (2, 0)
    with pytest.raises(BadRowError, match="column 'chosen': found no such column"):
        prepare([{"text": "A film to see.", "label": i} for i in (0, 1)])  # for a classifier


def test_a_stream_shows_its_first_pair_before_it_is_read():
    row = {"question": Q, "chosen": GOOD, "rejected": BAD, "story": "Once upon a time."}
    _, report = prepare_dataset(Dataset.from_list([row] * 3).to_iterable_dataset(), CHAT)
    assert str(report).startswith("train: no row read yet")
    assert f"chosen:     {GOOD}" in str(report) and "'story'" in str(report)


def test_the_best_of_a_list_is_compared_with_each_and_ranks_count_from_one():
    _, report = prepare([{"question": Q, "answers": [BAD, GOOD, "Grey."], "choice": 1}])
    assert report.pairs == 2 and not report.dropped
    prepared, _ = prepare([{"question": Q, "answers": [{"answer": a, "rank": r} for a, r in (("x y", 3.0), (GOOD, 1.0),
                                                                                             ("z z", 2.0))]}])
    assert [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in prepared] == [
        (GOOD, "x y"), (GOOD, "z z"), ("z z", "x y")] and "margin" not in prepared.column_names
    with pytest.raises(BadRowError, match="row 1, column 'choice': found NoneType None; expected a number from 0 to 1"):
        prepare([{"question": Q, "answers": [BAD, GOOD], "choice": choice} for choice in (1, None)])
    with pytest.raises(BadRowError, match="steps of one answer"):
        prepare([{"prompt": Q, "completions": ["a", "b"], "labels": [True, False]}])  # for a process reward model


def test_turns_in_lists_of_texts():
    row = {"prompt": json.dumps([Q, "And?"]), "response_a": json.dumps([BAD, "1."]),
           "response_b": json.dumps([GOOD, "2."]),
           "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0}
    talk = [chat(user(Q), assistant(a), user("And?"), assistant(b)) for a, b in ((GOOD, "2."), (BAD, "1."))]
    assert decoded([row]) == talk
    short = row | {"response_a": json.dumps([BAD])}
    assert prepare([row, short], on_bad_row="drop")[1].dropped == {"wrong type": 1}


# The question ------------------------------------------------------------------------------------------------------

LONG = "Tell me at length, please, which colours the sky has at dusk."


def test_a_repeated_prompt_is_taken_off_and_counted():
    once = [{"prompt": Q, "chosen": GOOD, "rejected": BAD}] * 3
    twice = {"prompt": LONG, "chosen": f"{LONG} {GOOD}", "rejected": f"{LONG} {BAD}"}
    prepared, report = prepare(once + [twice])
    assert CHAT.decode(prepared[3]["chosen_ids"]) == f"{LONG} {GOOD}</s>" and report.repeated == 1
    assert "1 with a prompt that the answers repeated, read once" in str(report)
    wrapped = {"prompt": Q, "chosen": f"Q: {Q}\nA: {GOOD}", "rejected": f"Q: {Q}\nA: {BAD}"}
    assert decoded([wrapped]) == [f"Q: {Q}\nA: {text}</s>" for text in (GOOD,
                                                                        BAD)] and prepare([wrapped])[1].repeated == 1
    one_side = {"prompt": Q, "chosen": f"{Q} {GOOD}", "rejected": f" {BAD}"}
    assert decoded([one_side]) == [f"{Q} {text}</s>" for text in (GOOD, BAD)]
    short = [{"prompt": "Hi", "chosen": "Hi there", "rejected": "Hi!"}, *once]
    assert CHAT.decode(prepare(short)[0][0]["chosen_ids"]) == "HiHi there</s>"  # a greeting that is returned


def test_last_turns_and_begun_turns():
    before = [user("Hi"), assistant("Ho"), user(Q)]
    row = {"prompt": before, "chosen": [user(Q), assistant(GOOD)], "rejected": [user(Q), assistant(BAD)]}
    assert decoded([row]) == [chat(*before, assistant(text)) for text in (GOOD, BAD)]
    begun = {"prompt": [user(Q), assistant("It is ")], "chosen": "blue.", "rejected": [assistant("red.")]}
    assert decoded([begun]) == expect("It is blue.", "It is red.")
    assert decoded([begun | {"chosen": "It is blue.", "rejected": "It is red."}]) == expect("It is blue.", "It is red.")


def test_another_question_is_an_error_that_can_be_settled():
    row = {"prompt": "You are a pirate.", "chosen": [user(Q), assistant(GOOD)], "rejected": [user(Q), assistant(BAD)]}
    with pytest.raises(BadRowError,
                       match="row 0, column 'prompt': found str 'You are .*prompt_column=''.*system_column='prompt'"):
        prepare([row])
    assert decoded([row], columns={"prompt": ""}) == expect()
    assert decoded([row], columns={"system": "prompt"}) == expect(system="You are a pirate.")
    with pytest.raises(BadRowError, match="column 'system': found str 'Be brief.'.*own system message"):
        prepare([{"system": SYSTEM, "prompt": [{"role": "system", "content": "Be long."}, user(Q)], "chosen": GOOD,
                  "rejected": BAD}])


@pytest.mark.parametrize("more, named", [
    ({"story": "Once upon a time."}, "story"), ({"context": "science"}, "context"), ({"context": "The sky is above."},
                                                                                     "context"),
    ({"history": "Earlier, we spoke."}, "history"), ({"source": "a web page", "id": "x 1", "category": "open qa"},
                                                     None),
    ({"original_response": GOOD}, None), ({"messages": [user("Another day."), assistant("Fine.")]}, "messages"),
])
def test_text_that_is_not_read_is_named_beside_the_first_pair(more, named):
    _, report = prepare([{"question": Q, "chosen": GOOD, "rejected": BAD} | more])
    assert bool(report.doubts) == bool(named) and (not named or f"column '{named}' is not read" in report.doubts[0])
    shown = str(report).splitlines()
    assert f"chosen:     {GOOD}" in shown[-2] and f"rejected:   {BAD}" in shown[-1] and Q in shown[-3]


def test_the_first_pair_is_short_and_shows_no_control_characters():
    _, report = prepare([{"prompt": "\x1b[31m" + "word " * 200, "chosen": "\u202e a", "rejected": " b"}])
    assert "\x1b" not in str(report) and "\u202e" not in str(report) and "characters]" in report.first_pair
    assert max(map(len, report.first_pair.splitlines())) < 250
    assert "no question" in "".join(prepare([{"chosen": "a", "rejected": "b"}])[1].doubts)
    assert "column 'topic' is not read" in prepare([{"topic": "Write of the sea.", "chosen": "a",
                                                     "rejected": "b"}])[1].doubts[0]


def test_labels_are_no_questions():
    rows = [{"context": f"topic {i % 2}", "query": f"q_{i}", "input": Q + str(i), "chosen": GOOD,
             "rejected": BAD} for i in range(20)]
    _, report = prepare(rows)
    assert dict(report.format.columns) == {"prompt": "input"}
    rows[0] |= {"system": "gpt-4"}
    assert "system" not in dict(detect_format(rows[0]).columns)


def test_columns_settle_what_names_do_not_tell():
    row = {"q": Q, "x": BAD, "y": GOOD, "s": SYSTEM, "w": 1}
    assert decoded([row], columns={"prompt": "q", "system": "s", "chosen": "y",
                                   "rejected": "x"}) == expect(system=SYSTEM)
    assert decoded([row], columns={"prompt": "q", "chosen": "x", "rejected": "y", "winner": "w"}) == expect()
    with pytest.raises(BadRowError,
                       match="column 'z': found no such column.*expected the column of 'prompt'. Correct prompt_col"):
        prepare([row], columns={"prompt": "z", "chosen": "y", "rejected": "x"})
    with pytest.raises(BadRowError, match="column 'rejected': found no such column.*Name the other one too"):
        prepare([row], columns={"chosen": "y"})
    with pytest.raises(BadRowError,
                       match="column 'rejected': found one column for both answers.*Name the other one too"):
        prepare([{"prompt": Q, "chosen": BAD, "rejected": GOOD}], columns={"chosen": "rejected"})
    with pytest.raises(ValueError, match="columns has .'question'."):
        prepare([row], columns={"question": "q"})
    parts = split_by_prompt(Dataset.from_list([row, row]), 1, columns={"prompt": "q", "chosen": "y", "rejected": "x"})
    assert len(parts["train"]) == 2


def test_the_config_names_columns_and_training_shows_the_first_pair(tmp_path, model, tokenizer, caplog):
    from rmkit import RewardConfig, RewardTrainer
    rows = Dataset.from_list([{"ask": "Name a colour", "yes": "red and blue", "no": "dog"}] * 4)
    config = RewardConfig(tmp_path, prompt_column="ask", chosen_column="yes", rejected_column="no", report_to=[],
                          use_cpu=True)
    trainer = RewardTrainer(model, config, train_dataset=rows, processing_class=tokenizer)
    assert trainer.train_dataset[0]["prompt"] == [user("Name a colour")]
    assert "the first pair, as the model reads it" in caplog.text and "prompt from 'ask'" in caplog.text


# Conversations -----------------------------------------------------------------------------------------------------

PARTS = ("{% for m in messages %}<|im_start|>{{ m.role }}\n"
         "{% for p in m.content %}{{ p.text }}{% endfor %}<|im_end|>\n{% endfor %}")
ONLY_TWO = ("{% for m in messages %}{% if m.role in ['user', 'assistant'] %}"
            "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}")


def test_contents_in_the_form_that_the_template_writes():
    for row in (LAYOUTS["parts"], LAYOUTS["lone messages"]):
        assert decoded([row], byte_tokenizer(PARTS)) == decoded([row]) == expect()
    other = {"prompt": [user([{"type": "input_text", "text": Q}])],
             "chosen": [assistant({"type": "text", "text": GOOD})], "rejected": BAD}
    assert decoded([other]) == expect()
    image = {"prompt": [user([{"type": "image"}, {"type": "text", "text": Q}])], "chosen": GOOD, "rejected": BAD}
    with pytest.raises(BadRowError, match="column 'prompt': found a part dict .*'image'.*parts of text"):
        prepare([image])


def test_what_a_template_takes_is_taken_and_what_it_leaves_out_is_said():
    talk = [user("Hi"), {"role": "system", "content": SYSTEM}, user("So?"), {"role": "critic", "content": "Well."},
            user(Q)]
    row = {"prompt": talk, "chosen": [assistant(GOOD)], "rejected": [assistant(BAD)]}
    assert decoded([row])[0] == chat(*talk, assistant(GOOD))
    with pytest.raises(BadRowError, match="found messages from 'critic', which the chat template doesn't write"):
        prepare([row], byte_tokenizer(ONLY_TWO))
    _, report = prepare([row | {"prompt": talk[:3]}], byte_tokenizer(ONLY_TWO))
    assert report.doubts == ["  the chat template leaves out what 'system' says: 'Be brief.'"]
    functions = {"conversations": [*sharegpt(Q), {"from": "function_call", "value": "{}"},
                                   {"from": "observation", "value": "42"}],
                 "chosen": {"from": "gpt", "value": GOOD}, "rejected": {"from": "gpt", "value": BAD}}
    assert decoded([functions])[0] == chat(user(Q), assistant("{}"), {"role": "tool", "content": "42"}, assistant(GOOD))


@pytest.mark.parametrize("answer", [["a"], [["user", "x"]], [{"a": 1}]])
def test_what_no_row_can_be_is_the_fault_of_the_set(answer):
    with pytest.raises(BadRowError,
                       match="row 0, column 'chosen'.*All 3 rows .* like this, so it is the set.*turn the rows"):
        prepare([{"prompt": Q, "chosen": answer, "rejected": answer}] * 3, on_bad_row="drop")


TOOLS = "{% if tools %}{{ tools[0].name }}{% endif %}{% if loud %}!{% endif %}" + CHATML


@pytest.mark.parametrize("more, before", [
    ({"tools": ""}, ""), ({"tools": " ", "chat_template_kwargs": ""}, ""), ({"tools": {"name": "add"}}, "add"),
    ({"tools": '{"name": "add"}'}, "add"),
    ({"tools": ['{"name": "add"}']}, "add"), ({"chat_template_kwargs": '{"loud": true}'}, "!"), ({"tools": []}, ""),
])
def test_tools_and_options_in_every_spelling(more, before):
    row = {"prompt": [user(Q)], "chosen": GOOD, "rejected": BAD} | more
    assert decoded([row], byte_tokenizer(TOOLS)) == [before + text for text in expect()]


@pytest.mark.parametrize("more", [{"tools": "[{"}, {"tools": "5"}, {"tools": '["x"]'}, {"chat_template_kwargs": "loud"},
                                  {"chat_template_kwargs": "[1]"}, {"chat_template_kwargs": {"tokenize": True}}])
def test_bad_tools_and_options_are_row_errors(more):
    column, = more
    good = {"prompt": [user(Q)], "chosen": GOOD, "rejected": BAD}
    row = good | more | ({"tools": None} if column != "tools" else {})
    with pytest.raises(BadRowError, match=f"row 0, column '{column}'"):
        prepare([row])
    if isinstance(more[column], str):
        assert prepare([row, good | {"tools": None, column: ""}], on_bad_row="drop")[1].dropped == {"wrong type": 1}


# Token ids beside raw columns --------------------------------------------------------------------------------------

FOUR = {"input_ids_chosen": [5, 6, 7], "attention_mask_chosen": [1, 1, 0], "input_ids_rejected": [5, 8],
        "attention_mask_rejected": [1, 1]}
JK = {name.replace("chosen", "j").replace("rejected", "k"): value for name, value in FOUR.items()}


@pytest.mark.parametrize("ids", [FOUR, JK, {"chosen_input_ids": [5, 6], "rejected_input_ids": [5, 8]},
                                 {"chosen_ids": [5, 6], "rejected_ids": [5, 8]}])
@pytest.mark.parametrize("raw", [
    {"prompt": Q, "chosen": GOOD, "rejected": BAD}, {"question": Q, "response_j": GOOD, "response_k": BAD, "_row": "x",
                                                     "_outcome": "y", "_texts": ["z"]},
    {"chosen": [user(Q), assistant(GOOD)], "rejected": [user(Q), assistant(BAD)], "margin": [1.0]},
    {"chosen": {"from": "gpt", "value": "x"}, "score": 1.5},
])
def test_raw_columns_beside_ids_stay(ids, raw):
    prepared, report = prepare([raw | ids])
    assert (prepared[0]["chosen_ids"], prepared[0]["rejected_ids"]) == ([5, 6], [5, 8]) and report.pairs == 1
    kept = {name: value for name, value in raw.items() if name != "margin"}
    assert {name: prepared[0][name] for name in kept} == kept
    assert prepared.features["chosen"] == Dataset.from_list([raw]).features["chosen"] if "chosen" in raw else True


def test_errors_about_ids_name_their_column():
    same = FOUR | {"input_ids_rejected": [5, 6], "attention_mask_rejected": [1, 1]}
    with pytest.raises(BadRowError, match="column 'input_ids_rejected': found the token ids of chosen"):
        prepare([same])
    with pytest.raises(BadRowError, match="column 'input_ids_j': found 2 tokens"):
        prepare([JK], max_length=1, overlong="raise")
    with pytest.raises(BadRowError, match="column 'chosen_ids': found 2 tokens"):
        prepare([{"chosen_ids": [5, 6], "rejected_ids": [5, 8]}], max_length=1, overlong="raise")


@pytest.mark.parametrize("row", [{"prompt": Q, "chosen": GOOD, "rejected": BAD},
                                 {"prompt": Q, "responses": [GOOD, BAD], "scores": [1, 0]}])
def test_columns_called_like_rmkits_own_are_safe(row):
    own = {"_row": "x", "_outcome": "y", "_texts": ["z"]}
    prepared, report = prepare([row | own])
    assert {name: prepared[0][name] for name in own} == own and report.rows == 1
    rated = [{"prompt": Q, "response": text, "score": i, **own} for i, text in enumerate((BAD, GOOD))]
    prepared, report = prepare(rated)
    assert prepared[0]["_row"] == "x" and (report.rows, report.pairs) == (2, 1)


# Real rows ---------------------------------------------------------------------------------------------------------

def test_votes_on_real_answers(shared_data):
    rows = [json.loads(line) for line in (shared_data / "pandalm_votes.jsonl").read_text().splitlines()]
    prepared, report = prepare_dataset(load_rows(shared_data / "pandalm_votes.jsonl"), CHAT)
    judged = [row for row in rows if row["winner"] != "tie"]
    assert report.dropped["tie"] == 87 and len(prepared) == len(judged) == report.rows - 87
    for row, pair in zip(judged, prepared):
        good, bad = (row["response_a"], row["response_b"])[::1 if row["winner"] == "a" else -1]
        assert [CHAT.decode(pair[name]) for name in ("chosen_ids", "rejected_ids")] == expect(good, bad, row["prompt"])


@pytest.mark.parametrize("name", ["hh_harmless", "oasst2", "tara_hh", "qa_feedback"])
def test_real_pairs_in_other_layouts_give_the_same_ids(shared_data, name):
    rows = list(load_rows(shared_data / f"{name}.jsonl").select(range(40)))
    before = prepare([{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in rows])[0]
    whole = [(row["prompt"] + row["chosen"], row["prompt"] + row["rejected"]) for row in rows]
    def said(messages): return [{"from": {"user": "human", "assistant": "gpt"}.get(m["role"], m["role"]),
                              "value": m["content"]} for m in messages]
    for made in ([{"conversation_a": bad, "conversation_b": good, "winner": "model_b"} for good, bad in whole],
                 [{"messages": good, "rejected_response": row["rejected"][-1]["content"]} for (good, _),
                  row in zip(whole, rows)
                  if len(row["rejected"]) == 1],
                 [{"conversations": said(row["prompt"]), "chosen": said(row["chosen"])[0],
                   "rejected": said(row["rejected"])[0]} for row in rows],
                 [{"prompt": row["prompt"][-1]["content"], "chosen": json.dumps(good), "rejected": json.dumps(bad)}
                  for (good, bad), row in zip(whole, rows)]):
        prepared, _ = prepare(made)
        assert all(prepared[name][:] == before[name][:] for name in ("chosen_ids", "rejected_ids"))
