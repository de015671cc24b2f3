"""Evaluates a target over rows, anywhere: on a laptop, in a worker process, in an Azure ML job."""
