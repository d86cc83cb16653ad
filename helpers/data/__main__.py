"""`python -m helpers.data`: where CIFAR-100 is, and what to do about it."""

import argparse
import os

from helpers.data import load_cifar100
from helpers.data.cache import cache_folder, clear, data_folder, source_of
from helpers.data.records import FILES, RECORD_BYTES, DataError, verify_records


def main():
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.data",
        description="Say where CIFAR-100 is, where it came from, its sizes and hashes.",
    )
    choice = parser.add_mutually_exclusive_group()
    for option, text in (
        ("--download", "bring it to this machine, if it is not there"),
        ("--verify", "read it all, and compare its hashes with the published ones"),
        ("--clear", "remove it from the cache"),
    ):
        choice.add_argument(option, action="store_true", help=text)
    arguments = parser.parse_args()
    try:
        if arguments.clear:
            print(f"Removed {clear() / 1e6:.1f} MB from {cache_folder()}.")
            return
        if arguments.download:
            os.environ["CIFAR100_STAND_IN"] = "never"
            load_cifar100()
        _report(data_folder(download=False), arguments.verify)
    except DataError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; the same command goes on from there.") from None


def _report(folder, verify):
    print(f"folder  {folder}")
    print(f"source  {source_of(folder)}")
    for name, (records, sha256) in FILES.items():
        path = folder / name
        size = os.path.getsize(path) if os.path.isfile(path) else 0
        print(f"{name}  {size:,} bytes, expected {records * RECORD_BYTES:,}")
        print(f"        expected SHA-256 {sha256}")
        if verify:
            verify_records(path, records, sha256)
            print("        verified")


if __name__ == "__main__":
    main()
