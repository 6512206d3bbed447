"Collators: what goes in comes out through the mask, as TRL's do, and mistakes are named"
import pytest
import torch

from rmkit.collator import DataCollatorForPreference, RewardDataCollatorWithPadding
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast


@pytest.fixture
def tokenizer():
    vocab = {"<pad>": 0, "<eos>": 1, "a": 2}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(vocab, unk_token="<pad>")),
                                   pad_token="<pad>", eos_token="<eos>")


ROWS = [dict(chosen_ids=[1, 2, 3], rejected_ids=[4, 5]), dict(chosen_ids=[6, 7], rejected_ids=[8])]


def four(ids_chosen, ids_rejected, **more):
    return dict(input_ids_chosen=ids_chosen, attention_mask_chosen=[1]*len(ids_chosen),
                input_ids_rejected=ids_rejected, attention_mask_rejected=[1]*len(ids_rejected), **more)


def test_stacked_batch_is_trl_documentation_example():
    batch = DataCollatorForPreference(pad_token_id=0)(ROWS)
    assert batch["input_ids"].tolist() == [[1, 2, 3], [6, 7, 0], [4, 5, 0], [8, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert set(batch) == {"input_ids", "attention_mask"} and batch["input_ids"].dtype == torch.int64


def test_stacked_margin_and_multiple():
    batch = DataCollatorForPreference(0, pad_to_multiple_of=8)([dict(r, margin=m) for r, m in zip(ROWS, (1, 0.5))])
    assert batch["input_ids"].shape == (4, 8)
    assert batch["margin"].dtype == torch.float32 and batch["margin"].tolist() == [1.0, 0.5]


def test_stacked_takes_tensors_and_ignores_other_columns():
    rows = [{k: torch.tensor(v) for k, v in r.items()} | {"source": "x", "margin": None} for r in ROWS]
    assert DataCollatorForPreference(0)(rows)["input_ids"].tolist()[1] == [6, 7, 0]


def test_pad_id_inside_a_text_is_real():
    batch = DataCollatorForPreference(pad_token_id=2)([dict(chosen_ids=[2, 2], rejected_ids=[2, 3, 2])])
    assert batch["attention_mask"].sum(1).tolist() == [2, 3]


@pytest.mark.parametrize("bad,message", [
    (dict(chosen_ids=[1]), "row 1.*'rejected_ids' is missing"),
    (dict(chosen_ids=[], rejected_ids=[1]), "row 1.*'chosen_ids' is empty"),
    (dict(ROWS[1], margin=1.0), "row 0.*margin")])
def test_stacked_errors(bad, message):
    with pytest.raises(ValueError, match=message): DataCollatorForPreference(0)([ROWS[0], bad])


def test_four_columns_give_four_tensors(tokenizer):
    batch = RewardDataCollatorWithPadding(tokenizer)([four([1, 2, 3], [4]), four([6], [8, 9])])
    assert batch["input_ids_chosen"].tolist() == [[1, 2, 3], [6, 0, 0]]
    assert batch["attention_mask_chosen"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["input_ids_rejected"].tolist() == [[4, 0], [8, 9]]
    assert batch["return_loss"] is True and "margin" not in batch


def test_four_columns_margin_side_and_width(tokenizer):
    tokenizer.padding_side = "left"
    collate = RewardDataCollatorWithPadding(tokenizer, padding="max_length", max_length=5)
    batch = collate([four([1, 2, 3], [4], margin=2), four([6], [8, 9], margin=0)])
    assert batch["attention_mask_rejected"].tolist() == [[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]]
    assert batch["margin"].tolist() == [2.0, 0.0]


def test_four_columns_from_the_newer_names(tokenizer):
    batch = RewardDataCollatorWithPadding(tokenizer, pad_to_multiple_of=4)(ROWS)
    assert batch["input_ids_chosen"].tolist() == [[1, 2, 3, 0], [6, 7, 0, 0]]
    assert batch["attention_mask_rejected"].tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("missing", ["input_ids_chosen", "attention_mask_chosen", "input_ids_rejected",
                                     "attention_mask_rejected"])
def test_a_missing_column_is_named(tokenizer, missing):
    row = four([1], [2])
    del row[missing]
    with pytest.raises(ValueError, match=f"row 0.*'{missing}' is missing"):
        RewardDataCollatorWithPadding(tokenizer)([row])


def test_mask_of_another_length(tokenizer):
    with pytest.raises(ValueError, match="attention_mask_chosen' has 1"):
        RewardDataCollatorWithPadding(tokenizer)([dict(four([1, 2], [2]), attention_mask_chosen=[1])])


def test_same_batches_as_trl(tokenizer):
    trl = pytest.importorskip("trl.trainer.reward_trainer", reason="trl is a benchmark-only dependency")
    rows = [dict(r, margin=0.5) for r in ROWS]
    ours, theirs = DataCollatorForPreference(0, 8)(rows), trl.DataCollatorForPreference(0, 8)(rows)
    assert set(ours) == set(theirs) and all(torch.equal(ours[k], theirs[k]) for k in ours)
