"""Who serves a channel: managers that come, go and meet again, over a broker that is nothing but a list."""

from itertools import count

import pytest

from propeller.core.times import Moment
from propeller.manager.standing import Standing, Times
from propeller.wire.fleet.from_manager import Announcement

S = 1_000_000_000
HERE_EVERY_S, QUIET_S, RIVAL_S, DEAF_S = Times().here_every, Times().quiet, Times().rival, Times().deaf


class Channel:
    """Passes announcements on to all that are connected, and keeps the last."""

    def __init__(self):
        self.now = 1000 * S
        self.kept = None
        self.connected = []
        self.wills = {}

    @property
    def moment(self):
        return Moment(self.now, self.now)

    def say(self, said):
        said = list(said)
        while said:
            one = said.pop(0)
            if one.status != "asks":
                self.kept = one
            for member in list(self.connected):
                said += member.heard(one, self.moment)

    def join(self, member):
        self.wills[member] = member.will(self.now)
        question = member.connected(self.moment)
        self.connected.append(member)
        if self.kept:
            self.say(member.heard(self.kept, self.moment))
        self.say(question)

    def cut(self, member, *, is_noticed=True):
        """End a connection; a broker that ends as well does not publish the will."""
        self.connected.remove(member)
        member.disconnected()
        if is_noticed:
            self.say([self.wills[member]])

    def wait(self, seconds):
        for _ in range(int(seconds * 10)):
            self.now += S // 10
            for member in list(self.connected):
                self.say(member.time_passed(self.moment))


@pytest.fixture
def channel():
    return Channel()


_epochs = count(1)


def manager(name):
    return Standing(name, next(_epochs), f"{name}.example")


def serving(channel, name):
    member = manager(name)
    channel.join(member)
    channel.wait(RIVAL_S + 1)
    assert member.is_serving
    return member


def test_who_is_alone_serves_after_a_moment(channel):
    first = manager("a")
    channel.join(first)
    channel.wait(QUIET_S / 2)
    assert not first.is_serving
    channel.wait(QUIET_S / 2)
    assert first.is_serving
    assert channel.kept.status == "here"
    assert channel.kept.where == "a.example"


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a"), ("a", "a")])
def test_a_second_one_finds_the_first_and_does_not_serve(channel, names):
    """Also with the same data, as where they were copied to another machine."""
    first = serving(channel, names[0])
    second = manager(names[1])
    channel.join(second)
    assert second.other.where == first._where
    channel.wait(60)
    assert (first.is_serving, second.is_serving) == (True, False)


def test_a_second_one_finds_the_first_where_the_broker_has_kept_nothing(channel):
    first = serving(channel, "a")
    channel.kept = None
    second = manager("b")
    channel.join(second)
    assert second.other is not None
    assert first.is_serving


def test_of_two_that_start_at_once_one_serves(channel):
    first, second = manager("b"), manager("a")
    channel.join(first)
    channel.now += 1
    channel.join(second)
    channel.wait(RIVAL_S + 1)
    assert (first.is_serving, second.is_serving) == (True, False)
    assert second.other is not None


def test_one_that_starts_again_serves_after_a_moment(channel):
    channel.cut(serving(channel, "a"))
    again = manager("a")
    channel.join(again)
    channel.wait(QUIET_S)
    assert again.is_serving


def test_one_that_leaves_does_not_serve_again_while_its_last_words_are_sent(channel):
    first = serving(channel, "a")
    channel.say(first.left(channel.now))
    channel.wait(RIVAL_S + 1)
    assert not first.is_serving
    assert channel.kept.status == "left"


def test_one_takes_the_place_of_another_that_has_left_at_once(channel):
    first = serving(channel, "a")
    channel.say(first.left(channel.now))
    channel.cut(first, is_noticed=False)
    second = manager("b")
    channel.join(second)
    assert second.is_serving


@pytest.mark.parametrize("is_noticed", [True, False])
def test_one_waits_for_another_that_may_be_starting_again(channel, is_noticed):
    channel.cut(serving(channel, "a"), is_noticed=is_noticed)
    second = manager("b")
    channel.join(second)
    channel.wait(RIVAL_S - 1)
    assert not second.is_serving
    again = manager("a")
    channel.join(again)
    assert second.other is not None
    channel.wait(RIVAL_S)
    assert again.is_serving


def test_one_takes_the_place_of_another_that_is_gone(channel):
    channel.cut(serving(channel, "a"))
    second = manager("b")
    channel.join(second)
    channel.wait(RIVAL_S)
    assert second.is_serving


def test_a_short_break_changes_nothing(channel):
    first = serving(channel, "a")
    channel.cut(first)
    assert not first.is_serving
    channel.join(first)
    assert first.is_serving


def test_one_that_was_cut_off_gives_way_to_who_took_its_place(channel):
    first = serving(channel, "a")
    channel.cut(first)
    second = serving(channel, "b")
    channel.join(first)
    channel.wait(60)
    assert (first.is_serving, second.is_serving) == (False, True)
    assert first.other.manager_id == "b"


def test_one_that_comes_back_does_not_go_for_another_that_never_served(channel):
    """Others try to start while it is cut off: they are killed too early, or start in a loop."""
    first, second = serving(channel, "a"), manager("b")
    channel.cut(first)
    for _ in range(3):
        channel.join(second)
        channel.cut(second)
        channel.join(first)
        channel.cut(first)
    channel.join(first)
    channel.wait(RIVAL_S + 1)
    assert (first.is_serving, first.other) == (True, None)


@pytest.mark.parametrize("is_first_back", [True, False])
def test_of_one_that_comes_back_and_one_that_starts_the_first_stays(channel, is_first_back):
    first, second, third = serving(channel, "b"), manager("a"), manager("c")
    channel.cut(first)
    channel.join(third)
    channel.cut(third)  # its will is now what the broker has kept
    for member in (first, second) if is_first_back else (second, first):
        channel.now += 1
        channel.join(member)
    assert second.other.manager_id == "b"
    channel.wait(RIVAL_S + 1)
    assert (first.is_serving, second.is_serving) == (True, False)


def old_word(status="here"):
    return Announcement(manager_id="b", epoch=7, status=status, at=500 * S, since=400 * S, where="of old")


@pytest.mark.parametrize("status", ["here", "gone"])
def test_one_does_not_go_for_an_old_word_that_a_broker_remembers_when_it_comes_back(channel, status):
    first = serving(channel, "a")
    channel.cut(first, is_noticed=False)
    channel.kept = None
    channel.join(first)
    channel.cut(first, is_noticed=False)
    channel.kept = old_word(status)
    for _ in range(3):
        channel.join(first)
        channel.cut(first, is_noticed=False)
        channel.kept = old_word(status)
    channel.join(first)
    channel.wait(RIVAL_S + 1)
    assert (first.is_serving, first.other) == (True, None)


@pytest.mark.parametrize("is_back", [True, False])
def test_nobody_goes_for_an_old_word_that_is_said_again(channel, is_back):
    """As by a bridge between brokers: whoever is alive answers when it is asked."""
    first = serving(channel, "a") if is_back else manager("a")
    if is_back:
        channel.cut(first)
        channel.kept = None
    channel.join(first)
    for _ in range(2):
        channel.say([old_word()])
    channel.wait(RIVAL_S + 1)
    for _ in range(2):
        channel.say([old_word()])
    channel.wait(1)
    assert (first.is_serving, first.other) == (True, None)


def test_one_that_asks_again_waits_for_the_answer(channel):
    """Its first question was lost, and its time was nearly over when it heard of the other."""
    second = manager("b")
    channel.join(second)
    channel.wait(QUIET_S - 0.1)
    (question,) = second.heard(old_word("here"), channel.moment)
    assert question.status == "asks"
    channel.now += S // 5
    assert second.time_passed(channel.moment) == []
    assert not second.is_serving
    channel.wait(RIVAL_S + 1)
    assert second.is_serving


def test_after_a_broker_was_in_two_parts_the_older_one_stays(channel):
    other = Channel()
    older = serving(channel, "b")
    other.now = channel.now + S
    younger = serving(other, "a")
    other.cut(younger, is_noticed=False)
    younger.is_serving, younger._asked_at = True, 1  # it has noticed nothing
    channel.connected.append(younger)
    channel.now = other.now
    channel.wait(HERE_EVERY_S)
    assert (older.is_serving, younger.is_serving) == (True, False)
    assert channel.kept.manager_id == "b"


def test_one_identity_for_two_is_seen_though_they_never_meet(channel):
    """Whoever connects throws the other one out."""
    first = serving(channel, "a")
    second = manager("b")
    for _ in range(2):
        if second.other is not None:
            break
        channel.cut(first)
        channel.join(second)
        channel.wait(0.2)
        channel.cut(second, is_noticed=False)
        channel.join(first)
        channel.wait(0.2)
    assert second.other.manager_id == "a"


def test_an_epoch_does_not_go_back_where_the_clock_does(channel):
    before = Standing("a", 5000, "")
    channel.join(before)
    channel.wait(QUIET_S)
    channel.cut(before)
    restored = Standing("a", 7, "")
    channel.join(restored)
    channel.wait(QUIET_S)
    assert restored.is_serving
    assert restored.by == ("a", 5001)


def test_one_that_can_not_hear_itself_serves_and_knows_that(channel):
    member = manager("a")
    member.connected(channel.moment)
    channel.connected = [member]
    channel.wait(DEAF_S)
    assert member.is_serving
    assert not member.is_heard


def test_the_word_of_one_that_is_gone_does_not_stay_in_place_of_who_is_here(channel):
    first = serving(channel, "a")
    channel.say([Announcement(manager_id="b", epoch=1, status="gone", at=1)])
    assert first.is_serving
    assert channel.kept.manager_id == "a"


def test_an_answer_that_overtakes_the_question_is_one(channel):
    """Within a cluster of brokers, as nobody gives an order to what different clients say."""
    serving(channel, "a")
    second = manager("a")
    (question,) = second.connected(channel.moment)
    (first,) = channel.connected
    (answer,) = first.heard(question, channel.moment)
    second.heard(answer, channel.moment)
    second.heard(question, channel.moment)
    assert second.other == answer


def test_a_word_of_before_one_stood_still_ends_nobody(channel):
    """It had read the question of who took its place, and its answer comes when it goes on."""
    first = serving(channel, "a")
    channel.cut(first)
    second = manager("b")
    channel.join(second)
    question = second._asked_at
    channel.wait(RIVAL_S + 1)
    late = Announcement(
        manager_id="a", epoch=first.epoch, status="here", at=first._said_at + 5, answers=question, since=1
    )
    channel.say([late])
    channel.wait(30)
    assert second.is_serving


# -- managers that share a database ---------------------------------------------------------------------------


def one_of_several():
    return Standing("several", next(_epochs), "one.example", is_leased=True)


def leading(channel):
    member = one_of_several()
    channel.join(member)
    channel.wait(QUIET_S + 0.1)
    assert member.is_serving
    return member


@pytest.mark.parametrize("end", ["crash", "cut", "stop", "unnoticed"])
def test_one_that_takes_the_lead_serves_at_once(channel, end):
    before = leading(channel)
    if end == "crash":
        channel.cut(before)
    elif end == "cut":
        channel.cut(before, is_noticed=False)
    elif end == "stop":
        channel.say(before.left(channel.now))
        channel.connected.remove(before)
    after = one_of_several()
    channel.join(after)
    assert after.is_serving
    assert after.other is before.other is None
    assert (channel.kept.status, channel.kept.epoch) == ("here", after.epoch)


def test_the_late_words_of_one_that_led_before_do_not_stay_in_place_of_ours(channel):
    before = leading(channel)
    will = channel.wills[before]
    channel.connected.remove(before)
    after = one_of_several()
    channel.join(after)
    for late in (before._here(channel.moment), will):
        channel.say([late])
        assert after.is_serving
        assert (channel.kept.status, channel.kept.epoch) == ("here", after.epoch)


def test_one_that_led_before_says_nothing_against_who_leads_now_and_does_not_go_above_its_epoch(channel):
    before = leading(channel)
    after = one_of_several()
    channel.join(after)
    channel.cut(before, is_noticed=False)
    channel.join(before)
    assert after.is_serving
    assert after.other is None
    assert before.epoch < after.epoch


def test_a_manager_of_another_database_is_found_by_whoever_leads(channel):
    serving(channel, "other")
    one = one_of_several()
    channel.join(one)
    channel.wait(RIVAL_S + 1)
    assert not one.is_serving
    assert one.other.manager_id == "other"


def test_a_manager_of_another_database_finds_whoever_leads(channel):
    leading(channel)
    after = one_of_several()
    channel.join(after)
    other = manager("other")
    channel.join(other)
    channel.wait(RIVAL_S + 1)
    assert after.is_serving
    assert other.other.manager_id == "several"


def test_one_that_takes_the_lead_after_another_database_had_the_channel_waits_for_that(channel):
    leading(channel)
    channel.connected.clear()
    other = serving(channel, "other")
    channel.cut(other)
    after = one_of_several()
    channel.join(after)
    channel.wait(QUIET_S + 0.1)
    assert not after.is_serving
    channel.wait(RIVAL_S)
    assert after.is_serving
