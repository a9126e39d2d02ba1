"""Which ports a native stack takes, and which it leaves to others."""

import socket
from contextlib import closing

import pytest

from ekiden_native.errors import PortTaken
from ekiden_native.ports import LISTENERS, LOOPBACK, choose_ports, free_port, is_free, own_ports


def all_free(_port: int) -> bool:
    return True


def test_the_usual_ports_are_taken_where_they_are_free() -> None:
    usual = {"gateway": 8000, "rabbitmq": 5672, "mongod": 27017, "simulator": 8090, "prometheus": 9090}
    assert choose_ports({}, {}, all_free) == usual


def test_a_usual_port_that_is_taken_is_replaced() -> None:
    ports = choose_ports({}, {}, lambda port: port != 8000)

    assert ports["gateway"] != 8000
    assert ports["rabbitmq"] == 5672


def test_a_port_asked_for_by_name_is_used() -> None:
    assert choose_ports({"EKIDEN_AMQP_PORT": "5999"}, {}, all_free)["rabbitmq"] == 5999


def test_a_port_asked_for_by_name_is_never_replaced() -> None:
    with pytest.raises(PortTaken, match=r"8000 is taken.*EKIDEN_GATEWAY_PORT"):
        choose_ports({"EKIDEN_GATEWAY_PORT": "8000"}, {}, lambda port: port != 8000)


def test_two_listeners_cannot_ask_for_the_same_port() -> None:
    with pytest.raises(PortTaken):
        choose_ports({"EKIDEN_GATEWAY_PORT": "7000", "EKIDEN_SIMULATOR_PORT": "7000"}, {}, all_free)


@pytest.mark.parametrize("value", ["", "http", "-1", "0", "65536"])
def test_a_port_asked_for_must_be_a_port(value: str) -> None:
    with pytest.raises(PortTaken, match="no port number"):
        choose_ports({"EKIDEN_MONGODB_PORT": value}, {}, all_free)


def test_a_usual_port_that_another_listener_asked_for_is_replaced() -> None:
    ports = choose_ports({"EKIDEN_SIMULATOR_PORT": "8000"}, {}, all_free)

    assert ports["simulator"] == 8000
    assert ports["gateway"] != 8000


def test_a_restarted_stack_keeps_its_ports() -> None:
    earlier = {
        "EKIDEN_AMQP_URL": "amqp://guest:guest@127.0.0.1:21001/",
        "EKIDEN_MONGODB_URL": "mongodb://127.0.0.1:21002/?replicaSet=rs0",
        "EKIDEN_GATEWAY_URL": "http://127.0.0.1:21003",
        "EKIDEN_SIMULATOR_URL": "http://127.0.0.1:21004",
        "EKIDEN_PROMETHEUS_URL": "http://127.0.0.1:21005",
    }

    ports = choose_ports({}, earlier, all_free)

    assert ports == {"rabbitmq": 21001, "mongod": 21002, "gateway": 21003, "simulator": 21004, "prometheus": 21005}


def test_a_port_of_the_last_run_that_is_taken_now_is_replaced() -> None:
    earlier = {"EKIDEN_GATEWAY_URL": "http://127.0.0.1:21003"}

    assert choose_ports({}, earlier, lambda port: port != 21003)["gateway"] == 8000


def test_no_two_listeners_share_a_port() -> None:
    usual = {listener.usual for listener in LISTENERS.values()}

    ports = choose_ports({}, {}, lambda port: port not in usual)

    assert len(set(ports.values())) == len(LISTENERS)


def test_a_free_port_is_not_given_twice() -> None:
    given: set[int] = set()

    ports = [free_port(given, all_free) for _ in range(100)]

    assert len(set(ports)) == 100


def test_a_free_port_is_none_that_an_outgoing_connection_could_hold() -> None:
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="utf-8") as limits:
        lowest = int(limits.read().split()[0])

    assert max(free_port(set(), all_free) for _ in range(100)) < max(lowest, 32768)


def test_a_port_is_taken_while_somebody_listens_on_it() -> None:
    with closing(socket.socket()) as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free(port)

    assert is_free(port)


def test_a_port_is_taken_when_somebody_listens_on_every_address() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()

        assert not is_free(listener.getsockname()[1])


def test_two_stacks_with_ports_of_their_own_do_not_meet() -> None:
    ports = choose_ports(own_ports(), {})

    assert not set(ports.values()) & {listener.usual for listener in LISTENERS.values()}
    assert len(set(ports.values())) == len(LISTENERS)
