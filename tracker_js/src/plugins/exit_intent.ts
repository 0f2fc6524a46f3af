/** `$leave_site_attempt`: a fine pointer leaves through the top edge, towards the tabs and the address. */
import { guard } from "../guard";
import { recordAutomatic } from "../recorder";

/** Units: since the page began to load. */
const ARM_MS = 5000;
const PAUSE_MS = 60000;

export const watchExitIntent = (): void => {
  let armed_ms = ARM_MS;
  const root = document.documentElement;
  const leave = guard(({ clientX, clientY, buttons, timeStamp }: MouseEvent): void => {
    if (
      clientY <= 0 &&
      !buttons &&
      timeStamp >= armed_ms &&
      matchMedia("(pointer:fine)").matches &&
      // neither over a corner nor along the topmost row to the scroll bar; last, because it may cause a layout
      clientX > 0 &&
      clientX < root.clientWidth
    ) {
      armed_ms = timeStamp + PAUSE_MS;
      recordAutomatic("$leave_site_attempt", { $trigger: "pointer" });
    }
  });
  // on the root element, because only Chromium tells the document; not capturing, for every element is left all the time
  root.addEventListener("mouseleave", leave);
};
