/*
 * Fills in forms as a visitor does, without a driver's round trip for each key: execCommand edits a focused field as
 * typing does, so `input` and `change` are the browser's own, trusted events. Also what pages themselves do with values.
 */
const placed = {};

customElements.define(
  "x-field",
  class extends HTMLElement {
    static formAssociated = true;
    internals = this.attachInternals?.();
    set value(value) {
      this.internals?.setFormValue?.(value);
      this.textContent = value;
      this.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
      this.dispatchEvent(
        new Event("change", { bubbles: true, composed: true }),
      );
    }
  },
);

const find = (key) =>
  placed[key] || document.querySelector(`[data-k="${key}"]`);
const findForm = (number) =>
  placed[`form ${number}`] || document.querySelector(`[data-f="${number}"]`);
const findButton = (number) =>
  placed[`button ${number}`] || document.querySelector(`[data-b="${number}"]`);

/** Builds shadow trees and frames around what is to stand in them. */
const place = () => {
  for (const host of document.querySelectorAll("[data-place]")) {
    let root = host;
    if (host.dataset.place === "frame") {
      const frame = host.appendChild(document.createElement("iframe"));
      root = frame.contentDocument;
      root.open();
      root.write("<!doctype html><body></body>");
      root.close();
      root = root.body;
    } else {
      for (const mode of host.dataset.place.split(" ")) {
        const inner = root.appendChild(document.createElement("div"));
        root = inner.attachShadow({ mode });
      }
    }
    root.innerHTML = host.dataset.inner;
    for (const each of root.querySelectorAll("[data-k]"))
      placed[each.dataset.k] = each;
    for (const each of root.querySelectorAll("[data-f]"))
      placed[`form ${each.dataset.f}`] = each;
    for (const each of root.querySelectorAll("[data-b]"))
      placed[`button ${each.dataset.b}`] = each;
  }
};

/** Sets a value as frameworks do, past whatever the element itself has been given. */
const set = (field, value) => {
  const { prototype } =
    field.ownerDocument.defaultView[field.constructor.name] || {};
  const property =
    prototype && Object.getOwnPropertyDescriptor(prototype, "value");
  if (property) property.set.call(field, value);
  else field.value = value;
};

/** Writes a value where pages write values. */
const mirror = (field, attribute) => () => {
  const { value } = field;
  if (attribute === "style")
    field.style.setProperty("--typed", JSON.stringify(value));
  else field.setAttribute(attribute, value);
  if (field.parentElement.tagName === "LABEL")
    field.parentElement.title = value;
};

const submit = Object.getPrototypeOf(document.createElement("form")).submit;
const requestSubmit = Object.getPrototypeOf(
  document.createElement("form"),
).requestSubmit;

const verbs = {
  focus: (key) => find(key).focus(),
  type(key, value) {
    const field = find(key);
    if (
      field.ownerDocument.activeElement !== field ||
      field.getRootNode() !== document
    )
      field.focus();
    if (
      !field.ownerDocument.execCommand("insertText", false, value) &&
      !field.readOnly
    )
      throw new Error(`cannot type into ${key}`);
  },
  blur: (key) => find(key).blur(),
  retype(key, type) {
    find(key).type = type;
  },
  mirror: (key, attribute) =>
    find(key).addEventListener("input", mirror(find(key), attribute)),
  controlled: (key) =>
    find(key).addEventListener("input", ({ target }) =>
      set(target, target.value),
    ),
  set(key, value) {
    const field = find(key);
    set(field, value);
    field.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  },
  empty(key) {
    find(key).focus();
    find(key).select();
    document.execCommand("delete");
  },
  click: (key) => find(key).click(),
  publish(key, value) {
    verbs.type(key, value);
    verbs.blur(key);
    history.pushState(null, "", `?q=${encodeURIComponent(value)}`);
    document.title = `Results for ${value}`;
  },
  press: (number) => findButton(number).click(),
  send: (number) => findButton(number).click(),
  invalid: (number) => findButton(number).click(),
  request: (number) => requestSubmit.call(findForm(number)),
  program: (number) => submit.call(findForm(number)),
  twice(number) {
    verbs.press(number);
    verbs.press(number);
  },
  stopped(number) {
    findForm(number).addEventListener("submit", (event) =>
      event.stopImmediatePropagation(),
    );
    verbs.press(number);
  },
};

/** What went wrong in this page. */
const problems = [];

/** Does one act after the other, each in a task's own end: between what visitors do, microtasks run. */
const drive = async (acts) => {
  for (const [verb, ...args] of acts) {
    try {
      verbs[verb](...args);
      await undefined;
    } catch (fault) {
      problems.push(`${verb} ${args.join(" ")}: ${fault}`);
    }
  }
};

addEventListener("DOMContentLoaded", () => {
  place();
  tracker.on("fault", (fault) => problems.push(`${fault}`));
  tracker.on("drop", ({ event, reason }) =>
    problems.push(`${event.name}: ${reason}`),
  );
});

// the drivers' scripts see only what the window has
Object.assign(window, { drive, find, problems });
