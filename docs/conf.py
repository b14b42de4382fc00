"""How Sphinx builds the documentation; `make docs` does, with every warning an error.

Every page is executed as it is built. Nothing is fetched, neither by the build nor by a reader.
"""

import atexit
import os
import shutil
import sys
import tempfile
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).resolve().parent

# A profile for the kernels, which would leave their history in a home.
IPYTHON = tempfile.mkdtemp()
atexit.register(shutil.rmtree, IPYTHON, ignore_errors=True)
startup = Path(IPYTHON, "profile_default", "startup")
startup.mkdir(parents=True)
shutil.copy(HERE / "_ext" / "kernel_startup.py", startup)
(startup.parent / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n", "utf-8")
sys.path.insert(0, str(HERE / "_ext"))

project = "markov-landscape"
author = "the markov-landscape authors"
version = release = installed(project)
copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "mathml", "plain_docstrings"]
exclude_patterns = ["_build", "_ext", "_static"]

# Pages are Markdown; some of them are notebooks, whose cells run in the environment of the build.
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
nb_execution_mode = "force"  # a cache would not see that the code behind a page has changed
nb_execution_show_tb = True  # of a cell that fails, which is a warning and so an error
nb_execution_in_temp = True
nb_execution_timeout = 600  # seconds a cell, on a machine that has other work too
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # which myst_nb takes from a server elsewhere
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ.update(
    COLUMNS="96",  # of a terminal
    TERM="dumb",  # without colours, or a bar that moves
    OMP_NUM_THREADS="1",
    MPLBACKEND="module://matplotlib_inline.backend_inline",
    IPYTHONDIR=IPYTHON,
)

# Reference: docstrings in this project's plain style (see _ext/plain_docstrings.py).
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}  # a union of a page, spelt out
nitpicky = True
nitpick_ignore_regex = [("py:class", r"(?!(landscape|theory|figures)\.).*")]  # types of others
suppress_warnings = ["myst-nb.lexer"]  # of cells that were not run: -D nb_execution_mode=off

html_theme = "furo"
html_title = "markov-landscape"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"
html_show_copyright = False
html_show_search_summary = False  # a page without a server may not read the others
templates_path: list[str] = []
pygments_style = "tango"
pygments_dark_style = "monokai"
