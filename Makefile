# `make` alone lists the commands. PYTHON=python3.12 make site picks the interpreter
# when .venv is made.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))

.PHONY: help site slides student test data lab notebooks pictures train improve bench repeat colab lint lock audit hooks clean

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

site: $(READY) ## render the pages into _site/
	@$(BIN)/python tools/render.py

slides: $(READY) ## render the slides into _site/slides/
	@$(BIN)/python tools/render.py slides/index.qmd

student: $(READY) ## make _student/, the lecture and its pages without the solutions
	@$(BIN)/python tools/student.py

test: $(READY) ## run all tests, and the notebooks against their stored outputs
	@$(BIN)/python tools/test.py

data: $(READY) ## bring CIFAR-100 to this machine, once
	@$(BIN)/python -m helpers.data --download

lab: $(READY) ## open JupyterLab in notebooks/
	@$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

notebooks: $(READY) ## execute the notebooks in place, on the real data
	@for notebook in $(NOTEBOOKS); do $(BIN)/python tools/execute.py $$notebook || exit 1; done

pictures: $(READY) ## draw the pictures of the front page, and those that explain the network
	@$(BIN)/python tools/pictures.py && $(BIN)/python tools/draw.py

train: $(READY) ## train all epochs from scratch and record the run in runs/baseline/
	@$(BIN)/python tools/train.py runs/baseline --epochs 30

improve: $(READY) ## train what notebook 5 compares, in an hour, and record it in runs/
	@$(BIN)/python tools/improve.py

bench: $(READY) ## measure the training, in minutes (MODE=full: in an hour)
	@$(BIN)/python benchmarks/run.py $(or $(MODE),quick)

repeat: $(READY) ## train again and again, and compare: with deterministic operations and without
	@$(BIN)/python benchmarks/repeat.py

colab: $(READY) ## give the notebooks their first cell for Colab, once repo-url is set
	@$(BIN)/python tools/colab.py

lint: $(READY) ## check the code, the notebooks and the workflows
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/zizmor --offline --quiet .github

lock: $(READY) ## renew requirements.lock (RESOLUTION=lowest-direct: with the oldest versions)
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.10 --extra dev \
		--upgrade --resolution $(or $(RESOLUTION),highest) --custom-compile-command "make lock" \
		-o requirements.lock pyproject.toml

audit: $(READY) ## look up known faults of the packages in requirements.lock
	@$(BIN)/uv tool run pip-audit --strict --require-hashes --disable-pip -r requirements.lock

hooks: $(READY) ## check before each commit, and show changes of notebooks readably
	@$(BIN)/pre-commit install
	@git config diff.jupyternotebook.command "$(BIN)/git-nbdiffdriver diff"
	@git config merge.jupyternotebook.driver "$(BIN)/git-nbmergedriver merge %O %A %B %L %P"

clean: ## remove what the other commands made, but not the data and the runs
	@if [ -x $(BIN)/pre-commit ]; then $(BIN)/pre-commit uninstall >/dev/null 2>&1; fi; \
		for kind in diff merge; do git config --remove-section $$kind.jupyternotebook 2>/dev/null; done; true
	@rm -rf .venv _site _student _screenshots .quarto .pytest_cache .ruff_cache .hypothesis notebooks/.ruff_cache *.egg-info
	@find helpers tests tools notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

# A folder that was moved, or a .venv whose Python is gone, is set up anew.
ifneq ($(shell $(BIN)/python -c "print(open('.venv/made-for').readline().strip(), end='')" 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif
$(READY): requirements.lock pyproject.toml tools/setup.py
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) was not found: install Python 3.10 to 3.13, or name it, as in PYTHON=python3.11 make site." >&2; exit 1; }
	@$(PYTHON) tools/setup.py
