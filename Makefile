# `make serve` and `make test` need Python 3.11 to 3.13 and make, and make everything else themselves.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
GUI_PORT ?= 8080

PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --editable

.PHONY: serve test browser lint picture screenshots samples bench pins clean

# API and page together; Ctrl-C stops both, and so does the end of the API.
serve: .venv-serve/ready
	@.venv-serve/bin/python -m api --host $(HOST) --port $(PORT) & api=$$!; \
	.venv-serve/bin/python -m gui --api http://$(HOST):$(PORT) --host $(HOST) --port $(GUI_PORT) & gui=$$!; \
	trap 'kill $$api $$gui 2>/dev/null; wait' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	wait $$api

test: browser .promtool/ready .venv/ready .venv-openvino/ready .venv-qnn/ready .venv-checkov/ready tests/cross_runtime/node_modules/.package-lock.json lint
	.venv/bin/python -m pytest -n 2 --dist loadfile

# Debian's Chromium for the page's tests: installed where that is allowed, else they skip and say so.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		{ apt-get install -y -qq chromium || { apt-get update -qq && apt-get install -y -qq chromium; }; } >/dev/null 2>&1; \
	} || echo "no browser: apt-get install chromium; the page's browser tests are skipped"

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# README's picture: a generated street beside the shipped model's mask of it.
picture: .venv-serve/ready
	mkdir -p docs
	.venv-serve/bin/python -m runtime picture -o docs/street.jpg

# README's pictures of the page; they need Chromium.
screenshots: .venv/ready
	.venv/bin/python tests/gui/screenshots.py

# The generated streets that the page offers, and the one with its ground truth.
samples: .venv-serve/ready
	rm -rf build/streets
	.venv-serve/bin/python -m runtime scenes -o build/streets --count 4 --seed 41 --size 1024x512
	.venv-serve/bin/python -c "from PIL import Image; [Image.open(f'build/streets/leftImg8bit/val/scenes/scenes_{i:06d}_000000_leftImg8bit.png').save(f'gui/samples/street_{n}.jpg', quality=85, optimize=True) for i, n in enumerate(('night', 'day', 'fog', 'rain'))]"
	rm -rf build/pair
	.venv-serve/bin/python -m runtime scenes -o build/pair --count 1 --size 1024x512
	.venv-serve/bin/python -c "from PIL import Image; Image.open('build/pair/leftImg8bit/val/scenes/scenes_000000_000000_leftImg8bit.png').save('gui/samples/pair_frame.jpg', quality=85)"
	cp build/pair/gtFine/val/scenes/scenes_000000_000000_gtFine_labelIds.png gui/samples/pair_truth.png

# The server beside the same work without HTTP, and beside a plain peer: two idle cores, about 10 minutes.
bench: .venv-bench/ready
	.venv-bench/bin/python tests/benchmarks/server.py $(BENCH)

# Debian's promtool for the alerts' tests, unpacked beside the environments: its package would start a server.
.promtool/ready:
	@mkdir -p .promtool && cd .promtool && { apt-get download -qq prometheus && dpkg -x prometheus_*.deb . && touch ready; } \
		|| echo "no promtool: Debian's package prometheus has it; the alerts' tests are skipped"

# What the container images install, exactly, from the ranges in pyproject.toml; needs Python 3.13, as the images have it.
pins:
	python3.13 k8s/images/pin.py

# A folder is ready when its last file is written; a change of the dependencies makes it anew.
.venv-serve/ready: pyproject.toml
	$(PYTHON) -m venv .venv-serve
	.venv-serve/bin/python $(PIP_INSTALL) '.[cpu,api,gui]'
	touch $@

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP_INSTALL) '.[cpu,api,gui,train,convert,dev]'
	touch $@

# onnxruntime-web for the tests; without npm they skip and say so.
tests/cross_runtime/node_modules/.package-lock.json: tests/cross_runtime/package.json
	@if command -v npm >/dev/null; then \
		npm install --prefix tests/cross_runtime --no-package-lock --ignore-scripts --no-audit --no-fund && touch $@; fi

# Second providers of the tests. Neither goes beside the other: each brings an onnxruntime.
.venv-openvino/ready: pyproject.toml
	$(PYTHON) -m venv .venv-openvino
	.venv-openvino/bin/python $(PIP_INSTALL) . onnxruntime-openvino==1.24.1
	touch $@

.venv-qnn/ready: pyproject.toml
	$(PYTHON) -m venv .venv-qnn
	.venv-qnn/bin/python $(PIP_INSTALL) '.[cpu]' onnxruntime-qnn==2.7.0
	touch $@

# It pins old versions of common packages.
.venv-checkov/ready: pyproject.toml
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30
	touch $@

.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python $(PIP_INSTALL) '.[cpu,api,bench]'
	touch $@

clean:
	rm -rf .venv .venv-serve .venv-bench .venv-openvino .venv-qnn .venv-checkov .promtool tests/cross_runtime/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
