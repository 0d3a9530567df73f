from pathlib import Path

import pytest

from benchmarks.machine import machine_of, sentences


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc of a machine with one processor and two disks."""
    files = {
        "loadavg": "0.50 1.25 2.00 1/200 4711\n",
        "cpuinfo": "processor\t: 0\nmodel name\t: Small Processor @ 2 GHz\nflags\t\t: fpu\n",
        "meminfo": "MemTotal:        4194304 kB\nMemFree: 1 kB\n",
        "sys/kernel/ostype": "Linux\n",
        "sys/kernel/osrelease": "6.12.1\n",
        "self/mounts": (
            "/dev/vda / ext4 rw,noatime 0 0\n"
            "/dev/sdb /srv\\040jobs xfs rw 0 0\n"
            "/dev/loop3 /srv\\040jobs/image ext4 rw,relatime 0 0\n"
            "tmpfs /hidden tmpfs rw 0 0\n"
            "/dev/sdc /hidden xfs ro 0 0\n"
        ),
        "fs/jbd2/loop3-8/info": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "file_system"),
    [
        ("/home", "ext4 without a journal (rw,noatime)"),
        ("/srv jobs/queues", "xfs (rw)"),
        ("/srv jobs/image/queues", "ext4 with a journal in a loop image (rw,relatime)"),
        ("/srv jobs/imaginary", "xfs (rw)"),
        ("/hidden/queues", "xfs (ro)"),
    ],
)
def test_a_folder_lies_on_the_file_system_that_is_mounted_nearest_above_it(
    proc: Path, folder: str, file_system: str
) -> None:
    assert machine_of(Path(folder), proc=proc).file_system == file_system


def test_a_machine_is_told_in_words(proc: Path) -> None:
    told = sentences(machine_of(Path("/home"), proc=proc))

    assert told[0].startswith("Processor: Small Processor @ 2 GHz, ")
    assert told[1:4] == [
        "Memory: 4 GiB",
        "Kernel: Linux 6.12.1",
        "File system: ext4 without a journal (rw,noatime)",
    ]
    assert told[-1] == "Load before the run: 0.50, 1.25, 2.00"


def test_this_machine_can_be_told_of(tmp_path: Path) -> None:
    machine = machine_of(tmp_path)

    assert machine.cores >= 1
    assert machine.memory > 0
    assert machine.file_system
