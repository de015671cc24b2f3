"""How patient orchestrators are with activities that fail."""

from azure.durable_functions import RetryOptions

# An outage of storage or the compute shorter than ten minutes must not end a release.
PATIENTLY = RetryOptions(first_retry_interval_in_milliseconds=15_000, max_number_of_attempts=40)

# Where people wait for it, or the attempt itself takes minutes.
BRIEFLY = RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=3)
