"""Many workers on one PostgreSQL database, for more subscriptions than one machine can poll.

    schedule | what is due, by host | queue | workers | poll, match     one job a host
                                            | workers | settle          one job for all
                                            | workers | publish         one job a feed

The same stages as in a run, on the same tables. What is queued holds nothing that is not stored
elsewhere: it may be thrown away, and is planned anew.
"""
