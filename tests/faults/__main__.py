"""Write docs/faults.md."""

from tests.faults.catalogue import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
