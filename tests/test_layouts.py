"Layouts that people have: the question is read once, the right side is chosen, ties and what can't be told are said."
import json

import pytest
from data_helpers import CHATML, STRICT, assistant, byte_tokenizer, user
from datasets import Dataset, Features, IterableDataset, Value, disable_progress_bars

from rmkit.data import BadRowError, detect_format, load_rows, prepare_dataset, split_by_prompt, to_pairs

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
    "chosen_response": {"question": Q, "chosen_response": GOOD, "rejected_response": BAD, "chosen_score": 1, "rejected_score": 5},
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
    "arena, by name of the model": {"model_a": "llama", "model_b": "gemma", "winner": "gemma",
                                    "conversation_a": [user(Q), assistant(BAD)], "conversation_b": [user(Q), assistant(GOOD)]},
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
    "webgpt": {"question": {"dataset": "eli5", "id": "x", "full_text": Q}, "answer_0": BAD, "score_0": -1.0, "answer_1": GOOD,
               "score_1": 1.0, "quotes_0": {"title": ["t"]}, "tokens_0": {"x": [1]}},
    "SHP": {"post_id": "x", "history": Q, "human_ref_A": GOOD, "human_ref_B": BAD, "labels": 1, "score_A": 9, "score_B": 2},
    "SHP, the other": {"history": Q, "human_ref_A": BAD, "human_ref_B": GOOD, "labels": 0},
    "summarize": {"info": {"id": "t3", "post": Q, "title": "Sky", "article": None}, "choice": 1, "worker": "w",
                  "summaries": [{"text": BAD, "policy": "a"}, {"text": GOOD, "policy": "b"}]},
    "stack-exchange": {"qid": 4, "question": Q, "answers": [{"text": BAD, "pm_score": 1, "selected": False},
                                                            {"text": GOOD, "pm_score": 5, "selected": True}]},
    "HelpSteer3": {"context": [user(Q)], "response1": BAD, "response2": GOOD, "overall_preference": 2, "domain": "general"},
    "HelpSteer2 preference": {"prompt": Q, "response_1": GOOD, "response_2": BAD, "preference_strength": -1,
                              "preference_statement": "Response 1 is a bit better than response 2."},
    "UltraFeedback": {"instruction": Q, "models": ["a", "b"], "completions": [
        {"response": BAD, "overall_score": 3.0, "custom_system_prompt": "x"}, {"response": GOOD, "overall_score": 8.5}]},
    "UltraFeedback, annotations": {"instruction": Q, "completions": [
        {"response": BAD, "annotations": {"helpfulness": {"Rating": "2"}, "honesty": {"Rating": "N/A"}}},
        {"response": GOOD, "annotations": {"helpfulness": {"Rating": "4"}, "honesty": {"Rating": "3"}}}]},
    "Nectar": {"prompt": f"\n\nHuman: {Q}\n\nAssistant: ", "answers": [
        {"answer": BAD, "model": "a", "rank": 2.0}, {"answer": GOOD, "model": "b", "rank": 1.0}]},
    "best of n": {"instruction": Q, "generations": [BAD, GOOD], "ratings": [1.0, 4.0]},
    "best of n, rewards": {"question": Q, "samples": [BAD, GOOD], "rewards": [-1.5, 0.5]},
    "ranks": {"question": Q, "candidates": [GOOD, BAD], "ranks": [1, 2]},
    "best, worst": {"instruction": Q, "input": "", "output": [GOOD, BAD]},
    "ShareGPT": {"conversations": sharegpt(Q), "chosen": {"from": "gpt", "value": GOOD}, "rejected": {"from": "gpt", "value": BAD}},
    "lone messages": {"prompt": Q, "chosen": assistant(GOOD), "rejected": assistant(BAD)},
    "whole ShareGPT": {"chosen": sharegpt(Q, GOOD), "rejected": sharegpt(Q, BAD)},
    "ms-swift": {"messages": [user(Q), assistant(GOOD)], "rejected_response": BAD},
    "ms-swift, messages": {"messages": [user(Q), assistant(GOOD)], "rejected_messages": [user(Q), assistant(BAD)]},
    "Gemma's role": {"chosen": [user(Q), {"role": "model", "content": GOOD}], "rejected": [user(Q), {"role": "model", "content": BAD}]},
    "upper case": {"prompt": [{"role": "User", "content": Q}], "chosen": [{"role": "ASSISTANT", "content": GOOD}],
                   "rejected": [{"role": "CHATBOT", "content": BAD}]},
    "parts": {"prompt": [{"role": "user", "content": [{"type": "text", "text": Q}]}],
              "chosen": [{"role": "assistant", "content": [{"type": "text", "text": GOOD}]}],
              "rejected": [{"role": "assistant", "content": [{"type": "text", "text": BAD}]}]},
    "JSON": {"chosen": json.dumps([user(Q), assistant(GOOD)]), "rejected": json.dumps([user(Q), assistant(BAD)])},
    "Python's repr": {"prompt": str([user(Q)]), "chosen": str([assistant(GOOD)]), "rejected": str([assistant(BAD)])},
    "binarized": {"prompt": Q, "messages": [user(Q), assistant(GOOD)], "chosen": [user(Q), assistant(GOOD)],
                  "rejected": [user(Q), assistant(BAD)], "score_chosen": 8.0, "score_rejected": 7.0},
    "repeated, conversation": {"prompt": [user(Q)], "chosen": [user(Q), assistant(GOOD)], "rejected": [user(Q), assistant(BAD)]},
    "repeated, transcript": {"prompt": Q, "chosen": f"\n\nHuman: {Q}\n\nAssistant: {GOOD}", "rejected": f"\n\nHuman: {Q}\n\nAssistant: {BAD}"},
    "transcript, answers apart": {"prompt": f"\n\nHuman: {Q}\n\nAssistant:", "response": " x", "chosen": f" {GOOD}", "rejected": f" {BAD}"},
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
    {"system": SYSTEM, "conversations": sharegpt(Q), "chosen": {"from": "gpt", "value": GOOD}, "rejected": {"from": "gpt", "value": BAD}},
    {"system": SYSTEM, "prompt": [{"role": "system", "content": SYSTEM}, user(Q)], "chosen": GOOD, "rejected": BAD},
    {"system": SYSTEM, "instruction": Q, "generations": [BAD, GOOD], "scores": [0, 1]},
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
