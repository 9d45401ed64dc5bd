"""Subscriptions: what is pushed, over WebSocket and server-sent events.

feeds.py          what a subscription listens to, and how an event becomes its root value
streams.py        one subscription of one client: admitted, authorised, answered
map_index.py      which map sections hold a place
reading.py        what the hub reads of the log, and whether a subscription may begin
outages.py        telling a database that is away from a bug
hub.py            reads the log once for all subscriptions of the process and tells those whom an event concerns
outbox.py         what waits to be sent to one client, bounded
room.py           how many connections a process keeps open
sockets.py        graphql-transport-ws
event_streams.py  graphql-sse, distinct connections
subscriptions.py  the fields
"""
