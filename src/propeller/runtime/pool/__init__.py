"""The pool in the proplet's process: it queues runs and feeds them to runner processes.

pool.py               the queue, the handing over, stops and deaths
queued_run.py         a run that waits or is executed
runner_handle.py      one runner process as the pool sees it
forkserver_client.py  asks the fork server for runners, and learns how they died
protocol.py           what the pool, the fork server and the runners say to each other
"""
