"""Pages of the web as a clean corpus, as FineWeb was made: captures in, Parquet out. No model is trained.

    smol run fineweb --set data=~/captures

    captures ─ main content ─ language ─ rules of Gopher, C4 and FineWeb ─ private data ─ duplicates ─ evaluation texts

Source: FineWeb, arXiv:2406.17557, section 3. Departures: trafilatura's rules find the main content in our own tree; near
duplicates are compared after they were met (threshold), and go over all captures given, not by crawl.
"""

from __future__ import annotations

from smolforge.config import config
from smolforge.data.clean.overlap_stages import OverlapsConfig, list_overlaps
from smolforge.data.clean.stages import CurateConfig, curate
from smolforge.data.read.stages import own_folder, watched_folder
from smolforge.errors import ConfigError
from smolforge.evals.stages import benchmarks_in, load_benchmarks
from smolforge.store import Store


@config
class Config:
    """Settings of a corpus of pages.

    data        folder of WARC, ARC or HTML files
    benchmarks  folder of public benchmark files whose questions are kept out; none when empty
    """

    data: str = ""
    benchmarks: str = ""
    curation: CurateConfig = CurateConfig(domain="web", rules=("fineweb",), languages=("en",))


def recipe(store: Store, cfg: Config) -> None:
    """Curate pages of the web by the published rules."""
    if not cfg.data:
        raise ConfigError("`data` is not set", fix="name your folder of captures: --set data=FOLDER")
    raw = store.run(own_folder, watched_folder(cfg.data), label="raw")
    questions = None
    if cfg.benchmarks:
        every = benchmarks_in(cfg.benchmarks, items_per_task=0)
        questions = store.run(load_benchmarks, every, label="held-out")
    corpus = store.run(curate, cfg.curation, label="corpus", raw=raw, held_out=questions)
    if questions is not None:
        store.run(list_overlaps, OverlapsConfig(), label="held-out/overlaps", sources={"web": corpus})


SCALES = {"default": Config()}
