"""Other people's clients, from build/test-venv."""
import importlib
import os
import sys

os.environ.update(HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1', HF_EVALUATE_OFFLINE='1', TQDM_DISABLE='1')


def require(name):
    """The module; without it the whole test file is skipped, which ctest reports."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f'skipped: needs the Python package {name}; tools/install_deps.sh clients installs it, then configure anew')
        sys.exit(77)
