"Files as people have them: what `load_rows` gives, row for row, and what it says where it can't"
import bz2
import gzip
import json
import lzma
import os
import zipfile

import datasets
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict
from huggingface_hub.errors import RepositoryNotFoundError

from rmkit.data import prepare_dataset
from rmkit.files import file_kind, KINDS, load_rows, PACKED
from rmkit.words import BadRowError
from rmkit.synthetic import tiny_tokenizer

ROWS = [dict(prompt=f"Question {i}?", chosen=f'good, «{i}»\nand "quoted"; yes', rejected=text) for i, text in enumerate(
    ["None", "N/A", "007", "3.10", "True", "1e5", "2020-01-01", "2021-05-05T10:00:00Z", "null", "NaN",
     " led by a space", "日本 🙂"])]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def stream(table, writer):
    sink = pa.BufferOutputStream()
    with writer(sink, table.schema) as out:
        out.write_table(table)
    return sink.getvalue().to_pybytes()


def as_bytes(kind):
    frame, table = pd.DataFrame(ROWS), pa.Table.from_pylist(ROWS)
    if kind == ".parquet": return frame.to_parquet()
    if kind in (".csv", ".tsv"): return frame.to_csv(index=False, sep="\t" if kind == ".tsv" else ",").encode()
    if kind == ".feather": return stream(table, pa.ipc.new_file)
    if kind == ".arrow": return stream(table, pa.ipc.new_stream)
    return (json.dumps(ROWS) if kind == ".json" else LINES).encode()


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd}


def write(path, content):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# Every kind, packed or not ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("packing", ["", *PACKED])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_rows(tmp_path, kind, packing):
    path, content = tmp_path / f"Rows.v2{kind.upper()}{packing}", as_bytes(kind)
    if packing == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"rows{kind}", content)
            archive.writestr(f"__MACOSX/._rows{kind}", b"not rows")
    else:
        write(path, PACKERS[packing](content))
    assert load_rows(path).to_list() == load_rows(str(path), "test").to_list() == ROWS
    assert load_rows(path, "test").split == "test"


def test_the_bytes_say_how_a_file_is_packed(tmp_path):
    assert load_rows(write(tmp_path / "rows.jsonl.gz", LINES)).to_list() == ROWS
    assert load_rows(write(tmp_path / "rows.jsonl", gzip.compress(LINES.encode()))).to_list() == ROWS


def test_kinds():
    names = "a.JSONL", "a.b.csv.GZ", "a.zip", "a.txt", "a.tar.gz", "a", "a.gz", "a.xlsx.zip"
    assert [file_kind(name) for name in names] == [".jsonl", ".csv", ".zip", None, None, None, None, None]


def test_rows_are_kept_until_the_file_changes(tmp_path):
    path = write(tmp_path / "rows.jsonl", LINES)
    first, again = load_rows(path), load_rows(path)
    assert first.cache_files == again.cache_files != [] and first._fingerprint == again._fingerprint
    os.utime(write(path, '{"prompt": "new"}\n'), ns=(1, 1))
    assert load_rows(path).to_list() == [{"prompt": "new"}]


def test_without_a_cache_rows_are_in_memory(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", write(tmp_path / "file", "") / "cache")
    assert load_rows(write(tmp_path / "rows.jsonl", LINES)).to_list() == ROWS and "kept in memory" in caplog.text


# JSON ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", [
    json.dumps({"data": ROWS}), json.dumps({"version": 1, "rows": ROWS}, indent=2),
    json.dumps({"train": ROWS, "test": ROWS[:1]}), json.dumps(ROWS, indent=2), LINES,
    LINES.replace("\n", "\r\n"), LINES.replace("\n", "\n\n"), "\n\n" + LINES.rstrip(),
    "\ufeff" + LINES, "\ufeff" + json.dumps(ROWS), "\n".join(json.dumps(row, indent=1) for row in ROWS),
    "[" + ",\n".join(map(json.dumps, ROWS)) + "]",
    pd.DataFrame(ROWS).to_json()], ids=lambda text: f"{text[:8]!r}")
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_json_in_every_shape(tmp_path, name, text):
    assert load_rows(write(tmp_path / name, text)).to_list() == ROWS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("kind", [".jsonl", ".csv"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding, kind):
    assert load_rows(write(tmp_path / f"rows{kind}", as_bytes(kind).decode().encode(encoding))).to_list() == ROWS




def test_one_object_may_be_the_row(tmp_path):
    row = {"messages": [{"role": "user", "content": "q"}], "rejected_response": "b"}
    assert load_rows(write(tmp_path / "row.json", json.dumps(row))).to_list() == [row]


@pytest.mark.parametrize("text, expected", [
    (LINES + '{"prompt": "x", \n' + LINES, f"line {len(ROWS) + 1} is not valid JSON"),
    ("{not json\n", "line 1 is not valid JSON"),
    ('[{"a": 1},\n {"a": 2\n', "line 3 is not valid JSON"),
    (LINES + "3\n", f"row {len(ROWS)} (line {len(ROWS) + 1}) is int 3"),
    ('["a", "b"]', "row 0 is str 'a'"), ("", "no rows in"), ("[]", "no rows in"), ("\n \n", "no rows in"),
    (json.dumps({"good": ROWS, "bad": ROWS}), "lists of rows under 'good', 'bad', and none under 'train'"),
])
def test_broken_json_is_named_with_its_place(tmp_path, text, expected):
    path = write(tmp_path / "rows.jsonl", text)
    with pytest.raises(ValueError) as caught:
        load_rows(path)
    assert expected in str(caught.value) and str(path) in str(caught.value)


# Columns ------------------------------------------------------------------------------------------------------------

def test_keys_that_come_late(tmp_path):
    talk = [{"role": "user", "content": "q"}]
    late = {"chosen": talk + [{"role": "tool", "content": "x", "name": "t"}], "n": 2.5, "late": ["z"]}
    rows = [{"chosen": talk, "n": 1}] * 20_000 + [late]
    loaded = load_rows(write(tmp_path / "rows.jsonl", "\n".join(map(json.dumps, rows))))
    assert loaded[-1]["n"] == 2.5 and loaded[-1]["late"] == ["z"] and loaded[-1]["chosen"][1]["name"] == "t"
    assert loaded[0] == {"chosen": [{"role": "user", "content": "q", "name": None}], "n": 1.0, "late": None}


@pytest.mark.parametrize("values, texts", [(["5", 7], ["5", "7"]), (["a", True, None], ["a", "true", None]),
                                           ([2**70, "a"], [str(2**70), "a"])])
def test_numbers_beside_text_are_text_and_it_is_said(tmp_path, caplog, values, texts):
    rows = load_rows(write(tmp_path / "rows.jsonl", "\n".join(json.dumps({"chosen": value}) for value in values)))
    assert rows["chosen"][:] == texts and "column 'chosen'" in caplog.text


def test_objects_of_any_shape_stay_as_they_are(tmp_path):
    rows = [{"calls": [{"args": {"a": 1}}]}, {"calls": [{"args": "text"}]}]
    path = write(tmp_path / "rows.jsonl", "\n".join(map(json.dumps, rows)))
    if hasattr(datasets, "Json"): assert load_rows(path).to_list() == rows
    else: pytest.raises(BadRowError, load_rows, path)


@pytest.mark.parametrize("before, wrong", [("text", ["list"]), ([{"role": "user"}], "text"), (["a"], [5]),
                                           ({"a": 1}, "text")])
def test_values_that_do_not_go_together(tmp_path, before, wrong):
    lines = [json.dumps({"id": 1, "chosen": value}) for value in [before] * 12_345 + [wrong, before]]
    path = write(tmp_path / "rows.jsonl", "\n".join(lines))
    with pytest.raises(BadRowError, match="one type of value a column") as caught:
        load_rows(path)
    assert (caught.value.row, caught.value.column) == (12_345, "chosen") and repr(wrong) in caught.value.found


def test_half_a_character(tmp_path, caplog):
    path = write(tmp_path / "rows.jsonl", '{"a": "x \\ud83d"}\n{"a": "y"}')
    assert load_rows(path)["a"][:] == ["x ?", "y"] and "question mark" in caplog.text


def test_categories_are_texts(tmp_path):
    pd.DataFrame(dict(source=["a", "b", "a"])).astype("category").to_parquet(tmp_path / "rows.parquet")
    assert load_rows(tmp_path / "rows.parquet")["source"][:] == ["a", "b", "a"]


# CSV ----------------------------------------------------------------------------------------------------------------

def csv_rows(tmp_path, text, name="rows.csv"):
    return load_rows(write(tmp_path / name, text)).to_list()


@pytest.mark.parametrize("name, text", [
    ("rows.csv", "a;b\n1;x, y\n"), ("rows.csv", "a\tb\n1\tx, y\n"), ("rows.csv", "a|b\n1|x, y\n"),
    ("rows.tsv", 'a,b\n1,"x, y"\n'),
    ("rows.tsv", "a\tb\n1\tx, y\n"), ("rows.csv", '"a" ,b\n1,"x, y"\n'.replace(" ", "", 1)),
    ("rows.csv", 'a, b\r\n1,"x, y"\r\n\r\n'), ("rows.csv", '\n a,b,\n1,"x, y",\n')])
def test_delimiters(tmp_path, name, text):
    row = csv_rows(tmp_path, text, name)[0]
    assert (row["a"], row["b"]) == ("1", "x, y")


@pytest.mark.parametrize("write_list", [json.dumps, repr])
def test_a_conversation_in_a_cell(tmp_path, write_list):
    rows = [{name: [{"role": "user", "content": f"it's {i}"}, {"role": "assistant", "content": f'"{name}"\n'}]
             for name in ("chosen", "rejected")} for i in range(3)]
    cells = [{name: write_list(talk) for name, talk in row.items()} for row in rows]
    pd.DataFrame(cells).to_csv(tmp_path / "rows.csv", index=False)
    assert load_rows(tmp_path / "rows.csv").to_list() == rows
    prepared, report = prepare_dataset(load_rows(tmp_path / "rows.csv"), tiny_tokenizer())
    assert str(report.format) == "implicit, messages" and prepared[0]["prompt"] == rows[0]["chosen"][:1]


def test_lists_in_cells(tmp_path):
    rows = csv_rows(tmp_path, 'prompt,responses,scores\nq,"[""a"", ""b""]","[1, 2.5]"\n')
    assert rows == [dict(prompt="q", responses=["a", "b"], scores=[1.0, 2.5])]


def test_an_answer_that_looks_like_a_list_is_an_answer(tmp_path):
    assert csv_rows(tmp_path, 'prompt,chosen\nsort,"[1, 2]"\nsort,"[{""name"": 1}]"\n') == [
        dict(prompt="sort", chosen="[1, 2]"), dict(prompt="sort", chosen='[{"name": 1}]')]


def test_numbers_are_made_where_they_are_needed(tmp_path):
    text = "prompt,chosen,rejected,score_chosen,score_rejected,id\nq,42,43,1e1,2,007\nr,44,45,3.5,-1,008\n"
    prepared, _ = prepare_dataset(load_rows(write(tmp_path / "rows.csv", text)), tiny_tokenizer())
    assert prepared["margin"][:] == [8.0, 4.5]
    assert prepared["chosen"][:] == ["42", "44"] and prepared["id"][:] == ["007", "008"]
    path = write(tmp_path / "empty.csv", "prompt,chosen,rejected,margin\nq,a,b,1\nq,a,b,\n")
    with pytest.raises(BadRowError, match="row 1, column 'margin': found str ''"):
        prepare_dataset(load_rows(path), tiny_tokenizer())


def test_fewer_cells_are_null(tmp_path):
    path = write(tmp_path / "rows.csv", "prompt,chosen,rejected\nq,a,b\nq,a\n")
    with pytest.raises(BadRowError, match="row 1, column 'rejected': found null"):
        prepare_dataset(load_rows(path), tiny_tokenizer())


def test_cells_of_any_length(tmp_path):
    assert csv_rows(tmp_path, f"prompt,chosen\nq,{'a' * 200_000}\n")[0]["chosen"] == "a" * 200_000


@pytest.mark.parametrize("text, expected", [
    ("a,b\n1,2\n1,2,3\n", "line 3: 3 cells for 2 columns (a, b)"), ('a,b\n"1\n2",2\n1,2,3\n', "line 4: 3 cells"),
    ("a,b\n1,2,3\n1,2,3\n", "line 2: 3 cells"),
    ("a,b,a\n1,2,3\n", "line 1 names the column 'a' twice"), ('a,b\n1,"2\n3,4\n', "line 3: unexpected end of data"),
    ('a,b\n"1"x,2\n', "line 2: "), ("", "no rows"), ("a,b\n", "no rows"),
    ('chosen,b\n"[{""role"": ""user""}]",2\n[{role},3\n', "row 1, column 'chosen': found str '[{role}'"),
])
def test_broken_csv_is_named_with_its_place(tmp_path, text, expected):
    with pytest.raises(ValueError) as caught:
        csv_rows(tmp_path, text)
    assert expected in str(caught.value) and "rows.csv" in str(caught.value)


# What can't be read -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("encoding, shown", [("latin-1", "«0»"), ("cp1252", "“0”")])
@pytest.mark.parametrize("kind, line", [(".jsonl", 1), (".csv", 2)])
def test_another_encoding_is_named(tmp_path, kind, line, encoding, shown):
    text = as_bytes(kind).decode().replace("日本 🙂", "").replace("«", shown[0]).replace("»", shown[-1])
    with pytest.raises(ValueError, match=f"line {line} is not UTF-8") as caught:
        load_rows(write(tmp_path / f"rows{kind}", text.encode(encoding)))
    assert shown in str(caught.value) and "Save the file as UTF-8" in str(caught.value)


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst", ".zip"])
def test_a_file_that_was_cut_off(tmp_path, packing):
    path = tmp_path / f"rows.jsonl{packing}"
    if packing == ".zip":
        with zipfile.ZipFile(path, "w") as archive: archive.writestr("rows.jsonl", LINES)
        content = path.read_bytes()
    else: content = PACKERS[packing](LINES.encode() * 50)
    with pytest.raises(ValueError, match="can't read .*rows.jsonl"):
        load_rows(write(path, content[:-12]))


@pytest.mark.parametrize("kind", [".parquet", ".arrow", ".feather"])
def test_a_table_that_was_cut_off(tmp_path, kind):
    with pytest.raises(ValueError, match=f"can't read .*rows{kind}"):
        load_rows(write(tmp_path / f"rows{kind}", as_bytes(kind)[:-400]))


@pytest.mark.parametrize("name", ["rows.txt", "rows.xlsx", "rows.jsonl.lz4", "rows.tar.gz", "rows"])
def test_other_kinds_are_refused_with_those_that_are_known(tmp_path, name):
    with pytest.raises(ValueError, match="ends in .json, .jsonl"):
        load_rows(write(tmp_path / name, b"PK\x03\x04 or any other bytes"))


@pytest.mark.parametrize("names", [["a.jsonl", "b.jsonl"], ["notes.txt"], []])
def test_an_archive_holds_one_file_of_rows(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        for name in names: archive.writestr(name, LINES)
    with pytest.raises(ValueError, match=", ".join(names) or "nothing"):
        load_rows(tmp_path / "rows.zip")


# Folders ------------------------------------------------------------------------------------------------------------

def test_a_folder_and_a_pattern(tmp_path):
    half = len(ROWS) // 2
    write(tmp_path / "b.jsonl", "".join(LINES.splitlines(True)[half:]))
    write(tmp_path / "a.jsonl", "".join(LINES.splitlines(True)[:half]))
    write(tmp_path / "README.md", "# about"), write(tmp_path / "dataset_infos.json", "{}")
    write(tmp_path / ".cache" / "c.csv", "a\n1\n")
    assert load_rows(tmp_path).to_list() == load_rows(tmp_path / "*.jsonl").to_list() == ROWS


def test_tables_side_by_side(tmp_path):
    for name, part in (("a", ROWS[:5]), ("b", ROWS[5:])): pd.DataFrame(part).to_parquet(tmp_path / f"{name}.parquet")
    assert load_rows(tmp_path).to_list() == ROWS


@pytest.mark.parametrize("names", [("train.jsonl", "test.jsonl"), ("train/a.jsonl", "test/a.jsonl"),
                                   ("my_train.v1.jsonl", "my-eval.jsonl"),
                                   ("data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl")])
def test_splits_in_a_folder(tmp_path, names):
    write(tmp_path / names[0], LINES), write(tmp_path / names[1], json.dumps(ROWS[0]))
    assert load_rows(tmp_path).to_list() == ROWS and load_rows(tmp_path, "test").to_list() == ROWS[:1]
    with pytest.raises(ValueError, match="can't tell the files of 'validation' .*test: .*train: "):
        load_rows(tmp_path, "validation")


@pytest.mark.parametrize("names, expected", [
    (["a.jsonl", "b.csv"], r"several kinds \(.jsonl: a.jsonl; .csv: b.csv\)"),
    (["a.jsonl", "a.jsonl.gz"], "several kinds"),
    (["notes.txt"], "no file of rows .*; found notes.txt"), ([], "found nothing"),
    (["train.jsonl", "more.jsonl"], "can't tell the files of 'train'"),
    (["config.json", "tokenizer.json"], "holds a model, not rows")])
def test_a_folder_that_can_not_be_told(tmp_path, names, expected):
    for name in names: write(tmp_path / name, LINES)
    with pytest.raises(ValueError, match=expected):
        load_rows(tmp_path)


@pytest.mark.parametrize("split", ["train[:2]", "train+test"])
def test_a_part_of_a_file_is_refused(tmp_path, split):
    with pytest.raises(ValueError, match="which only a dataset on the Hub has"):
        load_rows(write(tmp_path / "rows.jsonl", LINES), split)


def test_what_save_to_disk_wrote(tmp_path):
    whole = Dataset.from_list(ROWS)
    whole.save_to_disk(tmp_path / "one")
    DatasetDict(train=whole, held_out=whole.select([0])).save_to_disk(tmp_path / "two")
    assert load_rows(tmp_path / "one").to_list() == load_rows(tmp_path / "two").to_list() == ROWS
    assert load_rows(tmp_path / "two", "held_out").to_list() == ROWS[:1]
    with pytest.raises(ValueError, match="holds the splits train, held_out, and no 'test'"):
        load_rows(tmp_path / "two", "test")


# Names that aren't there --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["missing.jsonl", "missing.csv.gz", "./data/x", "/nowhere/x", "a/b/c", "*.jsonl",
                                  "~/nowhere-at-all", "C:\\rows", ""])
def test_no_such_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rmkit.files.HfApi", None)  # nobody is asked
    with pytest.raises(FileNotFoundError):
        load_rows(name)


class Hub:
    "Answers once, or fails to"
    asked, error = 0, None

    def dataset_info(self, name, timeout):
        Hub.asked += 1
        raise self.error


@pytest.mark.parametrize("error, expected, said", [
    (OSError("no route"), ConnectionError, "the Hub can't be reached"),
    (TimeoutError(), ConnectionError, "TimeoutError"),
    (RepositoryNotFoundError.__new__(RepositoryNotFoundError), FileNotFoundError, "nothing of that name on the Hub")])
@pytest.mark.parametrize("name", ["no-such/dataset", "nosuchdataset"])
def test_the_hub_is_asked_once(name, error, expected, said, monkeypatch):
    monkeypatch.setattr(Hub, "error", error), monkeypatch.setattr(Hub, "asked", 0)
    monkeypatch.setattr("rmkit.files.HfApi", Hub)
    was = datasets.config.HF_HUB_OFFLINE
    with pytest.raises(expected, match=said) as caught:
        load_rows(name)
    assert Hub.asked == 1 and repr(name) in str(caught.value) and datasets.config.HF_HUB_OFFLINE == was
