"""``propeller top``: what runs, live, on the whole screen of a terminal.

command.py     the command: looks at the terminal, and loads the rest only then
app.py         the program on the screen: pages, the way between them, the connection
source.py      asks the manager in threads, and follows its streams

What is known, apart from screens:

connection.py  whether the manager answers
lists.py       pages of lists, with a search
graph.py       the tasks of one workflow or job, each in its state
happenings.py  the latest events
lines.py       what a guest writes, as lines
deeds.py       what can be done to a record, and what then happens
drawing.py     texts, bars, cells and times as they are drawn

What is shown:

frame.py       what all pages have: the bars, the search, the clock by which they look anew
list_page.py   what pages of lists have besides: the place in the list, and what narrows it
parts.py       the table and the texts that pages are made of
asking.py      questions and help, before a page
overview.py, groups.py, group.py, tasks.py, task.py, fleet.py, events.py    one file per page

Nothing is shown before the manager has said it: a deed changes no page, the answer after it does.
"""
