# What somebody writes in an afternoon: python senders.py URL DAY KNOWN sends the rows of the day's
# table that are not in the file of those sent last, over 16 connections, and then writes that file.
import http.client, json, os, sys, threading, urllib.parse

import polars

url, day, known = sys.argv[1:]
rows = polars.read_csv(day + "/table.csv").drop("changed_on")
changed = rows
if os.path.exists(known):
    changed = rows.join(polars.read_parquet(known), on=rows.columns, how="anti")
changed = changed.rename({"user_id": "userId"})
failures = []


def send(part):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    try:
        for row in part.iter_rows(named=True):
            connection.request("POST", "/admin/identify", json.dumps(row), {"Content-Type": "application/json", "Api-Token": "bench"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(answer.status)
    except Exception as failure:
        failures.append(failure)


threads = [threading.Thread(target=send, args=(changed.gather_every(16, n),)) for n in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failures:
    sys.exit(str(failures[0]))
rows.write_parquet(known + ".new")
os.rename(known + ".new", known)
