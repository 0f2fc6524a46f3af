"""Takes a browser offline as far as its driver can."""

from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.remote.webdriver import WebDriver


@contextmanager
def go_offline(driver: WebDriver, handles: list[str]) -> Iterator[None]:
    """Keep these windows offline for the block; in Firefox the whole browser. Errors: TypeError for other engines."""
    _set_offline(driver, handles, is_offline=True)
    try:
        yield
    finally:
        _set_offline(driver, handles, is_offline=False)


def _set_offline(driver: WebDriver, handles: list[str], *, is_offline: bool) -> None:
    if isinstance(driver, webdriver.Chrome):
        for handle in handles:
            driver.switch_to.window(handle)
            if is_offline:
                driver.set_network_conditions(offline=True, latency=0, throughput=-1)
            else:
                driver.delete_network_conditions()
    elif isinstance(driver, webdriver.Firefox):
        with driver.context(driver.CONTEXT_CHROME):
            driver.execute_script("Services.io.offline = arguments[0]", is_offline)
    else:
        raise TypeError(f"no way to take {driver.name} offline")
