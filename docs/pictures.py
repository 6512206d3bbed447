"""The pictures of the dashboard and the explorer, from a real run in JupyterLab: `python docs/pictures.py`.

Needs Chromium."""
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import CHROMIUM, FLAGS
from jupyter import Server
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]

RUN = """
from rmkit import RewardConfig, RewardTrainer
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.snapshots import Snapshots
watched = make_pairs(400, split="test", prompt_turns=2)
snapshots = Snapshots(watched, every=50)
config = RewardConfig("runs/first", num_train_epochs=1, per_device_train_batch_size=32, logging_steps=10,
                      eval_strategy="steps", eval_steps=50, save_strategy="no", report_to="none", use_cpu=True,
                      learning_rate=2e-3)
trainer = RewardTrainer(tiny_model(), config, train_dataset=make_pairs(16_000),
                        eval_dataset=make_pairs(400, seed=9, split="test"), processing_class=tiny_tokenizer(),
                        callbacks=[snapshots])
trainer.train();
"""
EXPLORE = """trainer.visualize(watched, snapshots=snapshots, marks="review.jsonl")"""


def shoot_dashboard(book):
    "The dashboard, half way through a run."
    cell = book.cell(0)
    book.start(0)
    share = cell.get_by_role("progressbar", name="Steps")
    expect(share).to_have_attribute("aria-valuenow", re.compile("^[5-8][0-9]$"))
    cell.locator(".rmkit-dashboard").first.screenshot(path=ROOT / "docs" / "images" / "dashboard.png",
                                                      animations="disabled")
    book.ran()
    book.wait_idle()


def shoot_explorer(book):
    "The list, and a pair that is confidently wrong, read token by token."
    book.run(1)
    view = book.cell(1).locator(".rmkit").first
    view.get_by_role("tab", name="Pairs", exact=True).click()
    for key in ("n", "s", "t", "j", "r"):
        book.page.keyboard.press(key)
        book.page.wait_for_timeout(500)
    expect(view.locator(".rmkit-token").first).to_be_visible()
    book.page.mouse.move(0, 0)
    view.evaluate("root => root.scrollIntoView()")
    view.screenshot(path=ROOT / "docs" / "images" / "explorer.png", animations="disabled")


def main():
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder, Server(
        "lab", Path(folder) / "server") as server:
        expect.set_options(timeout=300_000)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with server.open(browser, [RUN, EXPLORE], width=1800, height=1800) as book:
            shoot_dashboard(book)
            shoot_explorer(book)


if __name__ == "__main__":
    main()
