"A reader of the pair explorer, wherever it is shown: what one can press there, and what one sees"
import numpy as np
from playwright.sync_api import expect

from rmkit.words import message_text
from rmkit.words import visible

# Run by a kernel and by the test that looks at what it shows: both have the same rewards
EXPLORER = """
from rmkit import RewardModel
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.snapshots import Snapshots
from rmkit.visualizer import RewardVisualizer
pairs = make_pairs(60, seed=1, margins=True, prompt_turns=4)
def a_model(seed): return RewardModel(tiny_model(seed=seed), tiny_tokenizer())
snapshots = Snapshots(pairs)
for step in (0, 10, 20): snapshots.take(step, a_model(step))
viz = RewardVisualizer(a_model(20).score_pairs(pairs), model=a_model(20), snapshots=snapshots)
"""


def an_explorer():
    world = {}
    exec(EXPLORER, world)
    return world["viz"]


def said(value, role):
    "The texts of a prompt or response as the explorer has to show them"
    if isinstance(value, str):
        return [visible(value)] if value or role == "assistant" else []
    return [visible(message_text(message)) for message in value]


def texts_of(scores, i):
    "The texts of one pair, in the order in which they are on the page"
    return [text for name in ("prompt", "chosen", "rejected")
            for text in said(scores.at[i, name], "user" if name == "prompt" else "assistant")]


def order(keys):
    "Rows by ascending key, as it is sent (five digits); equal ones in the order of the data"
    return np.argsort(np.round(np.asarray(keys, dtype=float), 5), kind="stable").tolist()


class Reader:
    "One explorer on a page"

    def __init__(self, visit, scope=None):
        self.visit, self.page = visit, visit.page
        self.root = (scope or visit.page).locator(".rmkit").first
        expect(self.root).to_be_visible()

    def tab(self, name):
        self.root.get_by_role("tab", name=name, exact=True).click()

    def press(self, name):
        self.root.get_by_role("button", name=name, exact=True).first.click()

    def choose(self, label, option):
        self.root.get_by_label(label, exact=True).select_option(label=option)

    def column(self, name, *values):
        "Choose values of a column of the dataset's own; none: all"
        menu = self.root.locator(".rmkit-filters .rmkit-field", has_text=name).locator("details")
        menu.locator("summary").click()
        for box in menu.get_by_role("checkbox").all():
            box.set_checked(box.get_attribute("data-value") in values)
        menu.locator("summary").click()

    def fill(self, label, text):
        self.root.get_by_label(label, exact=True).fill(text)
        self.root.get_by_label(label, exact=True).blur()

    def ids(self):
        return self.root.locator(".rmkit-row").evaluate_all("rows => rows.map(row => Number(row.dataset.id))")

    def counts(self, n, of):
        expect(self.root.locator(".rmkit-count")).to_have_text(f"{n:,} of {of:,} pairs")

    def row(self, i):
        return self.root.locator(f".rmkit-row[data-id='{i}']")

    def pair(self):
        return self.root.locator(".rmkit-pair")

    def opened(self, i):
        expect(self.pair()).to_have_attribute("aria-label", f"Pair {i}")
        expect(self.pair()).not_to_have_attribute("aria-busy", "true")

    def ms(self):
        return float(self.root.get_attribute("data-ms"))

    # What a person does, and what has to come of it

    def sorts_and_filters(self, viz):
        scores, n = viz.scores, len(viz.scores)
        margin = scores["reward_margin"].to_numpy()
        self.tab("Pairs")
        self.counts(n, n)
        assert self.ids() == order(margin)[:20], "the most confidently wrong first"
        keys = {"most confidently right": -margin, "least certain": np.abs(margin),
                "in the order of the data": np.arange(n),
                "largest length gap": -np.abs(scores["length_chosen"] - scores["length_rejected"])}
        for name, key in keys.items():
            self.choose("Sort", name)
            assert self.ids() == order(key)[:20], name
        self.choose("Sort", "most confidently wrong first")
        self.choose("Verdict", "Wrong")
        self.counts((margin < 0).sum(), n)
        source = scores["source"][0]
        self.column("source", source)
        self.counts(((margin < 0) & (scores["source"] == source)).sum(), n)
        self.press("Clear filters")
        self.fill("Reward from", "0.1")
        self.counts(((scores["reward_chosen"] >= 0.1) | (scores["reward_rejected"] >= 0.1)).sum(), n)
        self.press("Clear filters")
        found = viz.search("NAME")["ids"]
        assert 0 < len(found) < n
        self.fill("Search", "NAME")
        self.counts(len(found), n)
        self.fill("Search", "")
        self.counts(n, n)

    def filters_by_pictures(self, viz):
        "By keyboard on a histogram, by mouse on it, and by a click on a bar"
        scores, n = viz.scores, len(viz.scores)
        self.tab("Overview")
        margins = self.root.locator(".rmkit-picture[data-id=margins] svg")
        edges = next(picture["edges"] for picture in viz.meta()["pictures"] if picture["id"] == "margins")
        margins.focus()
        for key in ("Home", "Shift+ArrowRight", "Enter"):
            margins.press(key)
        self.counts(((scores["reward_margin"] >= edges[0]) & (scores["reward_margin"] < edges[2])).sum(), n)
        expect(self.root.locator(".rmkit-chip")).to_have_count(1)
        self.press("Clear filters")
        self.counts(n, n)
        margins.scroll_into_view_if_needed()
        box = margins.bounding_box()
        self.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + box["height"] / 2, steps=4)
        self.page.mouse.up()
        expect(self.root.locator(".rmkit-chip")).to_have_count(1)
        assert self.ids_shown() < n
        self.root.locator(".rmkit-remove").click()
        self.counts(n, n)
        source = self.root.locator(".rmkit-picture[data-id=source] svg")
        source.focus()
        for key in ("Home", "Enter"):
            source.press(key)
        largest = scores["source"].value_counts().max()
        self.counts(largest, n)
        self.press("Clear filters")

    def ids_shown(self):
        return int(self.root.locator(".rmkit-count").inner_text().split()[0].replace(",", ""))

    def pages(self, viz):
        by_margin, page = order(viz.scores["reward_margin"]), self.root.locator(".rmkit-pageno")
        self.tab("Pairs")
        for name, number in {"Next page": 2, "Last page": 3, "Previous page": 2, "First page": 1}.items():
            self.press(name)
            expect(page).to_have_text(f"page {number} of 3")
            assert self.ids() == by_margin[20 * (number - 1):20 * number]

    def opens(self, viz, place=0):
        i = self.ids()[place]
        self.row(i).click()
        self.opened(i)
        assert self.pair().locator(".rmkit-text").all_text_contents()[:len(texts_of(viz.scores, i))] == texts_of(
            viz.scores, i)
        shown = " ".join(self.pair().inner_text().split())
        for number in (viz.scores.at[i, "reward_chosen"], viz.scores.at[i, "reward_rejected"],
                       viz.scores.at[i, "reward_margin"]):
            assert f"{number:.2f}" in shown, shown
        differences = self.root.get_by_role("button", name="Differences", exact=True)
        if not self.pair().locator("mark").count():  # they would mark most of the texts, and are off
            differences.click()
        expect(self.pair().locator("mark").first).to_be_visible()
        return i

    def reads_tokens(self, viz, i):
        self.press("Tokens")
        tokens = self.root.locator(".rmkit-chosen .rmkit-token")
        expect(tokens.first).to_be_visible()
        if viz.model:
            last = viz.model.token_rewards(viz.scores.at[i, "prompt"], viz.scores.at[i, "chosen"]).rewards[-1]
            self.page.mouse.move(0, 0)  # a token that scrolls under the mouse would be read instead
            tokens.last.focus()
            expect(self.root.locator(".rmkit-status")).to_contain_text(f"value {last:.3f}")
        expect(self.root.locator(".rmkit-tokens")).to_contain_text("It is a reading, not an explanation")
        before = self.root.locator(".rmkit-token").count()
        self.root.get_by_role("button", name="prompt tokens").first.click()
        assert self.root.locator(".rmkit-token").count() > before, "folded prompt tokens come back"

    def rescores(self, viz, i, text="Sure: horse, cow, sheep."):
        "Edit the chosen response and score it; the milliseconds from the press to the numbers"
        self.press("Edit and rescore")
        area = self.root.locator(".rmkit-edit-chosen textarea").last
        area.fill(text)
        took = self.root.evaluate("""root => new Promise(done => { const start = performance.now();
            const seen = new MutationObserver(() => {
              if (root.querySelector('.rmkit-rescored')) { seen.disconnect(); done(performance.now() - start) } });
            seen.observe(root, {childList: true, subtree: true}); root.querySelector('.rmkit-rescore').click() })""")
        chosen = viz.scores.at[i, "chosen"]
        changes = [dict(role=message["role"], text=None)
                   for message in chosen[:-1]] + [dict(role="assistant", text=text)]
        wanted = viz.rescore(i, chosen=changes)
        result = " ".join(self.root.locator(".rmkit-rescored").inner_text().split())
        for name in ("reward_chosen", "reward_rejected", "reward_margin"):
            assert f"{wanted[name]:.2f}" in result, (name, wanted[name], result)
        change = wanted["reward_chosen"] - viz.scores.at[i, "reward_chosen"]
        assert f"{change:+.2f}" in result, "the change, with its sign"
        expect(self.root.locator(".rmkit-history tbody tr")).to_have_count(1)
        return took

    def marks_and_exports(self, i, folder):
        "A mark and a note, and the file that is downloaded"
        self.press("Mislabelled")
        expect(self.pair().get_by_role("button", name="Mislabelled")).to_have_attribute("aria-pressed", "true")
        self.fill("Note", "the <b>other</b> one")
        expect(self.row(i)).to_contain_text("Mislabelled")
        return self.downloads("Export marked pairs .jsonl", folder)

    def downloads(self, name, folder):
        menu = self.root.locator("details.rmkit-menu", has_text="Decisions and export")
        if menu.get_attribute("open") is None:
            menu.locator("summary").click()
        with self.page.expect_download() as download:
            self.press(name)
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        menu.locator("summary").click()
        return path

    def goes_by_keys(self, viz):
        "The keys that a notebook around has uses of its own for"
        self.tab("Pairs")
        self.choose("Sort", "most confidently wrong first")
        by_margin, press = order(viz.scores["reward_margin"]), self.page.keyboard.press
        self.row(by_margin[0]).click()
        self.opened(by_margin[0])
        for key, at in {"ArrowDown": 0, "Enter": 1, "j": 2, "k": 1, "J": 2, "x": 2}.items():
            press(key)
            self.opened(by_margin[at])
        self.pair().get_by_role("button", name="Next pair").focus()
        press("3")
        expect(self.pair().get_by_role("button", name="Interesting")).to_have_attribute("aria-pressed", "true")
        press("3")
        expect(self.pair().get_by_role("button", name="Interesting")).to_have_attribute("aria-pressed", "false")

    def moves_the_slider(self, viz):
        self.tab("Over training")
        slider, name = self.root.get_by_role("slider", name="Step"), self.root.locator(".rmkit-stepname")
        expect(name).to_have_text("step 20")
        at_end = self.root.locator(".rmkit-row").first.locator(".rmkit-step").inner_text()
        slider.focus()
        for step in (10, 0):
            slider.press("ArrowLeft")
            expect(name).to_have_text(f"step {step}")
        i = self.ids()[0]
        shown = self.row(i).locator(".rmkit-step").inner_text()
        assert f"{viz.moves['margins'][0][i]:+.2f}" in shown and shown != at_end
        slider.press("End")
        expect(name).to_have_text("step 20")
        picture = self.root.locator(".rmkit-picture[data-id=map] svg, .rmkit-picture[data-id=map] canvas")
        expect(picture.first).to_be_visible()
