"Sphinx's settings: the theme furo, over the pages that docs/build_site.py writes."
import posixpath

from reference import SPHINX
from sphinx.application import Sphinx

project = "rmkit"
author = copyright = "the rmkit authors"
html_title = "rmkit"
html_baseurl = "https://rmkit.github.io/rmkit/"
language = "en"
extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton", "sphinxext.opengraph", "notfound.extension",
              "sphinx_llm_friendly"]
llm_friendly_exclude = ["**.ipynb"]  # their twins come from their cells
suppress_warnings = ["misc.highlighting_failure"]  # Pygments knows no `!command` of two lines
nb_execution_mode = "off"  # the committed outputs are shown
myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 4
mathjax_path = "mathjax/tex-chtml.js"  # docs/finish.py puts it there
globals().update(SPHINX)  # what the entries of the reference are written for

html_theme = "furo"
html_theme_options = {
    "source_repository": "https://github.com/rmkit/rmkit",
    "top_of_page_buttons": [],  # the bar of a notebook's page has them
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = html_show_sourcelink = False
html_show_search_summary = False  # it would fetch pages, which a browser forbids in a folder
copybutton_selector = "div:not(.output) > div.highlight > pre"
copybutton_exclude = ".linenos, .gp, .go"
notfound_urls_prefix = "/rmkit/"
notfound_context = dict(title="No page here", body=(
    '<h1>No page here</h1><p>It may have moved: <a href="/rmkit/search.html">search</a>, look at the '
    '<a href="/rmkit/index.html">front page</a>, or <a href="https://github.com/rmkit/rmkit/issues">tell us</a> '
    "where the link was.</p>"))
ogp_site_url = html_baseurl
ogp_image = "_static/social-card.png"
ogp_custom_meta_tags = ['<meta name="twitter:card" content="summary_large_image" />']


def finish_head(app: Sphinx, pagename: str, templatename: str, context: dict, doctree):
    """Name the page's twin; leave out a button that would fetch it, which a browser forbids in a folder; and have the
    headings of the contents say their level."""
    twin = f'<link rel="alternate" type="text/markdown" href="{posixpath.basename(pagename)}.html.md" />\n'
    tags = [tag for tag in context.get("metatags", "").splitlines() if 'type="text/markdown"' not in tag]
    context["metatags"] = "\n".join(tags) + "\n" + twin * (doctree is not None)
    context["script_files"] = [file for file in context["script_files"]
                               if "copy-as-markdown" not in getattr(file, "attributes", {}).get("body", "")]
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Sphinx):
    app.connect("html-page-context", finish_head, priority=900)  # after the extensions
