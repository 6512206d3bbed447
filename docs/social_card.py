"""The picture that stands beside a link to the site: `python docs/social_card.py`. Name, sentence, and a part of the
explorer's picture, which `docs/pictures.py` takes from a real run."""
from pathlib import Path

import matplotlib.pyplot as plt

DOCS = Path(__file__).resolve().parent
EXPLORER, CARD = DOCS / "images" / "explorer.png", DOCS / "_static" / "social-card.png"
TOP, HEIGHT = 198, 640  # of the part that is shown, in pixels: the list, and the pair that is open


def draw() -> plt.Figure:
    "The card, 1200 by 630 pixels."
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    figure.text(0.045, 0.93, "rmkit", size=44, weight="bold", color="#0072b2", va="top")
    figure.text(0.235, 0.91, "Train, see and test reward models from a notebook", size=22, color="#222", va="top")
    axes = figure.add_axes((0.045, -0.06, 0.91, 0.86))
    axes.imshow(plt.imread(EXPLORER)[TOP:TOP + HEIGHT], aspect="equal", interpolation="lanczos")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="#ccc")
    return figure


if __name__ == "__main__":
    draw().savefig(CARD)
