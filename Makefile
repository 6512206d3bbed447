# `make demo` and `make test` work from a fresh clone: they need Python 3.10 or newer and bash, and make .venv themselves.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
# A CPU build where the package index has one. Another torch: make demo TORCH=torch, or CONTRIBUTING.md.
TORCH ?= torch==2.13.0
# Passed on to pytest, and to `make notebooks`: make pytest ARGS="-k house -x"
ARGS ?=
TAG ?=

BIN := .venv/bin
WHEEL := build/wheel
# Colab's line of widgets, in an environment of its own: its packages come first, then those of .venv (torch and the like).
WIDGETS7 := .venv/widgets7
WIDGETS7_PACKAGES := "ipywidgets==7.7.1" "jupyterlab-widgets<3" "jupyterlab<4" "notebook<7" "ipykernel<7" "anywidget>=0.9"
# nbdev writes pyproject.toml as it was: nothing has to be installed again for that.
EXPORT = $(BIN)/nbdev-export && touch .venv/.library .venv/.test
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test pytest wheel-demo browser widgets7 prepare notebooks docs lint measure hooks dist clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/.library  ## train, test and save a reward model on synthetic pairs
	$(BIN)/rmkit demo

test: pytest wheel-demo  ## everything that .ci/run runs
	@tail -n 1 build/pytest.log

# Two processes on one thread each finish sooner than one on two, and don't disturb each other's timings.
pytest: .venv/.test browser widgets7  ## notebooks, house rules and unit tests
	@mkdir -p build
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations 15 $(ARGS) | tee build/pytest.log

wheel-demo: .venv/.test  ## the wheel, in an environment of its own, runs the demo
	rm -rf $(WHEEL) && mkdir -p $(WHEEL)/empty
	$(BIN)/python -m build --outdir $(WHEEL) . &> $(WHEEL)/build.log || { cat $(WHEEL)/build.log; exit 1; }
	$(PYTHON) -m venv $(WHEEL)/venv
	$(WHEEL)/venv/bin/pip install -qq --no-compile $(TORCH)
	$(WHEEL)/venv/bin/pip install -qq --no-compile $(WHEEL)/rmkit-*.whl
	cd $(WHEEL)/empty && HF_HUB_OFFLINE=1 ../venv/bin/rmkit demo --output_dir rmkit-demo && \
	echo "rmkit demo, from the wheel: $$SECONDS s"
	@cd $(WHEEL)/empty/rmkit-demo && for name in '*.html' config.json model.safetensors tokenizer.json; do \
	  found=$$(find . -name "$$name" | head -n 1); \
	  [ -n "$$found" ] || { echo "rmkit demo wrote no $$name"; exit 1; }; echo "wrote $$found"; done
	rm -rf $(WHEEL)/venv

browser:
	@if [ -z "$$(command -v chromium chromium-browser google-chrome)" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    echo "Installing chromium for the browser tests ..."; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends chromium; } \
	      > /dev/null || echo "chromium could not be installed"; \
	  else echo "No chromium here: the browser tests are skipped (with CI=true they fail)."; fi; fi

# Without it the tests under ipywidgets 7.7 are skipped; with CI=true they fail.
widgets7: .venv/.library
	@if ! grep -qxF '$(WIDGETS7_PACKAGES)' $(WIDGETS7)/.done 2> /dev/null; then \
	  echo "Installing ipywidgets 7.7 and JupyterLab 3.6 into $(WIDGETS7) (once) ..."; \
	  rm -rf $(WIDGETS7); \
	  { $(PYTHON) -m venv --without-pip $(WIDGETS7) && \
	    $(BIN)/pip --python $(WIDGETS7)/bin/python install -qq $(WIDGETS7_PACKAGES) && \
	    purelib='import sysconfig; print(sysconfig.get_path("purelib"))' && \
	    echo "import site; site.addsitedir('$$($(BIN)/python -c "$$purelib")')" \
	      > "$$($(WIDGETS7)/bin/python -c "$$purelib")/behind.pth" && \
	    echo '$(WIDGETS7_PACKAGES)' > $(WIDGETS7)/.done; } || echo "$(WIDGETS7) could not be made"; fi

prepare: .venv/.test  ## after an edit: export the modules and their stubs, clean the notebooks, write the README
	$(EXPORT)
	$(BIN)/python docs/stubs.py
	$(BIN)/nbdev-clean
	$(BIN)/python docs/readme.py

# One thread each, as in the tests: numbers that follow from sums in another order would differ.
notebooks: .venv/.test  ## run the notebooks in place, and keep what they show: all, or ARGS="losses metrics"
	$(EXPORT)
	OMP_NUM_THREADS=1 $(BIN)/python docs/notebooks.py $(ARGS)
	$(BIN)/python docs/readme.py

docs: .venv/.test  ## the site, from the notebooks as they are: build/site/html/index.html
	OMP_NUM_THREADS=1 $(BIN)/python docs/build_site.py

lint: .venv/.test  ## what ruff finds
	$(BIN)/ruff check

measure: .venv/.test  ## lengths, widths, examples and assertions of the chapters
	$(BIN)/python docs/measure.py --chapters

hooks: .venv/.test  ## have every commit run `make prepare lint`
	$(BIN)/pip install -qq -e '.[dev]'
	$(BIN)/pre-commit install

# TAG=v1.2.3: fails unless that is the version.
dist: .venv/.test  ## the sdist and the wheel, in dist/
	@version=$$(sed -n 's/^version = //p' settings.ini); \
	[ -z "$(TAG)" ] || [ "$(TAG)" = "v$$version" ] || { echo "the tag is $(TAG), the version $$version"; exit 1; }
	rm -rf dist && $(BIN)/python -m build --outdir dist .

clean:  ## remove what make made
	rm -rf .venv build dist rmkit-demo

.venv/.library: pyproject.toml settings.ini setup.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("rmkit needs Python 3.10 or newer: make PYTHON=python3.11")'
	@echo "Installing rmkit and what it needs into .venv (once; a minute or two) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq $(TORCH)
	$(BIN)/pip install -qq -e .
	@touch $@

.venv/.test: .venv/.library
	$(BIN)/pip install -qq -e '.[test]'
	@touch $@
