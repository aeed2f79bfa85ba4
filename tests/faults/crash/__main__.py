"""The crash points: `python -m tests.faults.crash`, and `--help`."""

from tests.faults.crash import report
from tests.faults.crash.run import run

if __name__ == "__main__":
    title = "Death before and after every call to MongoDB and Kafka"
    run("crash-points", title, "death", 3, report.unreached)
