"""The simulated user agents, judged by the robot lists that the pipeline uses."""

import re

import crawleruseragents
import pytest
from crawlerdetect import CrawlerDetect

from pipeline.demo.storm.agents import CUT, ROBOTS, make_agents

DETECT = CrawlerDetect()


@pytest.fixture(scope="module")
def agents():
    return make_agents()


def is_robot(agent: str) -> bool:
    return crawleruseragents.is_crawler(agent) or DETECT.isCrawler(agent)


def test_there_are_thousands_of_browsers_and_each_is_popular_enough_to_be_drawn(agents):
    assert len(set(agents.browsers)) == len(agents.browsers) >= 5000
    assert set(agents.popular.tolist()) == set(range(len(agents.browsers)))


def test_no_browser_is_a_robot_to_the_lists(agents):
    """Not all 5,500 are asked, but enough of them to have every word of every one."""
    seen, asked = set(), []
    for agent in (*agents.browsers, *CUT):
        words = set(re.split(r"[ ;()]+", agent))
        if words - seen:
            asked.append(agent)
            seen |= words
    assert len(asked) > 100
    assert [agent for agent in asked if is_robot(agent)] == []


def test_every_robot_is_one_to_the_lists():
    assert [agent for agent in ROBOTS if not is_robot(agent)] == []


def test_ids_of_the_kinds_do_not_overlap(agents):
    kinds = [range(len(agents.browsers)), agents.cut, agents.robots, agents.empty]
    assert [number for kind in kinds for number in kind] == list(range(len(agents.line_ends)))
    assert [agents.line_ends[number] for number in agents.empty] == ['" "-"\n', '" ""\n']
