import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readCampaign } from "../src/plugins/campaigns";
import { collector, openPage, pass } from "./browser";

const HOME = "https://shop.example/";
const NONE = { $utm_source: "", $utm_campaign: "", $utm_medium: "", $utm_content: "", $utm_term: "" };

/** The click ids that the server recognises, read from its own list. */
const CLICK_IDS = [...readFileSync("../server/enrich/campaign.py", "utf8").matchAll(/^ {4,8}"(\w+)",/gm)].map(
  ([, name]) => name!,
);

const hits = () => collector.stored.filter(({ name }) => name === "$utm_hit");
const sources = () => hits().map(({ props }) => props.$utm_source);

describe("the attributes", () => {
  test.each([
    [
      "all five",
      "utm_source=a&utm_medium=b&utm_campaign=c&utm_content=d&utm_term=e+f",
      {
        $utm_source: "a",
        $utm_medium: "b",
        $utm_campaign: "c",
        $utm_content: "d",
        $utm_term: "e f",
      },
    ],
    ["missing ones are empty", "utm_source=a", { ...NONE, $utm_source: "a" }],
    ["names in capitals", "UTM_Source=a", { ...NONE, $utm_source: "a" }],
    ["the first of several", "utm_source=a&utm_source=b", { ...NONE, $utm_source: "a" }],
    ["an empty one before", "utm_source=&utm_source=b", { ...NONE, $utm_source: "b" }],
    ["percent encoding", "utm_campaign=%D0%BE%D1%81%D0%B5%D0%BD%D1%8C", { ...NONE, $utm_campaign: "осень" }],
    ["a click id alone", "gclid=Abc", { ...NONE, gclid: "Abc" }],
    ["a click id as well", "utm_source=a&yclid=1", { ...NONE, $utm_source: "a", yclid: "1" }],
  ])("%s", (_, query, expected) => {
    expect(readCampaign(`${HOME}?${query}`)).toEqual(expected);
  });

  test.each([
    "",
    "?",
    "?page=2",
    "?utm_source=",
    "?utm_id=1",
    "?gclid=",
    "?circlid_=1",
    "?source=a",
    "#utm_source=a",
  ])("none for %j", (query) => {
    expect(readCampaign(HOME + query)).toBeUndefined();
  });

  /** Like no other name, so that each would cost bytes: the server reads them from the page's address. */
  const LEFT_TO_SERVER = ["awc", "cjevent", "dicbo", "ef_id", "erid", "tblci"];
  const OURS = CLICK_IDS.filter((name) => !LEFT_TO_SERVER.includes(name));

  test("there are at least nineteen click ids", () => {
    expect(OURS.length).toBeGreaterThanOrEqual(19);
  });

  test.each([...OURS, "clickid", "click_id", "clkid", "tblclid", "GCLID", "ScCid"])(
    "the click id %s",
    (name) => {
      expect(readCampaign(`${HOME}?${name}=1`)).toEqual({ ...NONE, [name]: "1" });
    },
  );

  test.each(["clubid", "clientid", "trackid", "acid", "epics", "resultid", "gad", "circuid"])(
    "no click id: %s",
    (name) => {
      expect(readCampaign(`${HOME}?${name}=1`)).toBeUndefined();
    },
  );
});

describe("a hit", () => {
  test("stands between the session's start and the view", async () => {
    await openPage({ url: `${HOME}?utm_source=a` });
    await pass(300);
    expect(collector.names()).toEqual(["$session_start", "$utm_hit", "$page_view"]);
    expect(new Set(collector.stored.map(({ time }) => time)).size).toBe(1);
    const ids = collector.stored.map(({ id }) => id);
    expect([...ids].sort()).toEqual(ids);
  });

  test("is told once for each set of tags in a session", async () => {
    for (const source of ["a", "a", "b", "a"]) {
      (await openPage({ url: `${HOME}?utm_source=${source}` })).kill();
      await pass(1000);
    }
    await openPage();
    await pass(300);
    expect(sources()).toEqual(["a", "b"]);
  });

  test("is told again in the next session", async () => {
    (await openPage({ url: `${HOME}?utm_source=a` })).kill();
    await pass(31 * 60_000);
    await openPage();
    await pass(300);
    expect(sources()).toEqual(["a", "a"]);
  });

  test("is told on a change of route", async () => {
    await openPage();
    history.pushState({}, "", "/a?utm_source=inside");
    await pass(2000);
    expect(collector.names()).toEqual(["$session_start", "$page_view", "$utm_hit", "$page_view"]);
  });

  test("can be left out while views are told", async () => {
    await openPage({ url: `${HOME}?utm_source=a`, options: { disable: "utm_hit, leave_site_attempt" } });
    await pass(300);
    expect(collector.names()).toEqual(["$session_start", "$page_view"]);
  });
});
