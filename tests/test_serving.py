"Whether a saved folder scores the same elsewhere: many kinds of folders, each with its row and its remedy"
import json
import re
import shlex
import shutil

import pytest
import torch
from peft import LoraConfig
from tokenizers import processors
from torch import nn
from transformers import (BertConfig, BertForSequenceClassification, BertTokenizer, DebertaV2Config,
                          DebertaV2ForSequenceClassification, GPTNeoXConfig, GPTNeoXForSequenceClassification)

from rmkit import RewardConfig, RewardModel, RewardTrainer
from rmkit.cli import main
from rmkit.head import set_text_pair
from rmkit.model import add_lora, CORRECTION_FILE, load_reward_model, merge, save_reward_model
from rmkit.serving import check_serving, serving_commands
from rmkit.synthetic import make_pairs, tiny_causal_lm, tiny_config, tiny_model, tiny_tokenizer
from rmkit.tokens import find_markers, render, tokenize


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "A folder as RewardTrainer saves it"
    folder = tmp_path_factory.mktemp("whole") / "reward"
    args = RewardConfig(str(folder), max_steps=1, per_device_train_batch_size=4, report_to="none", disable_tqdm=True,
                        use_cpu=True, save_strategy="no", dashboard=False)
    trainer = RewardTrainer(tiny_model(), args, train_dataset=make_pairs(8), processing_class=tiny_tokenizer())
    trainer.train()
    trainer.save_model()
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    "A copy of it, to be changed"
    return shutil.copytree(whole, tmp_path / "reward")


def change(folder, drop=(), **entries):
    "Other entries in a folder's config"
    config = json.loads((folder / "config.json").read_text()) | entries
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k not in drop}))


def statuses(checks, *but):
    "The names that don't pass"
    return {check.name: check.status for check in checks if check.status != "pass" and check.name not in but}


def save(folder, model=None, tokenizer=None):
    save_reward_model(model or tiny_model(), tokenizer or tiny_tokenizer(), folder)
    return folder


def test_a_clean_folder_passes_and_gives_its_rewards_by_pipeline(whole, capsys):
    checks = check_serving(whole, prove=True)
    assert statuses(checks) == {} and checks["same reward"].number < 1e-5
    assert not any(check.remedy for check in checks)
    assert all(check.found and check.why for check in checks)
    exec(serving_commands(whole)["pipeline"])
    ours = RewardModel.from_pretrained(whole, device="cpu").score("What is 2 + 2?", "It is 4.", progress=False)[0]
    shown = float(re.search(r"'score': (-?[\d.]+)", capsys.readouterr().out)[1])
    assert shown == pytest.approx(ours, abs=1e-5)


def test_weights_are_not_loaded_unless_asked(whole, monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", None)
    monkeypatch.setattr("rmkit.serving.load_reward_model", None)
    assert statuses(check_serving(whole)) == {}
    assert check_serving(whole, prove=True)["same reward"].status == "fail"


# Each kind: what is done to a clean folder, the rows that don't pass then, and words of a remedy ----------------------

def with_bias(folder):
    model = tiny_model()
    model.score = nn.Linear(64, 1)
    save(folder, model)


def with_mlp(folder):
    model = tiny_model()
    model.score = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 1))
    save(folder, model)


def with_two_labels(folder):
    config = tiny_config()
    config.num_labels = 2
    config.problem_type = None
    save(folder, type(tiny_model())(config))


def with_other_names(folder):
    "As a wrapper saves them"
    state = {f"base_model.model.{name}": value for name, value in tiny_model().state_dict().items()}
    tiny_model().save_pretrained(folder, state_dict=state)


def with_template(folder, template):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template and template(tokenizer.chat_template)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)


def pickled(folder):
    torch.save(tiny_model().state_dict(), folder / "pytorch_model.bin")


def only_pickled(folder):
    pickled(folder)
    (folder / "model.safetensors").unlink()


def lost_shard(folder):
    (folder / "model.safetensors").unlink()
    tiny_model().save_pretrained(folder, max_shard_size="100KB")
    sorted(folder.glob("model-*.safetensors"))[0].unlink()


def half_written(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def in_two_types(folder):
    model = tiny_model().to(torch.bfloat16)
    model.score.float()
    save(folder, model)


NO_TYPE = {"problem_type": "fail"}
NOTHING = {"weights": "fail", "head": "unknown", "dtype": "unknown", "engines": "fail"}
KINDS = {
    "no problem_type": (lambda f: change(f, drop=["problem_type"]), NO_TYPE, '"problem_type": "regression"'),
    "another problem_type": (lambda f: change(f, problem_type="multi_label_classification"), NO_TYPE, "config.json"),
    "no id2label": (lambda f: change(f, drop=["id2label", "label2id"]), {"id2label": "fail", "num_labels": "fail"},
                    '"id2label"'),
    "two labels": (with_two_labels, {"num_labels": "fail", "problem_type": "fail", "id2label": "fail"}, "one output"),
    "RewardModel": (lambda f: change(f, architectures=["LlamaForRewardModel"]),
                    {"architecture": "fail", "engines": "fail"}, "save_reward_model"),
    "language model": (lambda f: save(f, tiny_causal_lm()), {"architecture": "fail", "head": "fail", "engines": "fail"},
                       "require_head=True"),
    "no architecture": (lambda f: change(f, drop=["architectures"]), {"architecture": "fail", "engines": "fail"},
                        "load_reward_model"),
    "unknown class": (lambda f: change(f, architectures=["MyOwnForSequenceClassification"]),
                      {"architecture": "fail", "engines": "warn"}, "load_reward_model"),
    "code of its own": (lambda f: change(f, auto_map={"AutoModelForSequenceClassification": "m.M"}),
                        {"architecture": "fail"}, "save_reward_model"),
    "bias": (with_bias, {"head": "fail", "engines": "warn"}, "load_reward_model"),
    "MLP": (with_mlp, {"head": "fail", "engines": "fail"}, "replace_head"),
    "another width": (lambda f: change(f, hidden_size=128), {"head": "fail", "engines": "fail"}, "replace_head"),
    "names of a wrapper": (with_other_names, {"head": "fail", "engines": "fail"}, "require_head=True"),
    "no pad token": (lambda f: change(f, pad_token_id=None), {"pad token": "fail"}, "no text ends with"),
    "pad is eos": (lambda f: change(f, pad_token_id=2), {"pad token": "fail"}, "no text ends with"),
    "another pad token": (lambda f: change(f, pad_token_id=7), {"pad token": "fail"}, "save_reward_model"),
    "no template": (lambda f: with_template(f, None), {"chat template": "fail"}, "chat_template"),
    "broken template": (lambda f: with_template(f, lambda t: "{{ raise_exception('no') }}"), {"chat template": "fail"},
                        "chat_template"),
    "generation prompt": (lambda f: with_template(f, lambda t: t + "<|assistant|>"), {"last token": "fail"},
                          "add_generation_prompt"),
    "doubled BOS": (lambda f: with_template(f, lambda t: "{{ bos_token }}" + t), {"special tokens": "fail"}, "once"),
    "no BOS": (lambda f: with_template(f, lambda t: t.replace("{{ bos_token }}", "")), {"special tokens": "warn"},
               "rather than messages"),
    "end without a token": (lambda f: with_template(f, lambda t: t.replace("{{ eos_token }}", "")),
                            {"last token": "fail"}, "end of a turn"),
    "pickle beside": (pickled, {"weights": "warn"}, "delete"),
    "pickle alone": (only_pickled, NOTHING, "delete"),
    "lost shard": (lost_shard, {"weights": "fail"}, "save_reward_model"),
    "half a file": (half_written, NOTHING, "save_reward_model"),
    "two types": (in_two_types, {"dtype": "warn"}, "model.to(dtype)"),
    "type by name": (lambda f: change(f, dtype="bfloat16"), {"dtype": "warn"}, "model.to(dtype)"),
    "quantised": (lambda f: change(f, quantization_config={"quant_method": "gptq"}), {"dtype": "unknown"}, ""),
    "length correction": (lambda f: (f / CORRECTION_FILE).write_text('{"strength": 0.5}'),
                          {"length correction": "warn"}, "LengthCorrection"),
    "no tokenizer": (lambda f: [file.unlink() for file in f.glob("*token*")],
                     {"chat template": "fail", "pad token": "unknown"}, "tokenizer"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_is_served_otherwise_says_so(kind, folder):
    spoil, expected, remedy = KINDS[kind]
    spoil(folder)
    checks = check_serving(folder)
    assert statuses(checks) == expected
    assert remedy in " ".join(check.remedy for check in checks)
    assert all(check.remedy for check in checks if check.status in ("warn", "fail"))
    assert list(serving_commands(folder)) == ["pipeline", "vLLM", "SGLang", "TEI"]


def do(remedy, folder):
    "Run the lines that a remedy names; the folder that they save"
    new = folder.with_name("new")
    lines = re.search(r"model, tokenizer = .*?\"NEW\"\)", remedy)[0].replace('"NEW"', repr(str(new)))
    exec(lines, dict(load_reward_model=load_reward_model, save_reward_model=save_reward_model, merge=merge))
    return new


@pytest.mark.parametrize("kind,row", [("bias", "head"), ("no pad token", "pad token"), ("pad is eos", "pad token")])
def test_the_lines_of_a_remedy_mend_it(kind, row, folder):
    KINDS[kind][0](folder)
    assert statuses(check_serving(do(check_serving(folder)[row].remedy, folder), prove=True)) == {}


@pytest.mark.parametrize("text,number", [("problem_type", 1), ("num_labels", 0)])
def test_what_is_to_be_written_into_the_config_mends_it(text, number, folder):
    change(folder, drop=["problem_type", "id2label", "label2id"])
    remedies = check_serving(folder)["problem_type"].remedy, check_serving(folder)["num_labels"].remedy
    entries = re.findall(r'Write (.*?) into', remedies[0]) + re.findall(r"Write (.*) into", remedies[1])
    change(folder, **json.loads("{" + ", ".join(entries).replace(" and ", ", ") + "}"))
    assert statuses(check_serving(folder, prove=True)) == {}


def test_a_proof_finds_what_reading_does_not(folder):
    change(folder, problem_type=None)
    found = check_serving(folder, prove=True)["same reward"]
    assert found.status == "fail" and found.number > 0.1 and "by pipeline" in found.found
    (folder / "tokenizer.json").unlink()
    assert check_serving(folder, prove=True)["same reward"].status == "fail"


def test_shards_are_as_good_as_one_file(folder):
    (folder / "model.safetensors").unlink()
    tiny_model().save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert statuses(check_serving(folder)) == {}


def lora(base=None):
    return add_lora(base or tiny_model(), LoraConfig(r=4))


def test_an_adapter_is_to_be_folded_in(tmp_path):
    save(tmp_path / "with-base", lora())
    save(tmp_path / "base")
    base, tokenizer = load_reward_model(tmp_path / "base")
    save_reward_model(lora(base), tokenizer, tmp_path / "alone")
    for name, where in (("with-base", "its base beside it"), ("alone", "base")):
        checks = check_serving(tmp_path / name)
        assert checks["adapter"].status == "fail" and where in checks["adapter"].found
        commands = serving_commands(tmp_path / name)
        assert all("adapter" in command and command.startswith("no: ") for command in commands.values())
    new = do(check_serving(tmp_path / "alone")["adapter"].remedy, tmp_path / "alone")
    assert statuses(check_serving(new, prove=True)) == {}


def test_an_adapter_without_its_head(tmp_path):
    from peft import get_peft_model
    get_peft_model(tiny_model(), LoraConfig(r=4, target_modules=["q_proj"])).save_pretrained(tmp_path)
    check = check_serving(tmp_path)["adapter"]
    assert "no head is saved with it" in check.found and "add_lora" in check.remedy


# Other families ------------------------------------------------------------------------------------------------------

def encoder_tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789.,?+'"]
    return BertTokenizer(vocab={word: i for i, word in enumerate([*words, *(f"##{word}" for word in words[5:])])})


SIZES = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=1,
             problem_type="regression")


def encoder(folder, cls=BertForSequenceClassification, config=BertConfig):
    tokenizer = encoder_tokenizer()
    model = cls(config(vocab_size=len(tokenizer), pad_token_id=0, **SIZES)).eval()
    set_text_pair(model, tokenizer)
    return save(folder, model, tokenizer)


def test_an_encoder_is_served_by_tei_and_vllm(tmp_path):
    folder = encoder(tmp_path)
    checks = check_serving(folder, prove=True)
    assert statuses(checks) == {} and "not needed" in checks["chat template"].found
    assert "last token" not in [check.name for check in checks]
    commands = serving_commands(folder)
    assert commands["SGLang"].startswith("no: ") and commands["vLLM"].startswith("vllm serve")
    assert json.loads(shlex.split(commands["vLLM"])[-1])["text_2"] == "It is 4."
    start, ask = commands["TEI"].split("\n")
    assert start == f"text-embeddings-router --model-id {folder} --port 8080"
    assert json.loads(shlex.split(ask)[-1]) == {"inputs": [["What is 2 + 2?", "It is 4."]], "raw_scores": True}
    change(folder, drop=["problem_type"])
    assert statuses(check_serving(folder)) == {"problem_type": "fail"}


def test_an_encoder_that_no_server_knows(tmp_path):
    folder = encoder(tmp_path, DebertaV2ForSequenceClassification, DebertaV2Config)
    assert statuses(check_serving(folder)) == {"engines": "warn"}
    assert [command[:3] for command in serving_commands(folder).values()] == ["fro", "no:", "no:", "no:"]


def test_a_decoder_of_another_family(tmp_path):
    tokenizer = tiny_tokenizer()
    config = GPTNeoXConfig(vocab_size=len(tokenizer), pad_token_id=0, eos_token_id=2, **SIZES)
    folder = save(tmp_path, GPTNeoXForSequenceClassification(config).eval(), tokenizer)
    checks = check_serving(folder, prove=True)
    assert statuses(checks) == {} and "pipeline, vLLM (not SGLang" in checks["engines"].found
    assert serving_commands(folder)["SGLang"].startswith("no: it knows Llama")


def test_a_model_of_plain_text(folder):
    change(folder, reward_input="text")
    with_template(folder, None)
    checks = check_serving(folder, prove=True)
    assert statuses(checks) == {}
    body = json.loads(shlex.split(serving_commands(folder)["vLLM"].split("\n")[1])[-1])
    assert body["input"] == "What is 2 + 2?It is 4.<|end|>" and body["use_activation"] is False


# No folder, and names -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name,found,remedy", [
    ("nobody/reward-model", "no such folder", "hf download nobody/reward-model"),
    ("empty", "it is empty", "that was saved into"), ("notes", "no config.json", "that was saved into")])
def test_what_is_no_folder_of_a_model(name, found, remedy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for made in ("empty", "notes"):
        (tmp_path / made).mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    checks = check_serving(name, prove=True)
    assert [check.name for check in checks.failed] == ["folder"] == [check.name for check in checks]
    assert found in checks[0].found and remedy in checks[0].remedy
    with pytest.raises(ValueError, match="folder"):
        checks.raise_failed()
    assert all(command.startswith("no: ") for command in serving_commands(name).values())


def test_commands_hold_for_any_name(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "it's mine; rm -rf x")
    commands = serving_commands(folder)
    start, ask = commands["vLLM"].split("\n")
    named = ["--served-model-name", folder.name]
    assert shlex.split(start) == ["vllm", "serve", str(folder), *named, "--runner", "pooling"]
    assert json.loads(shlex.split(ask)[-1])["model"] == folder.name
    assert f"--model-path {shlex.quote(str(folder))} --is-embedding" in commands["SGLang"]
    compile(commands["pipeline"], "commands", "exec")


@pytest.mark.parametrize("broken", ["", "[]", "{", "null"])
def test_a_broken_config_is_no_crash(broken, folder):
    (folder / "config.json").write_text(broken)
    assert [check.name for check in check_serving(folder).failed] == ["folder"]


def test_a_correction_says_how_strong_it_is(folder):
    KINDS["length correction"][0](folder)
    assert check_serving(folder)["length correction"].found == "length_correction.json, strength 0.5"


def test_hostile_words_are_shown_escaped(folder):
    change(folder, architectures=["<script>alert(1)</script>"])
    assert "<script>alert" not in check_serving(folder)._repr_html_()


def test_no_code_of_the_folder_is_run(folder, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run a stranger's code"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= dict(tokenizer_class="MyTokenizer", auto_map={"AutoTokenizer": ["mine.MyTokenizer", None]})
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "mine.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    change(folder, auto_map={"AutoModelForSequenceClassification": "mine.MyModel", "AutoConfig": "mine.MyConfig"},
           model_type="mine")
    checks = check_serving(folder, prove=True)
    assert checks["architecture"].status == checks["same reward"].status == "fail"
    assert not (folder / "ran").exists()


# On the command line -------------------------------------------------------------------------------------------------

def test_the_command_tells_what_is_wrong_and_how_to_serve(folder, tmp_path, capsys):
    assert main(["check", "--serving", str(folder), "--output", str(tmp_path / "checks.json")]) == 0
    told = capsys.readouterr().out
    assert f"vllm serve {folder} --served-model-name reward --runner pooling" in told
    assert "no: decoders: classifier model type is not supported" in told
    rows = json.loads((tmp_path / "checks.json").read_text())
    assert rows["counts"] == dict(zip(("pass", "warn", "fail", "unknown"), (len(rows["checks"]), 0, 0, 0)))
    change(folder, drop=["problem_type"])
    assert main(["check", "--serving", str(folder)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "1 fail" in told and '"problem_type": "regression"' in told
    assert main(["check", "--serving", "nobody/nothing"]) == 1
    assert "hf download nobody/nothing" in " ".join(capsys.readouterr().out.split())


def tokenizer_of(adds_bos, template, bos="<|bos|>"):
    "The tiny tokenizer, which puts a first token before plain text or not, with another template"
    tokenizer = tiny_tokenizer()
    if not adds_bos: tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing("$A", "$A $B", [])
    tokenizer.chat_template, tokenizer.bos_token = template, bos
    return tokenizer


WITHOUT = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + eos_token }}{% endfor %}"


@pytest.mark.parametrize("adds_bos,template,bos,sent", [
    (True, "{{ bos_token }}" + WITHOUT, "<|bos|>", "<|user|>"),
    (False, "{{ bos_token }}" + WITHOUT, "<|bos|>", "<|bos|>"),
    (False, WITHOUT, "<|bos|>", "<|user|>"), (False, WITHOUT, "<|user|>", "<|user|>")])
def test_the_text_that_is_sent_becomes_the_ids_of_the_training(adds_bos, template, bos, sent, tmp_path):
    tokenizer = tokenizer_of(adds_bos, template, bos)
    save(tmp_path, tokenizer=tokenizer)
    checks = check_serving(tmp_path, prove=True)
    assert statuses(checks) == {}
    text = json.loads(shlex.split(serving_commands(tmp_path)["SGLang"])[-1])["text"]
    assert text.startswith(sent)
    markers = find_markers(tokenizer)
    chat = [{"role": "user", "content": "What is 2 + 2?"}], [{"role": "assistant", "content": "It is 4."}]
    assert tokenizer(text)["input_ids"] == tokenize([render(*chat, tokenizer, markers)], tokenizer, markers, True)[0]


@pytest.mark.parametrize("end", ["", "\n", " "])
def test_white_space_behind_the_end_is_read_as_it_was_trained(end, tmp_path):
    template = "{{ bos_token }}" + WITHOUT.replace("{% endfor", "{{ " + repr(end) + " }}{% endfor")
    save(tmp_path, tokenizer=tokenizer_of(True, template))
    assert statuses(check_serving(tmp_path, prove=True)) == {}
