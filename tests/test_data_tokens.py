"Token ids: what begins and ends a sequence, sameness with TRL, the over-length policies."
import pytest
from data_helpers import BARE, CHATML, DOUBLE, LLAMA3, assistant, byte_tokenizer, user
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from rmkit.data import prepare_dataset
from rmkit.tokens import cut_prompt, find_markers, prompt_length
from rmkit.words import BadRowError

CHAT = {"prompt": [user("Hi")], "chosen": [assistant("Good day.")], "rejected": [assistant("What?")]}
TEXT = {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}
IMPLICIT = {"chosen": "The sky is blue.", "rejected": "The sky is green."}


def ids_of(row, tokenizer, **options):
    prepared, _ = prepare_dataset(Dataset.from_list([row]), tokenizer, **options)
    return prepared[0]["chosen_ids"], prepared[0]["rejected_ids"]


@pytest.mark.parametrize("add_bos", [False, True])
@pytest.mark.parametrize("template, bos, end, after", [
    (CHATML, False, "<|im_end|>", "\n"),
    (LLAMA3, True, "<|eot|>", ""),
    (BARE, False, "</s>", ""),
    (DOUBLE, True, "<|im_end|>", "\n"),
])
def test_one_bos_and_one_end_of_turn(template, bos, end, after, add_bos):
    tokenizer = byte_tokenizer(template, add_bos=add_bos)
    for ids in ids_of(CHAT, tokenizer):
        text = tokenizer.decode(ids)
        assert text.count("<s>") == (bos or add_bos) and text.startswith("<s>") == (bos or add_bos)
        assert text.endswith(end + after) and not text.removesuffix(end + after).rstrip().endswith(end)


def test_end_of_turn_in_the_answer_is_not_doubled():
    tokenizer = byte_tokenizer()
    row = CHAT | {"chosen": [assistant("Good day.<|im_end|>")]}
    assert ids_of(row, tokenizer)[0] == ids_of(CHAT, tokenizer)[0]


@pytest.mark.parametrize("add_bos, add_eos", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("row", [TEXT, IMPLICIT, TEXT | {"chosen": " blue.</s>"},
                                 IMPLICIT | {"chosen": "<s>The sky is blue.</s>"}])
def test_plain_text_has_one_bos_if_the_tokenizer_adds_it_and_one_eos(row, add_bos, add_eos):
    tokenizer = byte_tokenizer(add_bos=add_bos, add_eos=add_eos)
    for ids in ids_of(row, tokenizer):
        assert ids.count(3) == 1 and ids[-1] == 3
        assert ids.count(2) == (add_bos or tokenizer.decode(ids).startswith("<s>"))


def test_a_tokenizer_without_eos_is_refused():
    tokenizer = byte_tokenizer(eos_token=None)
    with pytest.raises(ValueError, match="no eos_token"):
        find_markers(tokenizer)


def test_a_conversation_needs_a_chat_template():
    with pytest.raises(ValueError, match="chat_template_path"):
        ids_of(CHAT, byte_tokenizer(None))


def test_equal_after_the_template_is_a_bad_row():
    row = CHAT | {"chosen": [assistant("Hello")], "rejected": [assistant("Hello ")]}
    with pytest.raises(BadRowError, match="row 0, column 'rejected': found the token ids of chosen"):
        ids_of(row, byte_tokenizer(LLAMA3))


def trl_ids(rows, tokenizer):
    trl = pytest.importorskip("trl", reason="TRL isn't installed")
    from types import SimpleNamespace
    args = SimpleNamespace(dataset_num_proc=None, max_length=None)
    prepared = trl.RewardTrainer._prepare_dataset(None, Dataset.from_list(rows), tokenizer, args, "train")
    return prepared["chosen_ids"][:], prepared["rejected_ids"][:]


def whole(row):
    return {name: row["prompt"] + row[name] for name in ("chosen", "rejected")}


OTHER = {"prompt": [{"role": "system", "content": "Be kind."}, user("é\n ")], "chosen": [assistant("Yes")],
         "rejected": [assistant("No ")]}


TOOL_ROW = CHAT | {"tools": '[{"name": "add"}]', "chat_template_kwargs": {"loud": True}}
WITH_TOOLS = "{% if tools %}{{ tools[0].name }}{% endif %}{% if loud %}!{% endif %}" + CHATML


@pytest.mark.parametrize("rows", [
    [CHAT, OTHER], [whole(CHAT), whole(OTHER)], [TEXT, TEXT | {"chosen": " red.</s>"}], [IMPLICIT], [TOOL_ROW],
], ids=["explicit", "implicit", "text", "implicit text", "tools"])
@pytest.mark.parametrize("tokenizer", [byte_tokenizer(WITH_TOOLS), byte_tokenizer(LLAMA3),
                                       byte_tokenizer(LLAMA3, add_bos=True)],
                         ids=["ChatML", "Llama 3", "Llama 3, tokenizer adds BOS"])
def test_ids_are_those_of_trl(rows, tokenizer):
    prepared, _ = prepare_dataset(Dataset.from_list(rows), tokenizer)
    assert (prepared["chosen_ids"][:], prepared["rejected_ids"][:]) == trl_ids(rows, tokenizer)


words = st.text("abc ", min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(turns=st.lists(words, min_size=1, max_size=7).filter(lambda t: len(t) % 2), chosen=words, rejected=words,
       max_length=st.integers(1, 200), template=st.sampled_from([CHATML, LLAMA3, BARE]), add_bos=st.booleans())
def test_truncation_keeps_responses_and_cuts_both_alike(turns, chosen, rejected, max_length, template, add_bos):
    prompt = [(user, assistant)[i % 2](text) for i, text in enumerate(turns)]
    row = {"prompt": prompt, "chosen": [assistant("x" + chosen)], "rejected": [assistant("y" + rejected)]}
    check_truncation(row, byte_tokenizer(template, add_bos=add_bos), max_length)


@settings(max_examples=60, deadline=None)
@given(prompt=st.text("abc ", max_size=60), chosen=words, rejected=words, max_length=st.integers(1, 80),
       add_bos=st.booleans())
def test_truncation_of_plain_text(prompt, chosen, rejected, max_length, add_bos):
    row = {"prompt": prompt, "chosen": "x" + chosen, "rejected": "y" + rejected}
    check_truncation(row, byte_tokenizer(add_bos=add_bos), max_length)


def check_truncation(row, tokenizer, max_length):
    full = ids_of(row, tokenizer)
    answers = [row[name] if isinstance(row[name], str) else row[name][0]["content"] for name in ("chosen", "rejected")]
    n_bos = int(full[0][0] == 2)
    try:
        prepared, report = prepare_dataset(Dataset.from_list([row]), tokenizer, max_length=max_length)
    except ValueError as error:
        assert "response longer than max_length" in str(error)
        # it was dropped because BOS, a response, its end and whitespace really don't fit
        tails = [tokenizer(answer.strip(), add_special_tokens=False)["input_ids"] for answer in answers]
        assert max(map(len, tails)) + n_bos + 4 > max_length
        return
    cut = prepared[0]["chosen_ids"], prepared[0]["rejected_ids"]
    removed = [len(a) - len(b) for a, b in zip(full, cut)]
    assert removed[0] == removed[1] and max(map(len, cut)) <= max_length
    assert report.truncated == (removed[0] > 0)
    assert not removed[0] or max(map(len, cut)) == max_length  # no more than needed
    for before, after, answer in zip(full, cut, answers):
        assert after[:n_bos] == before[:n_bos] and after[n_bos:] == before[n_bos + removed[0]:]
        text = tokenizer.decode(after).rstrip()
        for end in ("</s>", "<|im_end|>", "<|eot|>"):
            text = text.removesuffix(end).rstrip()
        assert text.endswith(answer.strip())


@settings(max_examples=200, deadline=None)
@given(prompt=st.lists(st.integers(0, 9), max_size=12), a=st.lists(st.integers(0, 9), min_size=1, max_size=8),
       b=st.lists(st.integers(0, 9), min_size=1, max_size=8), max_length=st.integers(1, 25), n_keep=st.integers(0, 1))
def test_cut_prompt(prompt, a, b, max_length, n_keep):
    n_keep = min(n_keep, len(prompt))
    branches = [prompt + [10] + a, prompt + [11] + b]
    n_prompt = prompt_length(branches, prompt)
    assert n_prompt == len(prompt)
    cut = cut_prompt(branches, n_prompt, max_length, n_keep)
    if cut is None:
        assert n_keep + 1 + max(len(a), len(b)) > max_length
    else:
        assert all(ids[:n_keep] == prompt[:n_keep] for ids in cut) and max(map(len, cut)) <= max(max_length, 0)
        assert cut[0][-len(a) - 1:] == [10] + a and cut[1][-len(b) - 1:] == [11] + b
        assert len(branches[0]) - len(cut[0]) == len(branches[1]) - len(cut[1])


LONG = CHAT | {"prompt": [user("word " * 30), assistant("Well."), user("Hi")]}


def test_overlong_drop_and_raise_and_counts():
    tokenizer, rows = byte_tokenizer(), Dataset.from_list([CHAT, LONG, CHAT | {"chosen": [assistant("y" * 200)]}])
    prepared, report = prepare_dataset(rows, tokenizer, max_length=100)
    assert (report.rows, report.pairs, report.truncated,
            report.dropped) == (3, 2, 1, {"response longer than max_length": 1})
    assert "1 with the prompt cut to fit max_length=100; 1 dropped (response longer than max_length)" in str(report)
    prepared, report = prepare_dataset(rows, tokenizer, max_length=100, overlong="drop")
    assert (len(prepared), report.truncated, report.dropped) == (1, 0, {"longer than max_length": 2})
    message = r"row 1, column 'chosen': found \d+ tokens with the prompt; expected at most max_length=100"
    with pytest.raises(BadRowError, match=message):
        prepare_dataset(rows, tokenizer, max_length=100, overlong="raise", on_bad_row="drop")


def test_prepared_rows_cut_again_keep_their_responses():
    tokenizer = byte_tokenizer()
    row = LONG | {"chosen": [assistant("same start, good")], "rejected": [assistant("same start, bad")]}
    once, _ = prepare_dataset(Dataset.from_list([row]), tokenizer)
    twice, report = prepare_dataset(once, tokenizer, max_length=60)
    direct, _ = prepare_dataset(Dataset.from_list([row]), tokenizer, max_length=60)
    assert report.truncated == 1 and twice[0]["chosen_ids"] == direct[0]["chosen_ids"]
    with pytest.raises(ValueError, match="response longer than max_length"):
        prepare_dataset(once, tokenizer, max_length=len("same start, good"))
