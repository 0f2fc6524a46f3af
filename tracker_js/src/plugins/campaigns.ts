/** `$utm_hit`: a page opened through a tagged link, once per set of tags and session. */
import type { Props } from "../catalogue";

/**
 * The click ids of advertising networks: gclid, yclid, fbclid, msclkid, ttclid, irclickid and whatever ends alike.
 * Those that end like nothing else (awc, dicbo and so on) the server reads from the page's address.
 */
const CLICK_ID = /(clk?|click_?|[_c]c|srslt|bra|igsh|fat_)id$|^(gad_.+|igsh|epik)$/i;

/** Returns the attributes of `$utm_hit` for an address, or undefined when it carries no tag. */
export const readCampaign = (url: string): Props | undefined => {
  const campaign: Props = {};
  "source campaign medium content term".split(" ").forEach((name) => (campaign[`$utm_${name}`] = ""));
  let found: Props | undefined;
  new URL(url).searchParams.forEach((value, name) => {
    const tag = `$${name.toLowerCase()}`;
    const key = campaign[tag] === "" ? tag : CLICK_ID.test(name) && name;
    if (key && value) {
      campaign[key] = value;
      found = campaign;
    }
  });
  return found;
};
