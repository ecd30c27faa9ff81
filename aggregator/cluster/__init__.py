"""Workers that share one PostgreSQL database, for more subscriptions than one machine can poll.

    scheduler | plans what is due, by host | queue | workers | poll and match      a job per host
                                                   | workers | match and place    one job for all
                                                   | workers | publish            a job per feed

The stages and tables are those of a run. The queue holds nothing that is not stored elsewhere: it may
be dropped, and is planned again.
"""
