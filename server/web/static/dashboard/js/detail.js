// A row's full content: every column and property of an event, or a refusal with what was sent.
import { wireCopy } from "./copy.js";
import { element } from "./element.js";
import { formatInstant } from "./format.js";
import { valueNode } from "./values.js";

const GROUPS = {
  Event: ["id", "site", "name", "time", "received_at", "source", "bot"],
  Visitor: ["visitor_id", "session_id", "user_id"],
  Page: ["url", "path", "title", "referrer", "referrer_domain"],
  Campaign: ["channel", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"],
  Device: ["browser", "browser_version", "os", "os_version", "device", "device_type", "resolution"],
  Place: ["country", "region", "city", "language", "timezone", "ip"],
};
const GROUPED = new Set([...Object.values(GROUPS).flat(), "props"]);
const INSTANTS = new Set(["time", "received_at"]);

/** Return the opened part of a row. */
export function detailOf(item) {
  const copy = element("button", { type: "button", class: "secondary" }, "Copy as JSON");
  wireCopy(copy, () => JSON.stringify(item.event ?? item.refusal, null, 2));
  const content = item.event ? eventContent(item) : refusalContent(item.refusal);
  return element("div", { class: "detail" }, ...content, element("p", { class: "actions" }, copy));
}

function eventContent({ event, warnings }) {
  const others = Object.keys(event).filter((name) => !GROUPED.has(name));
  const groups = others.length > 0 ? { ...GROUPS, Other: others } : GROUPS;
  return [
    ...warnings.map((warning) => remark("corrected", warning)),
    section("Properties", Object.entries(event.props ?? {}), "props"),
    element(
      "div",
      { class: "groups" },
      ...Object.entries(groups).map(([title, names]) =>
        section(title, names.map((name) => [name, event[name]])),
      ),
    ),
  ];
}

function refusalContent(refusal) {
  const { payload, code, message, ...rest } = refusal;
  return [
    remark("rejected", { code, message }),
    section("What was sent", [["payload", pretty(payload)]], "props"),
    section("Arrival", Object.entries(rest)),
  ];
}

function section(title, pairs, kind = "") {
  const rows = pairs.map(([name, value]) =>
    element("div", {}, element("dt", {}, element("bdi", {}, name)), element("dd", {}, cell(name, value, kind))),
  );
  const body = rows.length > 0 ? element("dl", {}, ...rows) : element("p", { class: "none" }, "none");
  return element("section", { class: kind }, element("h3", {}, title), body);
}

function cell(name, value, kind) {
  const node = valueNode(value);
  if (kind === "" && INSTANTS.has(name) && value) node.setAttribute("title", formatInstant(Date.parse(value)));
  return node;
}

function remark(kind, { code, message }) {
  return element("p", { class: `remark ${kind}` }, element("code", {}, code), ` ${message}`);
}

function pretty(payload) {
  try {
    const value = JSON.parse(payload);
    return value !== null && typeof value === "object" ? value : payload;
  } catch {
    return payload;
  }
}
