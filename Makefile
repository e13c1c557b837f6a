# SPDX-License-Identifier: MIT
# The commands of everyday work; the build itself is meson's. Each installs the Debian packages it
# needs (packaging/debian-packages.txt) when some are missing.
#
#   make build            the programs, in build/
#   make run [PORT=8000]  the examples: an Emperor with Django, Flask and PSGI applications
#   make test             every test; the last line says how many passed and failed
#   make bench            liege beside other servers, some 55 minutes; bench/README.md: each alone
#   make install PREFIX=DIR   needs no root if DIR is yours; runs from wherever DIR is
#   make lint format docs clean

BUILD  = build
PREFIX = /usr/local
PYTHON = /usr/bin/python3
PORT   = 8000

.PHONY: build run test bench lint format docs install clean

build: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	tools/install-packages build
	meson setup $(BUILD)

run: build
	tools/install-packages run
	$(PYTHON) tools/run-examples --build $(BUILD) --port $(PORT)

test:
	tools/install-packages build run test
	$(PYTHON) tests/run

bench: build
	tools/install-packages bench
	$(PYTHON) bench/all --build $(BUILD)

lint:
	tools/install-packages build test
	$(PYTHON) tests/run lint

format:
	tools/install-packages test
	$(PYTHON) tests/lint/check-format.py --fix

docs: build
	$(PYTHON) tests/lint/check-options.py --fix $(BUILD)

install: build
	meson configure $(BUILD) --prefix "$(abspath $(PREFIX))"
	meson install -C $(BUILD) --quiet

clean:
	rm -rf build build-sanitizers build-lint
