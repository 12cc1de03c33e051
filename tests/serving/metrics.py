"""The metrics that the server exports under Prometheus names, and the labels of each."""

HISTOGRAM, COUNTER = "histogram", "counter"
_SERVING = ":tensorflow:serving:"
_BATCHING = f"{_SERVING}batching_session:"

METRICS: dict[str, tuple[str, set[str]]] = {
    f"{_SERVING}request_count": (COUNTER, {"model_name", "status"}),
    f"{_SERVING}request_latency": (HISTOGRAM, {"model_name", "API", "entrypoint"}),
    f"{_SERVING}runtime_latency": (HISTOGRAM, {"model_name", "API", "runtime"}),
    f"{_SERVING}model_warmup_latency": (HISTOGRAM, {"model_path", "status"}),
    f"{_SERVING}model_warmup_records_read": (COUNTER, {"model_path", "status"}),
    f"{_SERVING}request_log_count": (COUNTER, {"model_name", "status_code"}),
    f"{_BATCHING}queuing_latency": (HISTOGRAM, {"thread_pool_name"}),
    f"{_BATCHING}wrapped_run_count": (COUNTER, set()),
    f"{_BATCHING}padding_size": (HISTOGRAM, {"execution_batch_size"}),
    f"{_BATCHING}input_batch_size": (HISTOGRAM, set()),
    f"{_BATCHING}processed_batch_size": (HISTOGRAM, set()),
    ":tensorflow:cc:saved_model:load_latency": (COUNTER, {"model_path"}),
    ":tensorflow:cc:saved_model:load_attempt_count": (COUNTER, {"model_path", "status"}),
    ":tensorflow:core:graph_runs": (COUNTER, set()),
    ":tensorflow:core:graph_run_time_usecs": (COUNTER, set()),
    ":tensorflow:core:session_created": (COUNTER, set()),
}

SERIES: dict[str, set[str]] = {"up": {"job", "instance"}}
"""Names of time series as Prometheus stores them, with the labels that it adds."""
for _name, (_kind, _labels) in METRICS.items():
    _own = _labels | SERIES["up"]
    if _kind == HISTOGRAM:
        SERIES |= {f"{_name}_bucket": _own | {"le"}, f"{_name}_sum": _own, f"{_name}_count": _own}
    else:
        SERIES[_name] = _own
