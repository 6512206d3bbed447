"""Every name of rmkit in backticks becomes a link to its entry in the reference.

What looks like a name of rmkit and is none is noted, and `complaint()` tells of it: a name that was renamed, a method
or an option that is misspelt. What a bare word means, a page's own code says first: what its module defines, what it
imports. `looks_ours` of `contexts.py` is the rule for the rest."""
import re
from dataclasses import dataclass, replace

from contexts import context_of
from names import Stale
from targets import target_of

# Whatever of Markdown isn't a code span of running text, and then the code span
PIECES = re.compile(r"""
    (?P<fence> ^[ >]*(?P<sign>`{3,}|~{3,}) .*? (?: ^[ >]*(?P=sign)[`~]*[ ]*$ | \Z))
  | (?P<block> ^<(?:div|table|p|iframe|details|pre|script|style|picture|video|svg|figure)\b .*? (?=\n[ ]*\n|\Z))
  | (?P<comment> <!--.*?-->)
  | (?P<anchor> <a\b.*?</a>)
  | (?P<tag> <[a-zA-Z/][^>\n]*>)
  | (?P<escaped> \\[`\[\\])
  | (?P<link> !?\[ (?:[^\[\]]|\[[^\[\]]*\])* \] (?: \([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\) | \[[^\]\n]*\] ))
  | (?P<role> \{[\w:.+-]+\}(?P<ticks>`+).+?(?P=ticks))
  | (?P<code> (?<!`)(?P<tick>`+)(?!`) (?P<text>(?:(?!\n[ ]*\n).)+?) (?<!`)(?P=tick)(?!`))
""", re.M | re.S | re.X)

THEIRS = re.compile(r"\b(?:TRL|transformers|PEFT|torch|pandas)[\s\d.x]*['’]s?\s+\Z")  # then a name is theirs


@dataclass
class Unresolved:
    page: str
    text: str  # in backticks
    name: str  # the part of it that doesn't exist
    nearest: list  # names that do


unresolved: list = []  # what was found so far


def link_symbols(
    markdown: str,  # a text of a page, without its code cells
    page: str,  # its name on the site, such as `data` or `tutorials/lora`: its code says what a bare name means
    strict: bool = True,  # whether to note what can't be resolved; not in a text of another library
) -> str:
    "The text with a link on each name of rmkit; what can't be resolved is noted in `unresolved`."
    context = replace(context_of(page).with_words(markdown), strict=strict)

    def linked(match) -> str:
        if not match["code"]:
            return match[0]
        try:
            if THEIRS.search(markdown, 0, match.start()):
                return match[0]
            anchor = target_of(match["text"].replace(r"\|", "|"), context)
        except Stale as stale:
            unresolved.append(Unresolved(page, match["text"], str(stale), stale.nearest))
            return match[0]
        return f"[{match[0]}]({anchor})" if anchor else match[0]
    return PIECES.sub(linked, markdown)


def complaint() -> str:
    "What couldn't be resolved, a line each, and what it may have meant; empty if all could."
    lines = [f"{each.page}: `{each.text}`: there is no `{each.name}`"
             + f"; nearest: {', '.join(f'`{name}`' for name in each.nearest)}" * bool(each.nearest)
             for each in unresolved]
    return "\n".join(dict.fromkeys(lines))
