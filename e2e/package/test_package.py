"""The npm package: packed, installed, bundled by a site's own bundler, run in a browser, checked by its compiler."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

from e2e.engines import refuse
from e2e.footfall import Footfall, named, names
from e2e.page_server import PageServer

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tracker_js" / "node_modules"
ENTRY = """
import { start, use } from "footfall-tracker";
import outbound from "footfall-tracker/plugins/outbound";
const before = Object.keys(window);
const tracker = start({ api: API });
use(outbound);
addEventListener("click", (event) => event.preventDefault());
tracker.track("$order_completed", { $order_id: "A-17", $order_amount: 990, own: "kept" });
console.assert(start({ api: API }) === tracker);
document.added = Object.keys(window).filter((name) => !before.includes(name));
document.flush = () => tracker.flush();
"""
MISSPELT = {
    "a system event": 'tracker.track("$order_complete", { $order_id: "1" });',
    "an attribute": 'tracker.track("$order_completed", { $order_id: "1", $order_amout: 1 });',
    "an option": 'start({ api: "", hashRoute: true });',
    "a topic": 'tracker.on("send", () => {});',
    "a plugin": 'import("footfall-tracker/plugins/outbond");',
}
CORRECT = 'tracker.track("$order_completed", { $order_id: "1" }); tracker.track("Own", { a: 1 });'
PLUGIN = """
import { use } from "footfall-tracker";
import outbound from "footfall-tracker/plugins/outbound";
use(outbound);
"""


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what a command of Node's says; node may be the environment's own."""
    own = ROOT / ".venv" / "node" / "bin"
    path = f"{own}:{own}:/usr/local/bin:/usr/bin:/bin"
    found = shutil.which(command[0], path=path) or shutil.which(command[0])
    if found is None or not TOOLS.exists():
        refuse("no Node with the tracker's packages: make setup")
    environment = {"PATH": f"{Path(found).resolve().parent}:{Path(found).parent}:{path}", "HOME": str(folder)}
    return subprocess.run(
        [found, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a site that has installed the package as it would be published."""
    folder = tmp_path_factory.mktemp("package")
    copy = folder / "tracker_js"
    shutil.copytree(ROOT / "tracker_js", copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to(TOOLS)
    (folder / "server" / "web" / "static").mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", folder)
    packed = run("npm", "pack", "--silent", "--pack-destination", str(folder), folder=copy)
    assert packed.returncode == 0, packed.stderr
    (archive,) = folder.glob("*.tgz")
    installed = folder / "site" / "node_modules" / "footfall-tracker"
    installed.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            member.name = member.name.removeprefix("package/")
        tar.extractall(installed, filter="data")
    return folder / "site"


def test_package_holds_what_it_exports_and_nothing_else(site: Path) -> None:
    installed = site / "node_modules" / "footfall-tracker"
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    built = {path for path in files if path.startswith("dist/")}
    assert files - built == {"package.json", "README.md"}
    assert {"dist/LICENSE", "dist/module.js", "dist/types/module.d.ts", "dist/types/catalogue.d.ts"} <= built
    plugins = {Path(path).stem for path in built if path.startswith("dist/plugins/")}
    assert plugins == {path.stem for path in (ROOT / "server/web/static/plugins").glob("*.js")}
    assert {Path(path).suffix for path in built} == {".js", ".ts", ""}


@pytest.mark.engines("chromium", "firefox")
def test_bundled_package_tracks_and_puts_nothing_on_the_window(
    site: Path, page: Page, footfall: Footfall, pages: PageServer
) -> None:
    (site / "entry.js").write_text(ENTRY.replace("API", f'"{footfall.base_url}"'), encoding="utf-8")
    bundled = run(str(TOOLS / ".bin/esbuild"), "entry.js", "--bundle", "--format=iife", folder=site)
    assert bundled.returncode == 0, bundled.stderr
    page.goto(pages.url("package/empty"))
    page.evaluate(bundled.stdout)
    page.get_by_role("link").click()
    page.evaluate("document.flush()")
    assert page.evaluate("[document.added, 'tracker' in window]") == [[], False]
    events = footfall.events()
    assert names(events)[:3] == ["$session_start", "$page_view", "$order_completed"]
    assert len(named(events, "Link followed")) == 1


@pytest.mark.parametrize(("module", "resolution"), [("esnext", "bundler"), ("nodenext", "nodenext")])
def test_misspelt_names_do_not_compile(site: Path, module: str, resolution: str) -> None:
    head = 'import { start } from "footfall-tracker";\nconst tracker = start({ api: "" });\n'
    for place, line in enumerate([CORRECT, *MISSPELT.values()]):
        (site / f"case{place}.ts").write_text(head + line, encoding="utf-8")
    (site / "plugin.ts").write_text(PLUGIN, encoding="utf-8")
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", module, "--moduleResolution", resolution]
    files = sorted(path.name for path in site.glob("case*.ts"))
    said = run("node", str(TOOLS / "typescript/bin/tsc"), *options, *files, "plugin.ts", folder=site).stdout
    wrong = {line.split("(")[0] for line in said.splitlines() if ": error TS" in line}
    assert wrong == set(files[1:]), said
