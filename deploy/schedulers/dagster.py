"""gleapsync as a Dagster job with a schedule.

A run beside another one (exit code 75) is a success with a line in its log. Parked contacts and
held exports (3 and 4) fail without a retry, all else is tried again.
"""

import subprocess

import dagster

# Where the program and its state are: on one machine, or with [state] replica on any.
COMMAND = ["gleapsync", "sync", "--config", "/etc/gleapsync/gleapsync.toml", "--log-format", "json"]

LOOK = {
    3: "contacts are parked: gleapsync inspect parked",
    4: "exports are held: gleapsync inspect runs last --held",
}


@dagster.op(retry_policy=dagster.RetryPolicy(max_retries=2, delay=300))
def sync(context):
    code = subprocess.run(COMMAND, check=False).returncode
    if code == 75:
        context.log.info("another run goes on")
    elif code != 0:
        raise dagster.Failure(LOOK.get(code, f"gleapsync ended with exit code {code}"), allow_retries=code not in LOOK)


@dagster.job
def gleapsync():
    sync()


schedule = dagster.ScheduleDefinition(job=gleapsync, cron_schedule="0 */2 * * *")
