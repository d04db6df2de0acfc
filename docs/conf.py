"""Sphinx: `nox -s docs` builds the site, strictly and offline."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))
from reference_pages import write_pages
from reference_texts import drop_reading_order, show_constants, show_defaults

write_pages(Path(__file__).parent / "reference")

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))

project = "paywint-async"
author = "The paywint-async authors"
copyright = author
release = version = PROJECT["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "reference/README.md"]
source_suffix = {".md": "markdown"}

nitpicky = False  # docstrings name private collaborators that have no page of their own
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
copybutton_prompt_text = r"\$ "

# In docstrings `x` is code, as on a terminal.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_preserve_defaults = True
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Cancellation", "Source"]

html_theme = "furo"
html_title = f"paywint-async {release}"
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}


def write_llms_txt(app: Sphinx, failure: Exception | None) -> None:
    """Write `llms.txt`: the address and title of each page."""
    if failure is not None or app.builder.name != "html":
        return
    pages = [name for name in sorted(app.env.found_docs) if not name.startswith("index")]
    lines = [f"- [{app.env.titles[name].astext()}]({name}.html)" for name in pages]
    summary = PROJECT["project"]["description"]
    text = "\n".join(["# paywint-async", "", f"> {summary}.", "", "## Pages", "", *lines, ""])
    Path(app.outdir, "llms.txt").write_text(text, "utf-8")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", write_llms_txt)
    app.connect("autodoc-before-process-signature", show_constants)
    app.connect("autodoc-process-signature", show_defaults)
    app.connect("autodoc-process-docstring", drop_reading_order)
