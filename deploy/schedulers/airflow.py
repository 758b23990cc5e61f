"""gleapsync as an Airflow DAG (2.9 or later).

A run beside another one is skipped (exit code 75). Parked contacts and held exports (3 and 4)
fail the task without a retry, since another run changes nothing about them: somebody has to
look. All else is tried again.
"""

import datetime
import subprocess

from airflow.decorators import dag, task
from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException

# Where the program and its state are: on one worker, or with [state] replica on any.
COMMAND = ["gleapsync", "sync", "--config", "/etc/gleapsync/gleapsync.toml", "--log-format", "json"]

STATES = {
    3: (AirflowFailException, "contacts are parked: gleapsync inspect parked"),
    4: (AirflowFailException, "exports are held: gleapsync inspect runs last --held"),
    75: (AirflowSkipException, "another run goes on"),
}


@dag(
    schedule="0 */2 * * *",
    start_date=datetime.datetime(2026, 1, 1),
    catchup=False,  # one sync says all that the missed ones would have said
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": datetime.timedelta(minutes=5)},
)
def gleapsync():
    @task(execution_timeout=datetime.timedelta(minutes=115))  # above sync.deadline
    def sync():
        code = subprocess.run(COMMAND, check=False).returncode
        if code != 0:
            kind, why = STATES.get(code, (AirflowException, f"gleapsync ended with exit code {code}"))
            raise kind(why)

    sync()


gleapsync()
