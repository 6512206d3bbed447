"Deciding in the explorer: keys with the focus anywhere, the list's place, undo, progress, notes, a saved page"
import json

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
from playwright.sync_api import expect

from browser import Visit
from explorer import Reader, an_explorer, order


@pytest.fixture(scope="module")
def viz():
    return an_explorer()


@pytest.fixture(scope="module")
def page_file(viz, tmp_path_factory):
    return viz.save(tmp_path_factory.mktemp("deciding") / "pairs.html", traces=2)


@pytest.fixture
def visit(browser, page_file):
    with Visit(browser, page_file.as_uri(), width=1280) as visit:
        visit.reader = Reader(visit)
        visit.reader.tab("Pairs")
        yield visit
        visit.check()


def kept(visit):
    "What the page keeps in the browser, by row"
    stored = visit.page.evaluate(
        "Object.entries(localStorage).filter(([name]) => name.startsWith('rmkit-review')).map(([, v]) => v)")
    return {int(i): entry for i, entry in json.loads(stored[0])["entries"].items()} if stored else {}


def focus(visit, selector):
    visit.page.locator(selector).first.focus()


# Where the focus may be: in the list, on buttons of the pair, on a tab, on a page button, on the view itself
PLACES = [".rmkit-row", '[aria-label="Next pair"]', '[aria-label="Swap"]', '[role="tab"][aria-selected="true"]',
          '[aria-label="Next page"]', ".rmkit-pair", '.rmkit-headcell', "summary",
          '[aria-label="Decide"] input[type="checkbox"]']


@pytest.mark.parametrize("place", PLACES)
def test_every_key_works_with_the_focus_anywhere(visit, viz, place):
    by_margin, press = order(viz.scores["reward_margin"]), visit.page.keyboard.press
    visit.reader.opens(viz)
    focus(visit, place)
    press("1")
    expect(visit.reader.pair().get_by_role("button", name="Mislabelled")).to_have_attribute("aria-pressed", "true")
    press("s")
    visit.reader.opened(by_margin[1])
    press("j")
    visit.reader.opened(by_margin[2])
    press("T")
    visit.reader.opened(by_margin[3])
    press("k")
    visit.reader.opened(by_margin[2])
    press("u")
    visit.reader.opened(by_margin[2])
    assert visit.page.evaluate("document.activeElement.closest('.rmkit') !== null"), "the focus left the view"
    assert kept(visit) == {by_margin[0]: dict(mark="mislabelled", note="", decision="swap")}


def test_no_control_keeps_a_letter_key_for_itself(visit, viz):
    "But fields: what is typed into them is text"
    visit.reader.opens(viz)
    for field in ("Search", "Note", "Go to pair", "Reward from"):
        control = visit.reader.root.get_by_label(field, exact=True)
        control.focus()
        visit.page.keyboard.press("s")
        assert not any("decision" in entry for entry in kept(visit).values()), field
        visit.page.keyboard.press("Escape")
        assert visit.page.evaluate("document.activeElement.className").startswith(
            "rmkit-pair"), f"Escape leaves {field}"
        if field != "Note": visit.reader.fill(field, "")
    visit.reader.pair().focus()
    visit.page.keyboard.press("d")
    assert any(entry.get("decision") == "drop" for entry in kept(visit).values())


@pytest.mark.parametrize("label, option, key", [("Mark", "Without a mark", "2"), ("Decision", "Undecided", "a")])
def test_a_pair_that_leaves_the_list_leaves_its_place(visit, viz, label, option, key):
    by_margin, reader = order(viz.scores["reward_margin"]), visit.reader
    reader.choose(label, option)
    reader.press("Next page")
    reader.row(by_margin[25]).click()
    reader.opened(by_margin[25])
    visit.page.locator('[aria-label="Decide"] input[type="checkbox"]').uncheck()
    reader.pair().focus()
    visit.page.keyboard.press(key)
    reader.counts(59, 60)
    expect(reader.root.locator(".rmkit-pageno")).to_have_text("page 2 of 3")
    visit.page.keyboard.press("j")
    reader.opened(by_margin[26])
    visit.page.keyboard.press("k")
    reader.opened(by_margin[24])
    visit.page.keyboard.press("u")
    reader.opened(by_margin[25])
    reader.counts(60, 60)


def test_a_note_is_text_until_it_is_left(visit, viz):
    i = visit.reader.opens(viz)
    visit.page.keyboard.press("c")
    visit.page.keyboard.type("jk1s? a note")
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("2")
    assert kept(visit)[i] == dict(mark="unclear", note="jk1s? a note")
    visit.page.keyboard.press("j")
    note = visit.reader.root.get_by_label("Note", exact=True)
    expect(note).to_have_value("")
    visit.page.keyboard.press("k")
    expect(note).to_have_value("jk1s? a note")
    visit.reader.choose("Mark", "With a note")
    visit.reader.counts(1, 60)


def test_progress_next_unseen_and_a_number(visit, viz):
    by_margin, reader, press = order(viz.scores["reward_margin"]), visit.reader, visit.page.keyboard.press
    progress = reader.root.locator(".rmkit-progress")
    expect(progress).to_contain_text("0 of 60 decided · 0 seen")
    press("n")
    reader.opened(by_margin[0])
    for key in "aabbt":
        press(key)
        visit.page.wait_for_timeout(120)
    expect(progress).to_contain_text("5 of 60 decided · 6 seen · less than a minute left")
    press("g")
    visit.page.keyboard.type(str(by_margin[30]))
    press("Enter")
    reader.opened(by_margin[30])
    press("k")
    reader.opened(by_margin[29])
    press("n")
    reader.opened(by_margin[31])
    reader.choose("Verdict", "Wrong")
    wrong = int((viz.scores["reward_margin"] < 0).sum())
    expect(progress).to_contain_text(f"of {wrong} decided")
    reader.choose("Decision", "Undecided")
    expect(progress).to_contain_text(f"5 of {wrong} decided")
    reader.pair().focus()
    press("?")
    expect(reader.root.get_by_role("dialog", name="Keys")).to_be_visible()
    press("Escape")
    expect(reader.root.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_heads_sort_both_ways_and_columns_filter(visit, viz):
    reader, scores = visit.reader, viz.scores
    for head, values in {"Margin": scores["reward_margin"], "P(chosen)": scores["p_chosen"],
                         "Pair": scores.index}.items():
        reader.root.locator(".rmkit-headcell", has_text=head).click()
        assert reader.ids() == order(values)[:20], head
        reader.root.locator(".rmkit-headcell", has_text=head).click()
        assert reader.ids() == order(-values)[:20], head
    first, second = scores["source"].unique()[:2]
    reader.column("source", first, second)
    reader.counts(scores["source"].isin([first, second]).sum(), 60)
    reader.press("Clear filters")
    reader.counts(60, 60)


def test_a_picture_says_what_a_click_on_it_did(visit, viz):
    reader = visit.reader
    reader.tab("Overview")
    card = reader.root.locator(".rmkit-picture[data-id=source]")
    card.locator("svg").focus()
    for key in ("Home", "Enter"):
        card.locator("svg").press(key)
    largest = viz.scores["source"].value_counts().max()
    expect(card.locator(".rmkit-picked")).to_contain_text(f"{largest} of 60 pairs")
    card.get_by_role("button", name="Show these pairs").click()
    reader.counts(largest, 60)


def test_a_saved_page_keeps_what_was_decided(browser, page_file, viz, tmp_path):
    "Over a reload, in a second tab, in a file that Python reads"
    by_margin = order(viz.scores["reward_margin"])
    with Visit(browser, page_file.as_uri() + f"#pair={by_margin[4]}", width=1280, offline=True) as visit:
        reader = Reader(visit)
        reader.opened(by_margin[4])
        reader.pair().focus()
        for key in "sat":
            visit.page.keyboard.press(key)
        reader.opened(by_margin[7])
        assert visit.page.url.endswith(f"#pair={by_margin[7]}")
        visit.page.reload()
        reader.opened(by_margin[7])
        expect(reader.root.locator(".rmkit-progress")).to_contain_text("3 of 60 decided")
        other = visit.context.new_page()
        other.goto(page_file.as_uri())
        other.get_by_role("tab", name="Pairs", exact=True).click()
        expect(other.locator(".rmkit-progress")).to_contain_text("3 of 60 decided")
        other.keyboard.press("n")
        other.keyboard.press("d")
        expect(reader.root.locator(".rmkit-progress")).to_contain_text("4 of 60 decided")
        path = reader.downloads("Save decisions .jsonl", tmp_path)
    again = an_explorer()
    again.take_marks(path)
    decided = {i: entry["decision"] for i, entry in again.marks.items()}
    assert [decided.pop(by_margin[k]) for k in (4, 5, 6)] == ["swap", "keep", "tie"] and [*decided.values()] == ["drop"]


def test_a_page_that_may_keep_nothing_asks_before_it_is_left(browser, page_file, viz):
    with Visit(browser, page_file.as_uri(), width=1280) as visit:
        visit.page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full') } }")
        reader = Reader(visit)
        reader.tab("Pairs")
        reader.opens(viz)
        visit.page.keyboard.press("s")
        expect(reader.root.locator(".rmkit-progress")).to_contain_text("save them as a file")
        visit.page.reload()
        assert "beforeunload" in visit.dialogs


def test_a_correction_made_in_a_saved_page_comes_back_as_messages(browser, page_file, viz, tmp_path):
    "Texts that weren't touched are the very ones of the dataset, also where a page can't show them as they are"
    with Visit(browser, page_file.as_uri(), width=1280, offline=True) as visit:
        reader = Reader(visit)
        reader.tab("Pairs")
        i = reader.opens(viz)
        visit.page.keyboard.press("e")
        area = reader.root.locator(".rmkit-edit-chosen textarea").last
        area.fill("A better answer.")
        reader.press("Keep as correction")
        expect(reader.row(i)).to_contain_text("edited")
        path = reader.downloads("Save decisions .jsonl", tmp_path)
    again = an_explorer()
    again.take_marks(path)
    original = viz.scores.at[i, "chosen"]
    assert again.marks[i]["edit"] == dict(chosen=[*original[:-1], dict(original[-1], content="A better answer.")])
    assert again.corrected()[i]["chosen"][-1]["content"] == "A better answer."
    assert again.corrected()[i]["rejected"] == viz.scores.at[i, "rejected"]


def test_of_a_page_and_its_kernel_the_newer_word_counts(browser, tmp_path):
    viz = an_explorer()
    viz.decide(3, "swap")
    viz.decide(5, "tie")
    path = viz.save(tmp_path / "pairs.html", traces=0)
    with Visit(browser, path.as_uri(), width=1280, offline=True) as visit:
        reader = Reader(visit)
        reader.tab("Pairs")
        visit.page.evaluate("location.hash = '#pair=5'")
        reader.opened(5)
        reader.pair().focus()
        visit.page.keyboard.press("t")  # takes the tie back
        visit.page.evaluate("location.hash = '#pair=7'")
        reader.opened(7)
        reader.pair().focus()
        visit.page.keyboard.press("d")
        viz.decide(8, "keep")  # a pair that was only seen on the page
        viz.decide(3, "keep")
        viz.decide(7, "keep")
        file = reader.downloads("Save decisions .jsonl", tmp_path)
        assert viz.take_marks(file) == 0
        decided = {i: entry["decision"] for i, entry in viz.marks.items()}
        assert decided == {3: "keep", 7: "keep",
                           8: "keep"}, "the later word of both, and a tie that was taken back is gone"
        viz.save(path, traces=0)  # the same page anew, with what the kernel knows by now
        visit.page.reload()
        expect(reader.root.locator(".rmkit-progress")).to_contain_text("3 of 60 decided")
        assert json.loads(reader.downloads("Save decisions .jsonl",
                                           tmp_path).read_text().splitlines()[0])["decision"] == "keep"
