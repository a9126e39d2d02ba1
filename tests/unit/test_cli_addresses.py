"""Where the command line looks for the stack."""

from pathlib import Path

from ekiden_cli.addresses import USUAL_GATEWAY, find_addresses


def write(folder: Path, **variables: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stack.env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


def test_without_anything_the_usual_address_is_tried(tmp_path: Path) -> None:
    found = find_addresses({}, tmp_path)

    assert found.gateway_url == USUAL_GATEWAY
    assert found.amqp_url is None
    assert found.mongodb_database == "ekiden"


def test_the_stacks_file_is_found_from_a_folder_below_it(tmp_path: Path) -> None:
    write(tmp_path / ".local", EKIDEN_GATEWAY_URL="http://127.0.0.1:8123", EKIDEN_AMQP_URL="amqp://a")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    found = find_addresses({}, below)

    assert (found.gateway_url, found.amqp_url) == ("http://127.0.0.1:8123", "amqp://a")
    assert found.source.endswith("stack.env")


def test_the_environment_beats_the_stacks_file(tmp_path: Path) -> None:
    write(tmp_path / ".local", EKIDEN_GATEWAY_URL="http://127.0.0.1:8123", EKIDEN_MONGODB_URL="mongodb://told")

    found = find_addresses({"EKIDEN_GATEWAY_URL": "http://other:1/", "EKIDEN_MONGODB_URL": "mongodb://asked"}, tmp_path)

    assert (found.gateway_url, found.mongodb_url) == ("http://other:1", "mongodb://asked")


def test_a_port_that_was_asked_for_beats_the_address_of_an_earlier_stack(tmp_path: Path) -> None:
    write(tmp_path / ".local", EKIDEN_GATEWAY_URL="http://127.0.0.1:8123")

    assert find_addresses({"EKIDEN_GATEWAY_PORT": "9000"}, tmp_path).gateway_url == "http://127.0.0.1:9000"


def test_a_gateway_that_listens_everywhere_is_asked_on_loopback(tmp_path: Path) -> None:
    asked = {"EKIDEN_GATEWAY_HOST": "0.0.0.0", "EKIDEN_GATEWAY_PORT": "9000"}

    assert find_addresses(asked, tmp_path).gateway_url == "http://127.0.0.1:9000"


def test_another_state_directory_can_be_named(tmp_path: Path) -> None:
    write(tmp_path / ".local", EKIDEN_GATEWAY_URL="http://wrong")
    write(tmp_path / "other", EKIDEN_GATEWAY_URL="http://right")

    assert find_addresses({"EKIDEN_STATE_DIR": str(tmp_path / "other")}, tmp_path).gateway_url == "http://right"
    assert find_addresses({"EKIDEN_STATE_DIR": "other"}, tmp_path).gateway_url == "http://right"


def test_quoted_values_are_read_as_a_shell_reads_them(tmp_path: Path) -> None:
    write(tmp_path / ".local", EKIDEN_MONGODB_URL="'mongodb://127.0.0.1:1/?replicaSet=rs0&w=1'")

    assert find_addresses({}, tmp_path).mongodb_url == "mongodb://127.0.0.1:1/?replicaSet=rs0&w=1"
