"""One set-up for every test: offline, quiet, and the same examples in every run."""

from __future__ import annotations

import os
import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; programs under test must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin make a shared machine ten times slower

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "deterministic", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("deterministic")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or fills the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small built data set of drawn scenes with its rationales; nobody may write into it."""
    from data_builders import toy
    from data_builders.rationales import write_rationales

    folder = tmp_path_factory.mktemp("toy")
    toy.build(None, folder, train=36, val=2, test=4, workers=1)
    write_rationales(folder)
    return folder


@pytest.fixture(scope="session")
def two_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest data set with pairs: two drawn scenes, two pairs each, no rationales; nobody may write into it."""
    from data_builders import toy

    folder = tmp_path_factory.mktemp("two_scenes")
    toy.build(None, folder, train=1, val=0, test=1, workers=1)
    return folder
