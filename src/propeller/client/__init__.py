"""A client of the manager's HTTP API, for programs and for the command line.

api.py      ``Client``: one method per request
address.py  where a manager is asked
looking.py  the requests about the whole, which are a part of it
asking.py   the parts that requests are made of
namespaces.py adds the namespace that a client works in to its requests
access.py   the requests about tokens, and about who one is
shapes.py   the types of answers; they stay plain JSON objects
secrets.py  the requests about secrets, likewise
device.py   signs in at the issuer of a manager, by a code for any browser
findings.py types of the answers about modules and files
events.py   follows ``/events`` and other streams through broken connections and restarts
patience.py waits for a manager that has too much to do
contract.py workflows and jobs at a manager that only knows the contract
errors.py   what can go wrong: refused, not reached, or not trusted
trust.py    whose certificates are believed, and the client's own

    from propeller.client.api import Client

    with Client("http://localhost:7070") as client:
        client.start_task("task-001")
"""
