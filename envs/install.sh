#!/usr/bin/env bash
# Install everything into a virtual environment: install.sh FOLDER. `make install` calls this.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$1

# The lock is made with 3.11 and installs unchanged on the later ones. A name on the path may be an empty shim: try it.
candidates=(python3.11 python3.12 python3.13)
[ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
usable() { "$1" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
python=
for candidate in "${candidates[@]}"; do
    if usable "$candidate"; then python=$candidate && break; fi
done
[ -n "$python" ] || { echo "Python 3.11, 3.12 or 3.13 with its module venv is needed: install one, or give its path as PYTHON=..." >&2; exit 1; }
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

echo "Installing the packages of envs/requirements.lock (about 7 GB with CUDA's libraries)"
pip install --quiet -r "$here/requirements.lock"

# lvis asks for opencv-python, which would overwrite the cv2 of opencv-contrib-python.
pip install --quiet --no-deps lvis==0.5.3

# detectron2 publishes no wheels. This one is its main branch of April 2024 in pure Python; its compiled module is for
# another Python and is removed: torchvision has what training needs. On a GPU cluster you may build upstream instead.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
if [ ! -d "$site/detectron2" ]; then
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    echo 'sal-detectron2==0.7.2 --hash=sha256:491af0c7f79bdb2d178e46f6cb16a97c4ac968d45c41ea3f6b6435d59bbee561' >"$stage/pin"
    pip install --quiet --no-deps --require-hashes --only-binary=:all: --python-version 3.10 --implementation cp \
        --abi none --platform any --target "$stage/site" -r "$stage/pin"
    rm -f "$stage"/site/detectron2/_C*.so
    cp -r "$stage"/site/sal_detectron2-*.dist-info "$site/"
    mv "$stage/site/detectron2" "$site/"
fi

pip install --quiet --no-deps --no-build-isolation -e "$here/.."
"$venv/bin/python" -c 'import cv2, detectron2, lvis, torch; assert hasattr(cv2, "ximgproc")' 2>/dev/null ||
    { echo "The installation is not whole: remove $venv and run make install again." >&2; exit 1; }
