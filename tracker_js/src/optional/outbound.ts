/** `Link followed` and `File downloaded`: a visitor follows a link away from the site, or to a file. */
import type { Plugin } from "../plugin";

/** What browsers save or hand to another program rather than show as a page. */
const FILE = /\.(pdf|docx?|xlsx?|pptx?|od[tsp]|txt|csv|epub|zip|rar|7z|gz|dmg|exe|msi|apk|mp[34])$/i;
const MIDDLE = 1;

/** Records clicks on links. Shape: url has neither query nor hash. */
const outbound: Plugin = (tracker, listen, bare) =>
  listen("click auxclick", (event: MouseEvent) => {
    // the path goes into open shadow trees, where the target does not
    const link = event.composedPath().find((each) => each instanceof HTMLAnchorElement);
    if (!link?.href || event.button > MIDDLE || link.closest("[data-track-ignore]")) return;
    const { href, protocol, hostname, pathname } = link;
    if (!/^https?:$/.test(protocol)) return;
    const url = bare(href);
    const [, extension] = FILE.exec(pathname) || [];
    if (extension || link.hasAttribute("download")) {
      tracker.track("File downloaded", { url, extension: (extension || "").toLowerCase() });
    } else if (hostname !== location.hostname) {
      tracker.track("Link followed", { url, domain: hostname });
    }
  });

export default outbound;
