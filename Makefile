# `make` alone lists the commands. PYTHON=python3.12 make site picks the interpreter
# when .venv is made.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))

.PHONY: help site slides student test data lab notebooks pictures train improve bench lint lock clean

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
	@$(BIN)/jupyter lab --notebook-dir=notebooks

notebooks: $(READY) ## execute the notebooks in place, on the real data
	@for notebook in $(NOTEBOOKS); do $(BIN)/python tools/execute.py $$notebook || exit 1; done

pictures: $(READY) ## draw the pictures of the front page from the figures of the notebooks
	@$(BIN)/python tools/pictures.py

train: $(READY) ## train all epochs from scratch and record the run in runs/baseline/
	@$(BIN)/python tools/train.py runs/baseline --epochs 30

improve: $(READY) ## train what notebook 5 compares, in an hour, and record it in runs/
	@$(BIN)/python tools/improve.py

bench: $(READY) ## measure the training, in minutes (MODE=full: in an hour)
	@$(BIN)/python benchmarks/run.py $(or $(MODE),quick)

lint: $(READY) ## check and format-check the code and the notebooks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

lock: pyproject.toml ## renew requirements.lock (needs uv)
	@uv pip compile -q --universal --generate-hashes --python-version 3.10 --extra dev \
		--upgrade --custom-compile-command "make lock" -o requirements.lock pyproject.toml

clean: ## remove what the other commands made, but not the data and the runs
	@rm -rf .venv _site _student _screenshots .quarto .pytest_cache .ruff_cache .hypothesis notebooks/.ruff_cache *.egg-info
	@find helpers tests tools notebooks -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

$(READY): requirements.lock pyproject.toml tools/setup.py
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) was not found: install Python 3.10 to 3.13, or name it, as in PYTHON=python3.11 make site." >&2; exit 1; }
	@$(PYTHON) tools/setup.py
