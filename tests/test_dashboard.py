"""The dashboard: what it shows, what it costs, and that stopping keeps the run.

The browser's side runs the same file as the notebook's."""
import json
import math
import re
import signal
import subprocess
import sys
import threading
import time
from importlib.resources import files

import pytest
import torch
from browser import CONTRAST, Visit, chromium
from hostile import PAYLOADS
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from rmkit import RewardConfig, RewardTrainer
from rmkit.dashboard import _widget_class, Dashboard, read_run, RunView, STATUS, WidgetDisplay
from rmkit.words import clock
from rmkit.table import pair_scores
from rmkit.words import visible
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.checkpoints import is_torn
from rmkit.running import PairRows, RunningMetrics
from rmkit.visualizer import RewardVisualizer

browser = pytest.fixture(scope="module")(chromium)


class Recorder:
    "A display that keeps what it is told; `press(n)` presses stop once step n is shown"

    def __init__(self, stop_at=None):
        self.stop_at, self.told, self.closed = stop_at, [], 0

    def open(self, view, heard):
        self.view, self.heard = view, heard

    def tell(self):
        self.told.append(json.loads(self.view.news()))
        if self.stop_at is not None and self.view.step >= self.stop_at: self.heard(dict(what="stop"))

    def close(self):
        self.closed += 1


def trainer_of(folder, shown=None, kind=RewardTrainer, **kwargs):
    kwargs = dict(max_steps=6, per_device_train_batch_size=4, logging_steps=2, learning_rate=1e-3, save_strategy="no",
                  report_to="none", disable_tqdm=True, use_cpu=True, seed=1) | kwargs
    return kind(tiny_model(seed=0), RewardConfig(str(folder), **kwargs), train_dataset=make_pairs(64, seed=0),
                eval_dataset=make_pairs(16, seed=1), processing_class=tiny_tokenizer(),
                callbacks=[shown] if shown else None)


def a_log(n, **more):
    "n entries of a run"
    def entry(step):
        grown = 1 - math.exp(-2 * step / n)
        wave = .03 * math.sin(7.0 * step)
        return dict(step=step, epoch=step / n, loss=.7 - .25 * grown + wave, accuracy=.5 + .3 * grown + wave,
                    accuracy_low=.46 + .3 * grown + wave, accuracy_high=.55 + .3 * grown + wave,
                    margin=1.5 * grown + wave, mean_reward_chosen=.8 * grown, std_reward_chosen=.3 + grown,
                    mean_reward_rejected=-.7 * grown, std_reward_rejected=.4 + grown,
                    learning_rate=2e-5 * (1 - step / n), grad_norm=2 + 20 * abs(wave), pairs_per_second=180 + 99 * wave,
                    tokens_per_second=31_000 + 9_999 * wave, memory_gib=8.25) | more
    held_out = [dict(step=step, eval_loss=.6, eval_accuracy=.74, eval_accuracy_low=.7, eval_accuracy_high=.78,
                     eval_margin=.9) for step in range(n // 5, n + 1, n // 5 or 1) if step]
    return sorted([entry(step) for step in range(1, n + 1)] + held_out, key=lambda log: log["step"])


# What is shown

def test_clock():
    assert [clock(s) for s in (0, 59.6, 3599, 3600, 360_000, -1)] == ["0:00", "1:00", "59:59", "1:00:00", "100:00:00",
                                                                      "0:00"]


def test_only_numbers_are_kept():
    view = RunView("a",
                   [{"step": 1, "loss": torch.tensor(1.0).item(), "text": "no", "flag": True, "none": None,
                     "list": [1]}])
    assert view.rows == [dict(step=1.0, loss=1.0)]


def test_nan_is_a_gap():
    "JSON has no NaN, and a browser would refuse the whole message"
    view = RunView("a", [dict(step=1, loss=math.nan, grad_norm=math.inf)])
    assert json.loads(view.news(), parse_constant=pytest.fail)["rows"] == [dict(step=1, loss=None, grad_norm=None)]
    assert dict(tile[:2] for tile in view.tiles())["Loss"] == "nan"


def test_steps_beyond_a_million_stay_whole():
    assert json.loads(RunView("a", [dict(step=12_345_678, loss=1 / 3)]).news())["rows"][0]["step"] == 12_345_678


def test_tiles_are_what_was_logged():
    tiles = {name: (value, note) for name, value, note in RunView("a", a_log(5)).tiles()}
    assert set(tiles) == {"Loss", "Accuracy", "Reward margin", "Chosen, rejected", "Learning rate", "Gradient norm",
                          "Pairs/s", "Memory"}
    assert "held out 74.0%" in tiles["Accuracy"][1] and tiles["Memory"][0] == "8.2 GiB"
    assert RunView("a", [dict(step=1, loss=2.0)]).tiles() == [("Loss", "2", "")] and RunView("a").tiles() == []


def test_time_left_counts_this_sessions_steps():
    view = RunView("a", step=50, max_steps=100)
    assert view.seconds_left() is None
    view.step, view.seconds = 60, 20
    assert view.seconds_left() == 80 and "about 1:20 left" in view.line()
    view.step = 100
    assert view.seconds_left() is None and "left" not in view.line()


def test_a_message_is_small():
    view = RunView("a", a_log(2000))
    assert len(view.news(len(view.rows) - 1)) < 3_000 and len(view.panels()) < 5_000


@pytest.mark.parametrize("log", [[], [dict(step=1, loss=1.0)], a_log(2), a_log(2000), [dict(train_loss=1.0)]])
def test_text_and_page_of_any_log(log):
    bundle = RunView("a", log)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"} and bundle["text/plain"].startswith("a: Not started")
    assert ("Nothing was logged." in bundle["text/html"]) == (not log) and len(bundle["text/html"]) < 60_000


SETS = [f"held-out {n}" for n in range(7)]


def a_log_of_sets(names=SETS):
    return [row for row in a_log(4) if "loss" in row] + [
        {"step": 4} | {f"eval_{name}_{metric}": .6 + .01 * i for metric in ("loss", "accuracy", "margin")}
        for i, name in enumerate(names)]


@pytest.mark.filterwarnings("error")
def test_many_held_out_sets_are_told_apart():
    view = RunView("a", a_log_of_sets())
    assert [curve.name for curve, *_ in view.closing()] == ["training", *(f"held out: {name}" for name in SETS)]
    assert len(set(re.findall(r'<th scope="row"[^>]*><img[^>]*src="([^"]*)"', view.page()))) == 8
    figure = view.figure()
    figure.canvas.draw()  # matplotlib warns where a legend leaves no room for the axes
    assert all(ax.get_position().width > .1 and ax.get_position().height > .08 for ax in figure.axes)
    loss = next(ax for ax in figure.axes if ax.get_title(loc="left") == "Loss")
    assert len({(line.get_color(), str(line._unscaled_dash_pattern)) for line in loss.lines}) == 8


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_said(bad):
    def ended(*rows, status="finished"):
        view = RunView("a", [dict(step=1, loss=.7, mean_reward=0., eval_easy_loss=.7, eval_hard_loss=.7), *rows])
        view.status = status
        return view.word(), view.notes()
    assert ended(dict(step=2, loss=bad)) == ("Ended without a finite loss", "Not finite: loss, first at step 2.")
    assert ended(dict(step=9, loss=bad, not_finite_from=5))[1] == "Not finite: loss, first at step 5."
    assert ended(dict(step=2, max_reward=bad)) == ("Ended without finite rewards",
                                                   "Not finite: rewards, first at step 2.")
    assert ended(dict(step=2, eval_easy_loss=bad), dict(step=2, eval_hard_loss=.6)) == (
        "Ended without a finite held-out loss (easy)", "Not finite: held-out loss (easy), first at step 2.")
    assert ended(dict(step=2, loss=bad), dict(step=3, loss=.6)) == ("Finished", "Not finite: loss, first at step 2.")
    assert ended(dict(step=2, loss=bad), status="stopped")[0] == "Stopped"
    assert ended(dict(step=2, grad_norm=bad)) == ("Finished", "")  # as float16 skips a step
    assert read_run([dict(step=3, train_loss=bad)]).word() == "Ended without a finite loss"


# What stays in a notebook

def css_of_dashboard():
    return (files("rmkit")/"static"/"dashboard.css").read_text(encoding="utf-8")


def test_the_explorer_looks_the_same_beside_the_dashboard(browser, tmp_path):
    scores = pair_scores(["a"] * 4, ["b"] * 4, ["c"] * 4, [1., 2., 3., 4.], [0., 3., 1., 4.])
    looks = """() => [...document.querySelectorAll('.rmkit:not(.rmkit-dashboard) *')].map(one => [
      one.getAttribute('class'),
        ...[...getComputedStyle(one)].map(name => getComputedStyle(one).getPropertyValue(name))].join())"""
    adopt = """css => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css);
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet] }"""  # which the page's policy allows
    with Visit(browser, RewardVisualizer(scores).save(tmp_path/"explorer.html").as_uri(), 1200) as visit:
        page = visit.page
        page.wait_for_selector(".rmkit-picture svg")
        page.evaluate(adopt, ".rmkit, .rmkit * { transition: none !important }")
        page.evaluate("""() => { const panel = document.createElement('section'), view = document.createElement('div');
            panel.className = 'rmkit-panel'; view.className = 'rmkit rmkit-dashboard'; view.append(panel);
            document.body.append(view) }""")
        before = page.evaluate(looks)
        page.evaluate(adopt, css_of_dashboard())
        borders = "all => all.map(one => getComputedStyle(one).borderTopWidth)"
        assert page.eval_on_selector_all(".rmkit-panel", borders) == ["0px", "1px"], "each its own"
        assert len(before) > 100 and page.evaluate(looks) == before


# A training

def test_off_outside_notebooks(tmp_path, monkeypatch):
    "No dashboard, and transformers' own callback where it was"
    for tqdm, kind in ((True, PrinterCallback), (False, ProgressCallback)):
        trainer = trainer_of(tmp_path, disable_tqdm=tqdm)
        assert trainer.dashboard is None
        assert any(isinstance(callback, kind) for callback in trainer.callback_handler.callbacks)
    before = signal.getsignal(signal.SIGINT)
    trainer.train()
    assert signal.getsignal(signal.SIGINT) is before


def test_on_in_notebooks_unless_asked_not_to(tmp_path, monkeypatch):
    monkeypatch.setattr("rmkit.trainer.in_notebook", lambda: True)
    assert isinstance(trainer_of(tmp_path).dashboard.display, WidgetDisplay)
    assert trainer_of(tmp_path, dashboard=False).dashboard is None
    trainer = trainer_of(tmp_path, dashboard="auto")
    assert not any(isinstance(callback, (PrinterCallback, ProgressCallback))
                   for callback in trainer.callback_handler.callbacks)


def test_unknown_setting():
    with pytest.raises(ValueError, match="dashboard='sometimes'"): RewardConfig("a", dashboard="sometimes")


def test_importing_is_light():
    "Widgets are imported when one is made"
    code = ("import sys, rmkit.dashboard, rmkit.trainer; "
            "print([name for name in ('ipywidgets', 'anywidget', 'IPython') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_it_shows_the_log_and_nothing_is_printed_beside_it(tmp_path, capsys):
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard, eval_strategy="steps", eval_steps=3)
    trainer.evaluate = lambda *args, keep=trainer.evaluate, **kwargs: keep(*args, num_print_samples=0, **kwargs)
    trainer.train()
    assert capsys.readouterr().out == ""
    view = dashboard.view
    assert [row["step"] for row in view.rows] == [entry["step"] for entry in trainer.state.log_history]
    assert view.status == "finished" and view.step == 6 and view.seconds > 0 and not view.can_stop
    assert dashboard.display.closed == 1
    assert {panel["name"] for panel in json.loads(view.panels())
            if panel["curves"]} == set(
                "loss accuracy margin rewards learning_rate grad_norm pairs_per_second tokens_per_second "
                "memory_gib".split())
    trainer.evaluate()  # outside of training transformers speaks as ever
    assert "eval_loss" in capsys.readouterr().out


def test_a_run_without_a_log_shows_its_curves_and_its_numbers(tmp_path):
    "Logs further apart than the run is long, or none at all"
    for steps, more in ((6, dict(logging_steps=1000)), (6, dict(logging_strategy="no")), (1, dict(logging_steps=1000))):
        dashboard = Dashboard(Recorder())
        trainer_of(tmp_path, dashboard, max_steps=steps, **more).train()
        exact = Dashboard(Recorder())
        trainer_of(tmp_path, exact, max_steps=steps, logging_steps=1).train()
        keys = ("step", "loss", "accuracy", "margin", "mean_reward_chosen")
        curves = [[[row[key] for key in keys] for row in one.view.drawn() if "loss" in row]
                  for one in (dashboard, exact)]
        assert curves[0] == [pytest.approx(row) for row in curves[1]] and len(curves[0]) == steps
        last = dashboard.view.latest()
        assert last["loss"] == pytest.approx(last["train_loss"]) and last["step"] == steps and "learning_rate" in last
        assert dashboard.view.page().count('width="320"') >= 4
        state = read_run(list(dashboard.view.rows))
        assert state.closing() == dashboard.view.closing() and state.status == "finished"


def test_looks_of_a_long_run_are_few_and_cover_it(tmp_path):
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard, max_steps=150, logging_steps=100)
    trainer.train()
    looks = dashboard.view.looks
    assert 30 <= len(looks) <= 60 and looks[-1]["step"] == 150 and dashboard.view.finer() is looks
    n = [part.n for part in dashboard.stretches.parts]
    mean = sum(k * row["loss"] for k, row in zip(n, looks)) / sum(n)
    assert sum(n) == 150 and mean == pytest.approx(trainer.state.log_history[-1]["train_loss"])


@pytest.mark.parametrize("steps, logged", [(10, [4, 8, 10]), (9, [4, 8]), (3, [3])])
def test_the_last_pairs_are_logged_unless_they_are_few(tmp_path, steps, logged):
    "The mean over one step beside means over four would be a spike at the end of every picture"
    trainer = trainer_of(tmp_path, max_steps=steps, logging_steps=4)
    trainer.train()
    assert [entry["step"] for entry in trainer.state.log_history if "loss" in entry] == logged
    assert trainer.running.total["pairs"] == steps * trainer.args.per_device_train_batch_size


@pytest.mark.parametrize("step, looks", [(1, 0), (3, 2)])
def test_a_run_that_fails_or_is_interrupted_shows_what_it_had(tmp_path, step, looks):
    for error, word in ((OSError("disk"), "Ended by an error"), (KeyboardInterrupt(), "Interrupted")):
        dashboard = Dashboard(Recorder())
        trainer = trainer_of(tmp_path, dashboard, logging_steps=1000)
        def fail(*args, keep=trainer.training_step, **kwargs):
            if trainer.state.global_step == step - 1: raise error
            return keep(*args, **kwargs)
        trainer.training_step = fail
        with pytest.raises(type(error)): trainer.train()
        page = dashboard.view.page()
        assert word in page and len(dashboard.view.drawn()) == looks and ("Nothing was logged" in page) == (not looks)
        assert (dashboard.view.latest().get("loss") is not None) == bool(looks)


def test_a_loss_of_ones_own_is_not_taken_for_the_sum(tmp_path):
    class Double(RewardTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            loss, out = super().compute_loss(model, inputs, return_outputs=True)
            return (2 * loss, out) if return_outputs else 2 * loss
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard, logging_steps=1000, kind=Double)
    trainer.train()
    assert all("loss" not in row and "margin" in row for row in dashboard.view.looks)
    name, value, note = dashboard.view.tiles()[0]
    assert (name, note) == ("Loss", "mean of the run")
    assert float(value) == pytest.approx(trainer.state.log_history[-1]["train_loss"], 1e-3)


def test_a_run_that_was_only_evaluated(tmp_path):
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard)
    assert dashboard.view.word() == "Not started"
    accuracy = trainer.evaluate(num_print_samples=0)["eval_accuracy"]
    assert dashboard.view.word() == read_run(trainer.state.log_history).word() == "Evaluated, not trained"
    assert dashboard.view.closing()[0][2] == f"{accuracy:.1%}"
    assert ("Accuracy", "–", f"held out {accuracy:.1%}") in dashboard.view.tiles() and "–" not in dashboard.view.page()


def test_the_step_at_which_it_broke_is_known_and_kept(tmp_path):
    "Between two logs, and in a run that goes on from a checkpoint"
    class Breaks(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            if state.global_step == 3: model.score.weight.data.fill_(math.nan)
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard, save_strategy="steps", save_steps=5, logging_steps=6)
    trainer.add_callback(Breaks())
    trainer.train()
    assert dashboard.view.word() == "Ended without a finite loss" and "loss, first at step 4;" in dashboard.view.notes()
    assert "Ended without a finite loss" in Dashboard.replay(tmp_path/"checkpoint-6").view.text()
    dashboard = Dashboard(Recorder())
    resumed = trainer_of(tmp_path, dashboard, save_strategy="steps", save_steps=5, logging_steps=6, max_steps=8)
    resumed.train(resume_from_checkpoint=str(tmp_path/"checkpoint-5"))
    assert dashboard.view.latest()["not_finite_from"] == 4
    assert dashboard.view.status == "finished" and dashboard.view.state()["status"] == "failed"


def test_rewards_without_a_number_have_no_accuracy():
    run = RunningMetrics()
    run.add(PairRows(*torch.tensor([[.5, math.nan, 0., 3., 3., math.nan], [.5, 1., 0., 3., 3., math.nan]]).unbind(1)))
    assert all(math.isnan(x) for name, x in run.means().items() if name.startswith(("accuracy", "margin")))


def test_one_table_of_samples_replaced_in_place(tmp_path, monkeypatch):
    "Three sets, three evaluations: one display, and one more after the run"
    shown = []
    class Handle:
        def update(self, page): shown.append(("again", page.data))
    monkeypatch.setattr("rmkit.trainer.in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda page, **kwargs: shown.append(("new", page.data)) or Handle())
    trainer = trainer_of(tmp_path, eval_strategy="steps", eval_steps=2, dashboard=False)
    trainer.eval_dataset = dict.fromkeys(("easy", "hard", "odd"), trainer.eval_dataset)
    for _ in range(2):
        shown.clear()
        trainer.train()
        assert [kind for kind, _ in shown] == ["new", "again", "again"]
        assert "eval, step 6: 6 pairs" in shown[-1][1]
        assert all(f"{name}, " in shown[-1][1] for name in trainer.eval_dataset)
    trainer.evaluate()
    assert shown[-1][0] == "new"
    trainer.evaluate(num_print_samples=0)
    assert len(shown) == 4
    trainer.evaluate(trainer.eval_dataset["easy"])
    assert len(shown) == 5 and "eval, step 6: 4 pairs" in shown[-1][1]


def test_resumed_runs_show_what_came_before(tmp_path):
    trainer_of(tmp_path, save_strategy="steps", save_steps=4).train()
    dashboard = Dashboard(Recorder())
    trainer_of(tmp_path, dashboard, save_strategy="steps", save_steps=4,
               max_steps=8).train(resume_from_checkpoint=str(tmp_path/"checkpoint-4"))
    assert [int(row["step"]) for row in dashboard.view.rows if "loss" in row] == [2, 4, 6, 8]
    assert dashboard.view.first == 4


def test_it_takes_at_most_two_percent(tmp_path):
    "A real widget, every message made, in a run of some seconds with a log at every step; all of its callbacks counted"
    pytest.importorskip("anywidget")
    dashboard, spent = Dashboard(True), dict(training=0.0, opening=0.0)
    def timed(event, kind):
        method = getattr(dashboard, event)
        def call(*args, **kwargs):
            began = time.perf_counter()
            try: return method(*args, **kwargs)
            finally: spent[kind] += time.perf_counter() - began
        setattr(dashboard, event, call)
    for event in ("on_step_end", "on_log", "on_prediction_step", "on_evaluate"): timed(event, "training")
    timed("on_train_begin", "opening")
    trainer_of(tmp_path, dashboard, max_steps=250, logging_steps=1, per_device_train_batch_size=16).train()
    share = spent["training"] / dashboard.view.seconds
    print(
        f"{share:.2%} of {dashboard.view.seconds:.1f} s, and {1000 * spent['opening']:.0f} ms to open; by its own "
        f"account {dashboard.cost:.2%}")
    assert share <= .02


# Stop

def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


def test_stop_saves_and_the_run_goes_on(tmp_path):
    "Stopped at step 3 of 6 and resumed, the weights are those of a run that was never stopped"
    whole = trainer_of(tmp_path/"whole")
    whole.train()
    recorder = Recorder()
    dashboard = Dashboard(recorder)
    trainer = trainer_of(tmp_path/"stopped", dashboard)
    recorder.stop_at = 2
    trainer.args.logging_steps = 100
    dashboard.tell = lambda *args, keep=dashboard.tell: keep(True)  # at every step
    trainer.train()
    step, checkpoint = trainer.state.global_step, tmp_path/"stopped"/"checkpoint-3"
    assert step == 3 and not is_torn(checkpoint) and dashboard.view.status == "stopped"
    assert "checkpoint-3" in dashboard.view.note
    assert any("loss" in entry for entry in trainer.state.log_history), "the last pairs were logged"
    assert 0 <= trainer.evaluate(num_print_samples=0)["eval_accuracy"] <= 1
    resumed = trainer_of(tmp_path/"stopped")
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == 6 and same(whole.model, resumed.model)


def test_stop_during_an_evaluation_makes_no_further_step(tmp_path):
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard, eval_strategy="steps", eval_steps=2)
    def evaluate(*args, keep=trainer.evaluate, **kwargs):
        dashboard.heard(dict(what="stop"))
        return keep(*args, num_print_samples=0, **kwargs)
    trainer.evaluate = evaluate
    trainer.train()
    assert trainer.state.global_step == 2 and not is_torn(tmp_path/"checkpoint-2")


def test_a_press_from_another_thread(tmp_path):
    "As the browser's messages arrive while a cell runs"
    dashboard = Dashboard(recorder := Recorder())
    trainer = trainer_of(tmp_path, dashboard, max_steps=2_000)
    def press():
        while not hasattr(recorder, "view"): time.sleep(.01)  # no view, no button
        dashboard.heard(dict(what="stop"))
    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    trainer.train()
    presser.join()
    assert 0 < trainer.state.global_step < 2_000 and not is_torn(tmp_path/f"checkpoint-{trainer.state.global_step}")


def test_a_press_that_comes_too_late_stops_nothing(tmp_path):
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard)
    trainer.train()
    dashboard.heard(dict(what="stop"))
    trainer.train()
    assert trainer.state.global_step == 6 and dashboard.view.status == "finished"


def test_an_interrupt_stops_after_the_step_and_a_second_one_at_once(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard)
    on_step_end = dashboard.on_step_end
    def interrupt(args, state, control, **kwargs):
        if state.global_step == 2: signal.raise_signal(signal.SIGINT)
        return on_step_end(args, state, control, **kwargs)
    dashboard.on_step_end = interrupt
    trainer.train()
    assert trainer.state.global_step == 2 and not is_torn(tmp_path/"checkpoint-2")
    assert signal.getsignal(signal.SIGINT) is before
    def twice(args, state, control, **kwargs):
        for _ in range(2): signal.raise_signal(signal.SIGINT)
    dashboard.on_step_end = twice
    with pytest.raises(KeyboardInterrupt): trainer.train()
    assert dashboard.view.status == "interrupted" and signal.getsignal(signal.SIGINT) is before
    assert dashboard.display.closed == 2


def test_an_error_closes_it(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    dashboard = Dashboard(Recorder())
    trainer = trainer_of(tmp_path, dashboard)
    def fail(*args, **kwargs): raise RuntimeError("disk")
    trainer.training_step = fail
    with pytest.raises(RuntimeError, match="disk"): trainer.train()
    assert dashboard.view.status == "failed" and dashboard.display.closed == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_in_a_thread_interrupts_are_left_alone(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    dashboard, seen = Dashboard(Recorder()), []
    trainer = trainer_of(tmp_path, dashboard)
    dashboard.on_log = lambda *args, **kwargs: seen.append(signal.getsignal(signal.SIGINT))
    thread = threading.Thread(target=trainer.train)
    thread.start()
    thread.join()
    assert seen and set(seen) == {before} and trainer.state.global_step == 6


# Replay

def test_replay(tmp_path):
    trainer = trainer_of(tmp_path, save_strategy="steps", save_steps=2)
    trainer.train()
    trainer.save_state()
    for source in (tmp_path, str(tmp_path/"trainer_state.json"), tmp_path/"checkpoint-6", trainer.state.log_history):
        view = Dashboard.replay(source).view
        assert view.status == "finished" and view.step == 6
        assert [row["step"] for row in view.rows if "loss" in row] == [2, 4, 6]
    (tmp_path/"trainer_state.json").unlink()
    assert Dashboard.replay(tmp_path).view.step == 6  # of the newest checkpoint
    assert read_run(tmp_path/"checkpoint-2").status == "stopped"
    bundle = Dashboard.replay(tmp_path)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    with pytest.raises(FileNotFoundError, match="save_state"): Dashboard.replay(tmp_path/"nowhere")


def test_replay_of_trls_log():
    "Which has neither intervals nor spreads"
    log = [dict(step=s, loss=.6, accuracy=.7, margin=.5, min_reward=-1, mean_reward=0, max_reward=1, num_tokens=9,
                learning_rate=1e-4, grad_norm=2.0, epoch=.1) for s in (10, 20)]
    view = read_run(log)
    assert [name for name, *_ in view.tiles()] == ["Loss", "Accuracy", "Reward margin", "Learning rate",
                                                   "Gradient norm"]
    view.figure()


# The browser

PAGE = """<!doctype html><html data-theme="{theme}"><meta charset=utf-8><title>dashboard</title>
<style>{css} body {{ margin: 16px; background: {ground} }}</style>
<body data-jp-theme-light="{light}"><div id=here></div><script type=module>{js}
const state = {{panels: {panels}, news: {news}}};
window.sent = [];
let changed = () => {{}}, replied = () => {{}};
window.tell = (news, panels) => {{ state.news = news; if (panels) state.panels = panels; changed(); }};
window.reply = reply => replied(reply);
window.unmount = mount(document.getElementById("here"), {{
  panels: () => state.panels, news: () => state.news, send: message => window.sent.push(message),
  onchange: callback => {{ changed = callback; }}, onreply: callback => {{ replied = callback; }}}});
</script></body></html>"""


def page_of(path, view, dark=False):
    "The widget's own code, in a page without a kernel"
    escaped = [text.replace("</", "<\\/").replace("<!--", "<\\!--") for text in (view.panels(), view.news())]
    path.write_text(PAGE.format(theme="dark" if dark else "light", light=str(not dark).lower(),
                                ground="#111" if dark else "#fff", css=_widget_class()._css,
                                js=_widget_class()._esm, panels=escaped[0], news=escaped[1]), encoding="utf-8")
    return path.as_uri()


def live_view(log, title="tiny-reward", **kwargs):
    view = RunView(title, log, max_steps=max(4, len(log)), epochs=1, **kwargs)
    view.status, view.can_stop, view.reached, view.step, view.seconds = "training", True, True, int(
        view.last.get("step", 0)), 42.0
    return view


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 600, 1400])
@pytest.mark.parametrize("n", [0, 2, 2000])
def test_it_can_be_read(browser, tmp_path, n, width, dark):
    with Visit(browser, page_of(tmp_path/"page.html", live_view(a_log(n) if n else []), dark), width, 1100) as visit:
        visit.wait_for(".rmkit-panel svg", 9 if n else 0)
        visit.page.wait_for_timeout(500)
        visit.shoot(f"dashboard-{n}-{width}-{'dark' if dark else 'light'}")
        visit.check()
        ratio, tag, text = visit.page.evaluate(CONTRAST,
                                               ".rmkit h2, .rmkit h3, .rmkit p, .rmkit b, .rmkit span, .rmkit button, "
                                               ".rmkit svg text")
        assert ratio >= 4.5, f"{tag} {text!r} has a contrast of {ratio:.1f}"
        assert visit.page.locator(".rmkit-panel:visible").count() == 9
        assert visit.page.locator(".rmkit-panel svg").count() == (9 if n else 0)


def test_news_are_added_and_gaps_asked_for(browser, tmp_path):
    log = a_log(30)
    with Visit(browser, page_of(tmp_path/"page.html", live_view(log[:5])), 900) as visit:
        page = visit.page
        def news(view, start): return page.evaluate("news => window.tell(news)", json.loads(view.news(start)))
        news(live_view(log[:8]), 5)
        assert page.locator(".rmkit-tile b").first.inner_text() == live_view(log[:8]).tiles()[0][1]
        news(live_view(log), 20)
        assert page.evaluate("window.sent.at(-1)") == {"what": "rows", "from": 8}
        page.evaluate("reply => window.reply(reply)", {"from": 8, "rows": json.loads(live_view(log).news(8))["rows"]})
        visit.wait_for("[data-panel=loss] svg", 1)
        page.wait_for_timeout(400)
        loss = page.locator("[data-panel=loss] svg")
        loss.hover()
        loss.focus()
        page.keyboard.press("End")
        assert "step 30" in loss.locator(".rmkit-readout").text_content()
        visit.check()


def test_stop_button(browser, tmp_path):
    view = live_view(a_log(5))
    view.reached = False
    with Visit(browser, page_of(tmp_path/"page.html", view), 900) as visit:
        page = visit.page
        assert page.evaluate("window.sent[0].what") == "hello"
        page.get_by_role("button", name="Stop").click()
        assert {"what": "stop"} in page.evaluate("window.sent")
        assert page.get_by_role("button", name="Stopping…").is_disabled()
        page.wait_for_selector("text=interrupt the cell once")  # nothing answers
        view.status, view.reached = "stopping", True
        page.evaluate("news => window.tell(news)", json.loads(view.news()))
        assert page.locator(".rmkit-run-status").inner_text() == STATUS["stopping"]
        assert page.locator("text=interrupt the cell once").count() == 0
        view.status, view.can_stop = "stopped", False
        page.evaluate("news => window.tell(news)", json.loads(view.news()))
        assert page.get_by_role("button").count() == 0
        visit.check()


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 24))
def test_hostile_names(browser, tmp_path, start):
    "As the run's name, a held-out set's, and a metric's"
    for text in PAYLOADS[start:start + 24:6]:
        text = text[:3000]
        view = live_view(a_log(4, **{f"eval_{text}_loss": .5, text: 1.0}), title=text)
        view.note = visible(text)
        with Visit(browser, page_of(tmp_path/"page.html", view), 700) as visit:
            visit.wait_for(".rmkit h2", 1)
            visit.page.wait_for_timeout(300)
            visit.check()
            assert visit.page.locator(".rmkit h2").text_content() == visible(text)
        view.figure().canvas.draw()
        page = f"<!doctype html><meta charset=utf-8><title>ended</title>{view.page()}"
        (tmp_path/"page.html").write_text(page, encoding="utf-8")
        with Visit(browser, (tmp_path/"page.html").as_uri(), 700) as visit:
            visit.check()
            assert visible(text).split() == visit.page.locator(".rmkit-ended b").first.text_content().split()


def test_looks_are_drawn_and_give_way(browser, tmp_path):
    "Before the first log there is a curve; where logs are as fine, theirs"
    view = live_view([])
    view.looks = a_log(10)[:9]
    view.looks = [row for row in view.looks if "loss" in row]
    points = "[data-panel=loss] .rmkit-line"
    with Visit(browser, page_of(tmp_path/"page.html", view), 900) as visit:
        visit.wait_for("[data-panel=loss] svg", 1)
        def count(): return visit.page.locator(points).first.get_attribute("d").count("L") + 1
        assert count() == len(view.looks) and visit.page.locator("[data-panel=learning_rate] svg").count() == 1
        view.add([row for row in a_log(20) if "loss" in row])
        assert view.finer() == []
        told = [json.loads(text) for text in (view.news(), view.panels())]
        visit.page.evaluate("([news, panels]) => window.tell(news, panels)", told)
        drawn = "([points, n]) => document.querySelector(points).getAttribute('d').split('L').length === n"
        visit.page.wait_for_function(drawn, arg=[points, 20])
        visit.check()


def test_held_out_sets_differ_in_the_browser(browser, tmp_path):
    with Visit(browser, page_of(tmp_path/"page.html", live_view(a_log_of_sets())), 900, 1400) as visit:
        visit.wait_for("[data-panel=loss] .rmkit-legend line", 8)
        # in one turn: a picture that is drawn anew in between would leave lines without a style
        looks = visit.page.evaluate("""() => [...document.querySelectorAll("[data-panel=loss] .rmkit-legend line")].map(
            one => [getComputedStyle(one).stroke, one.getAttribute("stroke-dasharray")].join())""")
        assert len(set(looks)) == 8
        visit.shoot("dashboard-seven-sets")
        visit.check()


def test_text_never_becomes_markup():
    code = _widget_class()._esm
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\bimport\b",
                         code)


def test_widget_holds_what_it_is_given():
    widget = _widget_class()(panels="[]", news=RunView("a").news())
    assert json.loads(widget.news)["state"]["title"] == "a" and "export default" in widget._esm
    assert ".rmkit-run" in widget._css
    widget.close()
