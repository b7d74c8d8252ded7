#!/bin/sh
# training.py on a GPU, within ten minutes, on a machine without a network.
#
#   benchmarks/peers/training_gpu.sh WHEELS OUT [ARGUMENT OF training.py]…
#
# WHEELS is a folder with the wheels of edgekd and of what the machine's python3 lacks beside
# PyTorch, torchvision, timm, Lightning, scikit-learn and OpenCV. To make it, elsewhere:
#
#   uv build --wheel --out-dir WHEELS
#   pip download --no-deps --only-binary=:all: --python-version VERSION -d WHEELS \
#       -r benchmarks/peers/requirements/training-gpu.txt
#
# All contestants share one environment, since no other can be installed there; every one still runs
# in processes of its own.
set -eu
wheels=$1 out=$2
shift 2
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv --without-pip "$home/python"
python=$home/python/bin/python
purelib='import sysconfig; print(sysconfig.get_path("purelib"))'
site=$("$python" -c "$purelib")
# The packages of python3 itself: --system-site-packages would miss them where it is in an
# environment, too.
python3 -c "$purelib" > "$site/beside.pth"
python3 -m pip install --quiet --no-index --no-deps --target "$site" "$wheels"/*.whl
mkdir -p "$out"
timeout 540 "$python" benchmarks/peers/training.py --here --device cuda \
    --images 4096 --batch 64 --workers 8 --rounds 3 --turns 2 \
    --json "$out/peers-training-gpu.json" --markdown "$out/peers-training-gpu.md" "$@"
