# make env    the environment, in .venv (VENV=folder puts it elsewhere, PYTHON=program chooses the interpreter)
# make demo   napari with the sample cine, its mask and its heatmaps; without a screen, the same as files in demo/
# make test   the tests, in two processes (WORKERS=0: in one; WORKERS=auto: as many as there are cores)
# make test-slow  those marked as slow: each takes more than 2.5 seconds on two cores
# make lint   style, format and types
# make docs   site/: the documentation, which can be read without a connection
# make screenshots  follows the tutorials word for word, in a real window, and takes the pictures of docs/images/ again
#             (ARGS=--check: compares with those that are there; ARGS="--public FOLDER": those on public ultrasound, too;
#             on Linux, always on a virtual screen)
# make wheel  dist/: the source archive, and the wheel made from it
# make release-check   a rehearsed release: the wheel in a new environment of each Python here (ARGS=--help says more)

VENV ?= .venv
PYTHON ?=
WORKERS ?= 2
BIN = $(VENV)/bin
SCREEN := $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname -s))

.PHONY: env demo test test-slow lint docs screenshots wheel release-check

env:
	@PYTHON="$(PYTHON)" tools/make-env "$(VENV)"

demo: env
	tools/with-display "$(BIN)/napari-segcam" demo --window $(if $(SCREEN),,--screenshot --out demo)

test: env
	tools/with-display "$(BIN)/python" -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(ARGS)

test-slow: env
	tools/with-display "$(BIN)/python" -m pytest -n $(WORKERS) --dist worksteal -m slow $(ARGS)

lint: env
	"$(BIN)/ruff" check
	"$(BIN)/ruff" format --check
	"$(BIN)/mypy"

docs: env
	tools/with-display "$(BIN)/python" tools/documentation/build.py

screenshots: env
	env -u DISPLAY -u WAYLAND_DISPLAY tools/with-display "$(BIN)/python" -m tools.screenshots $(ARGS)

wheel: env
	rm -rf dist
	"$(BIN)/python" -m build

release-check: env
	"$(BIN)/python" tools/release/check.py $(ARGS)
