"""A short run of hostile requests; `make fuzz` sends 100,000."""

from tests.fuzz.tensors import fuzz_tensors


def test_2000_hostile_requests_leave_the_server_alive_and_right(base_of_all):
    results = dict(fuzz_tensors(base_of_all, 2000, seed=7))
    assert sum(result["requests"] for result in results.values()) == 2000
    for result in results.values():
        assert result.get("OK", 0) + result.get("200", 0) > 50
