"""A short soak; `make soak` is the one of 64 clients, a minute and ten swaps."""

from tests.fuzz.soak import soak


def test_attackers_and_version_swaps_cost_nobody_an_answer(saved_models, tmp_path):
    report = soak(saved_models, tmp_path, clients=8, swaps=2, going=lambda asked: asked < 40)
    for port in ("gRPC", "REST"):
        assert report[port]["right"] >= 4 * 40
        assert (report[port]["wrong"], report[port]["lost"]) == (0, {})
    assert all(report["attacks"].values()), report["attacks"]
