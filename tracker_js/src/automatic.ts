/** What is recorded by itself: views and their campaigns, exit intent, fields, forms. */
import { guard } from "./guard";
import { countView, describePage, readPage, setMoment, setReferrer, views } from "./page";
import { readCampaign } from "./plugins/campaigns";
import { watchExitIntent } from "./plugins/exit_intent";
import { watchFields } from "./plugins/fields";
import { watchForms } from "./plugins/forms";
import { watchPageViews } from "./plugins/page_views";
import { recordAutomatic } from "./recorder";
import type { Stub } from "./stub";

/** Starts everything; returns a function that tells at once of a view that is still to be told. */
export const startAutomatic = (stub: Partial<Stub>): (() => void) => {
  setMoment(stub.t);
  setReferrer(stub.r ?? document.referrer);
  const tellView = watchPageViews((url) => {
    const landing = !views && stub.u;
    countView(url);
    // a router may have changed the address before this script came; the tags were in the first one
    const landed = readPage(landing || url);
    const campaign = readCampaign(landed.url);
    const page = readPage(url);
    if (campaign) recordAutomatic("$utm_hit", campaign, landed, JSON.stringify(campaign));
    recordAutomatic("$page_view", describePage(page), page);
  });
  setMoment(); // only what was recorded just now happened on arrival
  // what fails in one page's circumstances must not keep the others from starting
  watchExitIntent();
  watchForms();
  guard(watchFields)();
  return tellView;
};
